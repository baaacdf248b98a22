"""Write and read models as safetensors files: the weights, and in the metadata everything needed to predict.

    metadata   {"convscope": TEXT}, where TEXT is the JSON of the architecture, class names, provenance and so on
    tensors    LAYER/kernel, LAYER/bias, ...: float32, with the names and shapes of the architecture's weights

Nothing in a file is run. The safetensors library checks the header against the file before it allocates anything, and
the tensors are checked against the architecture before any is read.
"""

import json
import os
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from msgspec import convert
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from convscope.architecture import Architecture
from convscope.base.arguments import checked
from convscope.base.errors import ConvscopeError, RunError
from convscope.base.files import inside, open_file, write_bytes
from convscope.base.plain import parse_json
from convscope.base.records import read
from convscope.base.versions import FORMAT, check_format, own_version
from convscope.data.handwriting import Handwriting
from convscope.storage.records import RunFile
from convscope.training.model import Model


@checked
def save_model(model: Model, path: Path | str) -> None:
    """Write `model` to `path` in an existing folder, whole or not at all.

    Raises RunError if the folder does not exist, and ConvscopeError if the file cannot be written.
    """
    path = Path(path)
    if not path.parent.is_dir():
        raise RunError(f"{path}: there is no folder {path.parent}; create it, or choose another")
    write_model(model, path)


def write_model(model: Model, path: Path) -> None:
    """Write `model` as `save_model` does, and create missing folders."""
    write_bytes(path, pack_model(model))


def pack_model(model: Model) -> bytes:
    """Make the bytes of a file with `model`."""
    description = {
        "architecture": model.architecture.to_dict(),
        "class_names": list(model.class_names),
        "provenance": dict(model.provenance),
        **({"calibration": dict(model.calibration)} if model.calibration else {}),
        **({"handwriting": model.handwriting.to_dict()} if model.handwriting else {}),
    }
    weights = {name: np.ascontiguousarray(array, np.float32) for name, array in model.weights.items()}
    return _pack_tensors(weights, description)


@checked
def load_model(path: Path | str) -> Model:
    """Load the model in the file or run folder at `path`.

    Raises:
        RunError: if there is none, or it is damaged, of a newer format, or its weights do not fit its architecture.
    """
    path = Path(path)
    if path.is_dir():
        _check_finished(path)
        path = inside(path, "model.safetensors")  # a link could lead out of the run
    with open_tensors(path) as file:
        description = read_description(path, file)
        try:
            return _make_model(description, file)
        except (ConvscopeError, KeyError, TypeError, ValueError, SafetensorError) as error:
            raise RunError(f"{path}: not a convscope model ({error}); train it again or use another copy") from error


def _make_model(description: Mapping[str, Any], file: safe_open) -> Model:
    """Make the model of a file; raises one of the errors that `load_model` names damage."""
    architecture = Architecture.from_dict(description["architecture"])
    class_names = description["class_names"]
    if not isinstance(class_names, list) or not all(isinstance(name, str) for name in class_names):
        raise TypeError(f"class_names is {class_names!r}, not a list of strings")
    weights = _read_weights(file, architecture)
    provenance, calibration = description["provenance"], description.get("calibration", {})
    for name, value in (("provenance", provenance), ("calibration", calibration)):
        if not isinstance(value, dict):
            raise TypeError(f"{name} is {value!r:.60}, not an object")
    handwriting = description.get("handwriting")
    if handwriting is not None:
        handwriting = convert(handwriting, Handwriting)
    return Model(architecture, weights, tuple(class_names), provenance, calibration, handwriting)


def _read_weights(file: safe_open, architecture: Architecture) -> dict[str, NDArray[Any]]:
    """Read all tensors; raises `ValueError` if they are not those of the architecture."""
    # Shapes come from the header, so that no tensor is read for an architecture that it does not fit.
    shapes = {name: tuple(file.get_slice(name).get_shape()) for name in file.keys()}  # noqa: SIM118 (no mapping)
    if shapes != architecture.weight_shapes:
        raise ValueError("the tensors' names or shapes are not those of the architecture")
    return {name: read_tensor(file, name, np.float32) for name in architecture.weight_shapes}


def _check_finished(folder: Path) -> None:
    """Raise `RunError` if `folder` is a run without a trained model, or no run."""
    if os.path.lexists(folder / "model.safetensors"):
        return
    if not (folder / "run.json").exists():
        raise RunError(f"{folder}: has neither run.json nor model.safetensors; name the folder of a run")
    record = read(inside(folder, "run.json"), RunFile)
    raise RunError(f"{folder}: is not trained yet; {next_step(folder, record)}")


def next_step(folder: Path, record: RunFile) -> str:
    """Say which step finishes the run in `folder`, as the end of a sentence."""
    if record.digest:  # only runs of an experiment have one
        return "run its experiment again to finish it"
    if record.imported:
        return "import the network again"
    if record.members:
        return "join its members again with `convscope ensemble`"
    command = "run" if record.job else "train"  # each resumes only its own runs
    return f"to continue it, run: {shlex.join(['convscope', command, '--resume', str(folder)])}"


def write_tensors(path: Path, tensors: Mapping[str, NDArray[Any]], description: Mapping[str, Any]) -> None:
    """Write named arrays with one JSON `description` as a safetensors file, the same bytes for the same content.

    The description begins with the format, and the version that wrote it.
    """
    write_bytes(path, _pack_tensors(tensors, description))


def _pack_tensors(tensors: Mapping[str, NDArray[Any]], description: Mapping[str, Any]) -> bytes:
    description = {"format": FORMAT, "version": own_version(), **description}
    # One metadata entry: the library keeps no order of several, so that the same content would give other bytes.
    text = json.dumps(description, allow_nan=False, ensure_ascii=False)
    return save(dict(tensors), metadata={"convscope": text})


def open_tensors(path: Path) -> safe_open:
    """Open the safetensors file at `path`; raises `RunError` if it is missing, damaged or no regular file."""
    try:
        open_file(path).close()  # refuses a pipe or a device, on which the library would wait
        return safe_open(path, framework="numpy")
    except FileNotFoundError as error:
        raise RunError(f"{path}: no such file; check the path, or name a run folder or model file") from error
    except (SafetensorError, OSError) as error:
        raise RunError(
            f"{path}: damaged or not a safetensors file ({error}); use another copy, or `convscope import` for a "
            "network of another program"
        ) from error


def read_description(path: Path, file: safe_open) -> dict[str, Any]:
    """Read the JSON description that `write_tensors` wrote.

    Raises:
        RunError: if there is none, or its format is newer than this reader.
    """
    metadata = file.metadata() or {}
    if "convscope" not in metadata:
        raise RunError(
            f"{path}: a safetensors file of another program, which holds arrays without their network; build the "
            "network there, load them into it, and export it as ONNX or with torch.export.save"
        )
    try:
        description = parse_json(metadata["convscope"].encode())
        format_number = description["format"]
    except (KeyError, TypeError, ValueError) as error:
        raise RunError(f"{path}: a safetensors file, but not a convscope model; use another copy") from error
    check_format(path, format_number, description.get("version"))
    return dict(description)


def read_tensor(file: safe_open, name: str, dtype: Any = None) -> NDArray[Any]:
    """Read a tensor; raises `ValueError` if it is not of `dtype`."""
    array: NDArray[Any] = file.get_tensor(name)
    if dtype is not None and array.dtype != dtype:
        raise ValueError(f"{name} is {array.dtype}, not {np.dtype(dtype)}")
    return array
