"""Messages for files of known types that hold no network or cannot be read: they name the type and the next step."""

import gzip
import io
import json
import pickle
import zipfile
from pathlib import Path

import numpy as np
import pytest

import convscope as cs
from convscope.base.errors import InterchangeError


def _zip(*names: str) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name in names:
            archive.writestr(name, b"x")
    return content.getvalue()


def _npz() -> bytes:
    content = io.BytesIO()
    np.savez(content, a=np.zeros(3))
    return content.getvalue()


EXPORT = (
    r"`torch\.export\.save\(torch\.export\.export\(network\.eval\(\), "
    r"\(torch\.zeros\(1, 1, 28, 28\),\)\), 'net\.pt2'\)`"
)
FILES = {
    "torch.save": (_zip("archive/data.pkl", "archive/data/0"),
        rf"is a file of torch.save: weights .*\(torch.load\('file.keras', map_location='cpu'\)\)`.*{EXPORT}"),
    "TorchScript": (_zip("net/data.pkl", "net/code/__torch__.py", "net/constants.pkl"),
        r"is a TorchScript program.*torch\.onnx\.export\(torch\.jit\.load"),
    "an old file": (bytes.fromhex("80028a0a6cfc9c46f9206aa850192e80024d"), "before 1.6"),  # its pickled magic number
    "scikit-learn": (pickle.dumps({"a": 1}), "is a Python pickle, which runs code"),
    "TensorFlow Lite": (b"\x1c\0\0\0TFL3" + bytes(64), "is a damaged TensorFlow Lite model"),
    "NumPy": (_npz(), "NumPy arrays and no network"),
    "one array": (b"\x93NUMPY\x01\0", "is a NumPy array"),
    "gzip": (gzip.compress(b"x"), "unpack it"),
    "a picture": (b"\x89PNG\r\n\x1a\n" + bytes(20), "is a picture.*convscope predict"),
    "another archive": (_zip("word/document.xml"), r"neither of Keras nor of PyTorch \(it holds 'word/document.xml'\)"),
    "ORT": (b"\x1c\0\0\0ORTM" + bytes(64), "own format of ONNX Runtime or ExecuTorch"),
    "Git LFS": (b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 9\n", "git lfs pull"),
    "a web page": (b"<!DOCTYPE html>\n<html>", "by the button Raw"),
    "GGUF": (b"GGUF" + bytes(64), "a language model"),
    "random bytes": (bytes(range(3, 99)), "is damaged, or no file of Keras as its name says"),
    "half an archive": (_zip("config.json")[:-4], "is not a complete zip archive, as Keras and PyTorch write it"),
    "a notebook": (json.dumps({"cells": []}).encode(), "is JSON, but of neither Keras"),
    "a description": (json.dumps({"kind": "Flatten"}).encode(), "is a description in JSON without weights"),
}  # fmt: skip


@pytest.mark.parametrize("name", FILES)
def test_a_file_without_a_network_is_called_by_its_type(name: str, tmp_path: Path):
    content, message = FILES[name]
    path = tmp_path / "file.keras"  # the name does not matter
    path.write_bytes(content)
    with pytest.raises(InterchangeError, match=message) as caught:
        cs.import_model(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("format", ["c", "js"])
def test_a_program_of_convscope_is_called_source_code(format: str, tmp_path: Path):
    path = tmp_path / "model"
    layers = (cs.Flatten(), cs.Dense(2))
    weights = {"dense/kernel": np.ones((4, 2), np.float32), "dense/bias": np.zeros(2, np.float32)}
    cs.export_model(cs.Model(cs.Architecture(cs.Input(2, 2), layers), weights, ("a", "b")), path, format)
    with pytest.raises(InterchangeError, match="is source code, such as the C and JavaScript that convscope exports"):
        cs.import_model(path)


def test_a_saved_model_folder_is_named_as_such(tmp_path: Path):
    (tmp_path / "saved_model.pb").write_bytes(b"\x08\x01\x12")
    with pytest.raises(InterchangeError, match=r"SavedModel folder.*model\.save\('net\.keras'\)"):
        cs.import_model(tmp_path)
