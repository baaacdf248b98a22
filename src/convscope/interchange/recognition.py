"""Recognise a file by its content: choose its reader, or say what the file is instead and what to do.

It looks at the first bytes and at the names in an archive. Nothing is run or unpickled.
"""

import os
import re
from pathlib import Path
from typing import BinaryIO, Literal

from convscope.base.errors import InterchangeError
from convscope.base.files import open_file
from convscope.interchange.archive import ZIP_MAGIC, Archive
from convscope.interchange.refusal import MAX_JSON_BYTES, ModelFileError, list_names, prefix_errors
from convscope.interchange.torch_files.archives import is_program

Kind = Literal["Keras", "ONNX", "PyTorch", "TensorFlow Lite", "TensorFlow.js", "convscope"]
_PICKLE = "data.pkl"
_HDF5 = b"\x89HDF\r\n\x1a\n"
_SAFETENSORS_JSON = b"{"  # the first byte of the JSON, after eight bytes with its length
_MAX_BYTES = 1 << 31  # limit for any file; each reader has lower limits of its own
_START_BYTES = 1 << 12  # bytes that are compared with known beginnings
_SAVED_BEFORE_ZIP = bytes.fromhex("80028a0a6cfc9c46f9206aa85019")  # the first pickle of torch.save before 1.6
_NEXT_STEP = "import the .keras, .h5, .pt2, .onnx, .tflite or .safetensors file of the same network"
_TFLITE = b"TFL3"
_STARTS = {
    b"version https://git-lfs": "is a pointer of Git LFS, not the file; run `git lfs pull`, or download the file",
    b"<!DOCTYPE": "is a web page; download the file itself (on GitHub by the button Raw)",
    b"GGUF": f"is a GGUF file, which holds a language model; {_NEXT_STEP}",
    b"<?xml": f"is an XML file, such as OpenVINO writes; {_NEXT_STEP}",
    b"\x93NUMPY": "is a NumPy array and no network; weights alone cannot be imported without their layers",
    b"\x1f\x8b": "is packed with gzip; unpack it and import the file that was in it",
    b"\x89PNG": "is a picture and no network; `convscope predict RUN PICTURE` classifies it",
    b"\xff\xd8\xff": "is a picture and no network; `convscope predict RUN PICTURE` classifies it",
}
"""Files of other kinds, by their first bytes."""
_SUFFIXES = {
    **{".tflite": "TensorFlow Lite", ".keras": "Keras", ".h5": "Keras", ".hdf5": "Keras"},
    **{".pt2": "PyTorch", ".safetensors": "safetensors"},
}
"""What a file should be by its name, where its content is none of these."""
_C_HEADER = re.compile(rb"\A\s*(/[*/]|#)")


def recognize_file(path: Path) -> Kind:
    """Choose the reader for the file at `path` by its content, whatever its name.

    Raises:
        InterchangeError: if it cannot be read, is too large, or is a known kind of file without a readable network.
        RunError: if it is no regular file.
    """
    if path.is_dir():
        if (path / "saved_model.pb").exists():
            raise InterchangeError(
                f"{path}: is a SavedModel folder of TensorFlow, which holds a program to run; save the Keras model "
                "with model.save('net.keras') and import that file"
            )
        if (path / "model.json").exists():
            raise InterchangeError(f"{path}: is the folder of a TensorFlow.js model; import {path / 'model.json'}")
        return "convscope"
    try:
        with open_file(path) as file, prefix_errors(str(path)):
            return _recognize(file, os.fstat(file.fileno()).st_size, path.name)
    except OSError as error:
        raise InterchangeError(f"{path}: cannot be read ({error.strerror}); give an existing file") from error


def _recognize(file: BinaryIO, size: int, name: str) -> Kind:
    """Choose the reader for an open file of `size` bytes; see `recognize_file`."""
    start = file.read(_START_BYTES)
    if size > _MAX_BYTES:
        raise ModelFileError(
            f"has {size:,} bytes, and the limit is {_MAX_BYTES:,}; only small networks can be imported"
        )
    if start.startswith(_HDF5):
        return "Keras"
    if start.startswith(ZIP_MAGIC):
        return _recognize_archive(Archive(file, "zip archive, as Keras and PyTorch write it"), name)
    # Eight bytes of length before a { can be part of any file, so the length must fit too.
    if start[8:9] == _SAFETENSORS_JSON and int.from_bytes(start[:8], "little") < size:
        return "convscope"
    if start[4:8] == _TFLITE:
        return "TensorFlow Lite"
    if start.lstrip()[:1] == b"{" and b'"weightsManifest"' in start + file.read(MAX_JSON_BYTES):
        return "TensorFlow.js"
    if (description := _recognize_unsupported(start)) is not None:
        raise ModelFileError(description)
    # protobuf has no magic bytes, but most ONNX files begin with field 1, a number.
    if start[:1] != b"\x08" and (kind := _SUFFIXES.get(Path(name).suffix.lower())) is not None:
        raise ModelFileError(f"is damaged, or no file of {kind} as its name says; use another copy")
    return "ONNX"  # its reader tells if the file is something else


def _recognize_unsupported(start: bytes) -> str | None:
    """Describe a file that holds no readable network, with the next step; None if it is unknown."""
    for magic, description in _STARTS.items():
        if start.startswith(magic):
            return description
    if start[4:8] in (b"ORTM", b"ET12"):  # identifiers of flatbuffers
        return f"is a model in the own format of ONNX Runtime or ExecuTorch; {_NEXT_STEP}"
    if start.startswith(_SAVED_BEFORE_ZIP):
        return f"is a file of torch.save as PyTorch wrote it before 1.6; in PyTorch, run {_format_export_line()}"
    if start[:1] == b"\x80" and start[1:2] in (b"\2", b"\3", b"\4", b"\5"):  # the opcode PROTO and its version
        return f"is a Python pickle, which runs code when it is opened, so convscope never opens one; {_NEXT_STEP}"
    if start.startswith(b"\x08\x01\x12") and b"serve" in start:  # protobuf: saved_model_schema_version = 1
        return "is the program of a SavedModel of TensorFlow; save the Keras model with model.save('net.keras')"
    if _C_HEADER.match(start):
        return f"is source code, such as the C and JavaScript that convscope exports; {_NEXT_STEP}, or use the run"
    if start.lstrip()[:1] in (b"{", b"["):
        if b'"class_name"' in start or b'"kind"' in start:  # of Keras or of convscope
            return (
                "is a description in JSON without weights; import the file with the weights, and name this one with "
                "`architecture`"
            )
        return f"is JSON, but of neither Keras, TensorFlow.js nor convscope; {_NEXT_STEP}"
    return None


def _recognize_archive(archive: Archive, file_name: str) -> Kind:
    """Choose the reader for a zip archive by the names of its members."""
    names = archive.names
    inner = {name.partition("/")[2] for name in names}  # PyTorch puts all members into one folder
    if is_program(names):
        return "PyTorch"
    if _PICKLE in inner:  # only compared by name: the pickle is never read
        is_script = "constants.pkl" in inner or any(name.startswith("code/") for name in inner)
        raise ModelFileError(_describe_script(file_name) if is_script else _describe_saved(file_name))
    if "config.json" in names or "model.weights.h5" in names:
        return "Keras"
    if names and all(name.endswith(".npy") for name in names):
        raise ModelFileError("holds NumPy arrays and no network; weights alone cannot be imported without their layers")
    raise ModelFileError(
        f"is a zip archive, but neither of Keras nor of PyTorch (it holds {list_names(names)}); {_NEXT_STEP}"
    )


def _describe_script(file_name: str) -> str:
    line = f"torch.onnx.export(torch.jit.load({file_name!r}), (torch.zeros(1, 1, 28, 28),), 'net.onnx', dynamo=False)"
    return (
        f"is a TorchScript program, which is code and is never run. Run `{line}`, with the shape of your images in "
        "place of 1, 1, 28, 28, and import net.onnx"
    )


def _describe_saved(file_name: str) -> str:
    """Describe a file of `torch.save`, with the next step."""
    return (
        "is a file of torch.save: weights without the network that they belong to (a state_dict or a checkpoint), or a "
        "pickled network, which runs code when it is opened, so convscope never opens one. Build the network in Python "
        f"and run `network.load_state_dict(torch.load({file_name!r}, map_location='cpu'))` and "
        f"{_format_export_line()}. "
        "For a pickled network, its class must be importable there"
    )


def _format_export_line() -> str:
    """Write the line of Python that exports a module, and the next step."""
    shape = "1, 1, 28, 28"
    return (
        f"`torch.export.save(torch.export.export(network.eval(), (torch.zeros({shape}),)), 'net.pt2')`, with the shape "
        f"of your images in place of {shape}, and import net.pt2"
    )
