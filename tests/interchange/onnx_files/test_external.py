"""Weights in a second file beside an ONNX file: read if it is what the exporters of PyTorch write, refused if not."""

import hashlib
import os
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from tests.interchange.onnx_files.graphs import node, numbers, proto, to_model

import convscope as cs
from convscope.base.errors import InterchangeError
from convscope.interchange.onnx_files import read_onnx

DATA = "net.onnx.data"
WEIGHTS = {"w": numbers(3, 2, 3, 3), "k": numbers(105, 4)}  # 54 and 420 floats: 216 and 1,680 bytes


def make_network() -> onnx.ModelProto:
    return proto([node("Conv", "x w", "m"), node("Flatten", "m", "f"), node("Gemm", "f k", "y")], WEIGHTS)


def write_with_data_file(folder: Path) -> Path:
    """Write the network as PyTorch's exporter does by default, and return its path."""
    path = folder / "net.onnx"
    onnx.save_model(make_network(), path, save_as_external_data=True, location=DATA, size_threshold=0)
    return path


def test_weights_beside_the_file_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "whole.onnx").write_bytes(make_network().SerializeToString())
    images = np.random.default_rng(0).integers(0, 256, (4, 9, 7, 2), dtype=np.uint8)
    expected = to_model(read_onnx(tmp_path / "whole.onnx")).logits(images)
    path = write_with_data_file(tmp_path)
    assert (tmp_path / DATA).stat().st_size > path.stat().st_size
    assert (to_model(read_onnx(path)).logits(images) == expected).all()
    monkeypatch.chdir(tmp_path)
    assert (to_model(read_onnx(path.name)).logits(images) == expected).all()


def test_the_digest_of_a_model_covers_both_files(tmp_path: Path):
    path = write_with_data_file(tmp_path)
    imported = cs.import_model(path, scaling=cs.Scaling()).provenance["imported"]
    assert imported["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert imported["weights_file"] == DATA
    assert imported["weights_file_sha256"] == hashlib.sha256((tmp_path / DATA).read_bytes()).hexdigest()


def _change_entries(path: Path, **entries: str) -> None:
    """Change where the file says that the first weight lies."""
    model = onnx.load(path, load_external_data=False)
    for entry in model.graph.initializer[0].external_data:
        entry.value = entries.get(entry.key, entry.value)
    path.write_bytes(model.SerializeToString())


@pytest.mark.parametrize(
    "name", ["/etc/passwd", "../net.onnx.data", "data/net.onnx.data", "..", "", "C:x", "a\\b", "a\0b"]
)
def test_only_a_file_in_the_same_folder_is_read(name: str, tmp_path: Path):
    path = write_with_data_file(tmp_path)
    model = onnx.load(path, load_external_data=False)
    for tensor in model.graph.initializer:
        tensor.external_data[0].value = name
    path.write_bytes(model.SerializeToString())
    with pytest.raises(InterchangeError, match="only a file beside it, named without a folder"):
        read_onnx(path)


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ({"length": "4"}, "'w' is said to have 4 bytes, but its shape has 216"),
        ({"length": "-1"}, "length is '-1'"),
        ({"offset": "9" * 15}, "but the weights end at"),
        ({"offset": "one"}, "offset is 'one'"),
        ({"location": "other.data"}, "in 2 other files"),
    ],
)
def test_sizes_are_checked_against_the_tensors(entries: dict[str, str], message: str, tmp_path: Path):
    path = write_with_data_file(tmp_path)
    _change_entries(path, **entries)
    with pytest.raises(InterchangeError, match=message) as caught:
        read_onnx(path)
    assert str(caught.value).startswith(f"{path}: ")


def test_a_missing_short_or_linked_file_is_named(tmp_path: Path):
    path = write_with_data_file(tmp_path)
    data = tmp_path / DATA
    content = data.read_bytes()
    data.write_bytes(content[:-1])
    with pytest.raises(
        InterchangeError, match=rf"'{DATA}' cannot be read \(it has 1,895 bytes, but the weights end at 1,896"
    ):
        read_onnx(path)
    data.unlink()
    with pytest.raises(InterchangeError, match=f"in '{DATA}', which is not beside it; copy both files"):
        read_onnx(path)
    (tmp_path / "real").write_bytes(content)
    data.symlink_to(tmp_path / "real")
    with pytest.raises(InterchangeError, match="is a link and is not followed"):
        read_onnx(path)
    data.unlink()
    os.mkfifo(data)
    with pytest.raises(InterchangeError, match="not a regular file"):
        read_onnx(path)


def test_overlapping_weights_are_refused(tmp_path: Path):
    path = write_with_data_file(tmp_path)
    model = onnx.load(path, load_external_data=False)
    for number in range(9):
        copy = model.graph.initializer.add()
        copy.CopyFrom(model.graph.initializer[1])
        copy.name = f"copy{number}"
    path.write_bytes(model.SerializeToString())
    with pytest.raises(InterchangeError, match="overlap"):
        read_onnx(path)


def test_only_weights_may_lie_outside(tmp_path: Path):
    model = make_network()
    constant = helper.make_node("Constant", [], ["c"], value=TensorProto(dims=[4], data_type=1))
    constant.attribute[0].t.external_data.add(key="location", value=DATA)
    model.graph.node.insert(0, constant)
    (tmp_path / "net.onnx").write_bytes(model.SerializeToString())
    (tmp_path / DATA).write_bytes(b"\0" * 16)
    with pytest.raises(InterchangeError, match="no weight of the network"):
        read_onnx(tmp_path / "net.onnx")
