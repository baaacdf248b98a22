"""Overlong names, in any file or argument, are refused with a short error, and cutting a name takes linear time."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from time import perf_counter

import numpy as np
import pytest
from tests.interchange.keras_files.keras_archives import archive, hdf5, small

import convscope as cs
from convscope.base.errors import ConvscopeError
from convscope.base.tables import clip
from convscope.engine import initial_weights

IMAGES = np.arange(12 * 16, dtype=np.uint8).reshape(12, 4, 4)
LABELS = np.arange(12) % 3
LONG = [10_000, 1_000_000]

pytestmark = pytest.mark.slow


def names(length: int) -> list[str]:
    return ["a" * length, "b", "c"]


def npz(path: Path, length: int, **more: object) -> Path:
    np.savez(path / "data.npz", **{"images": IMAGES, "labels": LABELS, "class_names": names(length), **more})
    return path / "data.npz"


def csv(path: Path, length: int) -> Path:
    rows = [[names(length)[label], *image.ravel()] for label, image in zip(LABELS, IMAGES, strict=True)]
    header = ",".join(["label", *(f"pixel{index}" for index in range(16))])
    (path / "data.csv").write_text("\n".join([header, *(",".join(map(str, row)) for row in rows)]))
    return path / "data.csv"


def parquet(path: Path, length: int) -> Path:
    pa, pq = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    pixels = [image.tolist() for image in IMAGES]
    features = {"info": {"features": {"label": {"names": names(length), "_type": "ClassLabel"}}}}
    table = pa.table({"image": pixels, "label": LABELS})
    pq.write_table(table.replace_schema_metadata({"huggingface": json.dumps(features)}), path / "data.parquet")
    return path / "data.parquet"


def model(path: Path, length: int, **changes: object) -> Path:
    """Write a model file and change the description in its header, which `save_model` would refuse."""
    network = cs.presets.ann((4, 4, 1), 3)
    cs.save_model(cs.Model(network, initial_weights(network, 0), tuple("xyz")), path / "model.safetensors")
    content = (path / "model.safetensors").read_bytes()
    size = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + size])
    description = json.loads(header["__metadata__"]["convscope"])
    description |= changes or {"class_names": names(length)}
    header["__metadata__"]["convscope"] = json.dumps(description)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    (path / "model.safetensors").write_bytes(len(text).to_bytes(8, "little") + text + content[8 + size :])
    return path / "model.safetensors"


def of_network(path: Path, length: int) -> Path:
    return model(path, length, architecture={**cs.presets.ann((4, 4, 1), 3).to_dict(), "name": "a" * length})


def of_layer(path: Path, length: int) -> Path:
    value = cs.presets.ann((4, 4, 1), 3).to_dict()
    value["layers"][0]["name"] = "a" * length
    return model(path, length, architecture=value)


def keras(path: Path, length: int) -> Path:
    config, arrays = small()
    description = {"convscope.json": json.dumps({"class_names": names(length)})}
    (path / "net.keras").write_bytes(archive(config, hdf5(arrays), **description))
    return path / "net.keras"


def onnx(path: Path, length: int) -> Path:
    pytest.importorskip("onnx")
    from onnx import load, save

    from convscope.export.onnx import write_onnx

    network = cs.presets.ann((4, 4, 1), 3)
    write_onnx(cs.Model(network, initial_weights(network, 0), tuple("xyz")), path / "net.onnx")
    proto = load(path / "net.onnx")
    next(prop for prop in proto.metadata_props if prop.key == "class_names").value = json.dumps(names(length))
    save(proto, path / "net.onnx")
    return path / "net.onnx"


READERS: dict[str, tuple[Callable[[Path, int], Path], Callable[[Path], object]]] = {
    "npz": (npz, cs.load_dataset),
    "npz labels": (lambda path, n: npz(path, 1, labels=np.array(names(n))[LABELS]), cs.load_dataset),
    "csv": (csv, cs.load_dataset),
    "parquet": (parquet, cs.load_dataset),
    "model": (model, cs.load_model),
    "network": (of_network, cs.load_model),
    "layer": (of_layer, cs.load_model),
    "keras": (keras, cs.import_model),
    "onnx": (onnx, cs.import_model),
}


@pytest.mark.parametrize("length", LONG)
@pytest.mark.parametrize("name", READERS)
def test_a_file_with_a_long_name_is_one_short_error(name: str, length: int, tmp_path: Path):
    write, read = READERS[name]
    path, start = write(tmp_path, length), perf_counter()
    with pytest.raises(ConvscopeError, match=r"[\d,]{6,} characters; the limit is (255|131,072)") as caught:
        read(path)
    assert str(path) in str(caught.value)
    assert len(str(caught.value)) < 500
    assert perf_counter() - start < 5


@pytest.mark.parametrize("length", LONG)
def test_a_long_name_in_python_is_one_short_error(length: int):
    message = re.escape(f"{length:,} characters; the limit is 255")
    with pytest.raises(ValueError, match=message):
        cs.Dataset.from_arrays(IMAGES, LABELS, class_names=names(length))
    with pytest.raises(ValueError, match=message):
        cs.Dataset.from_arrays(IMAGES, LABELS, name="a" * length)
    with pytest.raises(ValueError, match=message):
        cs.Dataset.from_arrays(IMAGES, np.array(names(length))[LABELS])
    with pytest.raises(cs.ConvscopeError, match=message):
        cs.Recipe(name="a" * length)


def test_cutting_a_text_takes_time_in_proportion_to_it():
    start = perf_counter()
    assert clip("a" * 500_000, 4) == "aaa…"
    assert perf_counter() - start < 5
