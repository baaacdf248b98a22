"""Choosing the reader of a file by its content, and what an imported model records about its file."""

import hashlib
from pathlib import Path

import numpy as np
import pytest
from tests.interchange.keras_files.keras_archives import archive, hdf5, small
from tests.random_networks import random_images, random_model

import convscope as cs
from convscope.base.errors import InterchangeError
from convscope.export.onnx import write_onnx
from convscope.interchange import read_network
from convscope.interchange.recognition import recognize_file


@pytest.fixture
def model() -> cs.Model:
    return random_model(np.random.default_rng(3))


def write_files(model: cs.Model, folder: Path) -> dict[str, Path]:
    """Write networks in three formats, each under a name that suits another format."""
    paths = {"ONNX": folder / "a.weights.keras", "convscope": folder / "b.onnx", "Keras": folder / "c.safetensors"}
    write_onnx(model, paths["ONNX"], fold=False)
    cs.save_model(model, paths["convscope"])
    config, arrays = small()
    paths["Keras"].write_bytes(archive(config, hdf5(arrays)))
    return paths


def test_the_type_of_a_file_follows_from_its_content(model: cs.Model, tmp_path: Path):
    for kind, path in write_files(model, tmp_path).items():
        assert recognize_file(path) == kind
        scaling = cs.Scaling() if kind == "Keras" else None
        assert cs.import_model(path, scaling=scaling).provenance["imported"]["file"] == path.name


def test_an_imported_model_records_its_file(model: cs.Model, tmp_path: Path):
    path = write_files(model, tmp_path)["ONNX"]
    imported = cs.import_model(path)
    origin = imported.provenance["imported"]
    assert origin["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert origin["program"].startswith("convscope ")
    images = random_images(model.architecture, np.random.default_rng(0), 5)
    assert np.abs(imported.logits(images) - model.logits(images)).max() < 1e-4


def test_a_network_without_a_name_gets_the_name_of_its_file(model: cs.Model, tmp_path: Path):
    path = tmp_path / "mine.v2.onnx"
    write_onnx(model, path, fold=True)
    read = read_network(path)
    expected = "mine" if read.architecture.name == "imported" else read.architecture.name
    assert cs.import_model(path).architecture.name == expected
    assert expected != "imported"


def test_names_of_classes_may_be_given(model: cs.Model, tmp_path: Path):
    path = write_files(model, tmp_path)["Keras"]
    assert cs.import_model(path, scaling=cs.Scaling()).class_names == ("0", "1", "2")
    assert cs.import_model(path, scaling=cs.Scaling(), class_names=["a", "b", "c"]).class_names == ("a", "b", "c")
    with pytest.raises(ValueError, match="2 class names, but the network has 3"):
        cs.import_model(path, scaling=cs.Scaling(), class_names=["a", "b"])


@pytest.mark.parametrize("kind", ["ONNX", "convscope"])
def test_an_architecture_beside_a_whole_model_is_refused(model: cs.Model, tmp_path: Path, kind: str):
    with pytest.raises(InterchangeError, match="holds its own architecture"):
        cs.import_model(write_files(model, tmp_path)[kind], architecture=tmp_path / "x.json")


def test_a_scale_for_a_model_that_knows_its_own_is_refused(model: cs.Model, tmp_path: Path):
    with pytest.raises(InterchangeError, match="it scales bytes itself"):
        cs.import_model(write_files(model, tmp_path)["convscope"], scaling=cs.Scaling())


@pytest.mark.parametrize("content", [b"", b"\x08", b"PK\x03\x04", b"\x89HDF\r\n\x1a\n", b"\x10\0\0\0\0\0\0\0{"])
def test_a_file_that_holds_no_network_is_named(tmp_path: Path, content: bytes):
    path = tmp_path / "network"
    path.write_bytes(content)
    with pytest.raises(cs.ConvscopeError, match="network"):
        cs.import_model(path)
