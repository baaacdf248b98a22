"""Layers models of TensorFlow.js: read with their shards, whole or quantised, and refused when something is wrong."""

import json

import numpy as np
import pytest

import convscope as cs
from convscope.interchange import read_network

from .keras_archives import archive, hdf5, small

CONFIG, ARRAYS = small()
WEIGHTS = dict(
    zip(("conv2d_7/kernel", "conv2d_7/bias", "dense_2/kernel", "dense_2/bias"), ARRAYS.values(), strict=True)
)


def write(folder, weights=WEIGHTS, cut=None, change=None, paths=("group1-shard1of2.bin", "group1-shard2of2.bin")):
    """Write model.json and its two shards, the first with `cut` bytes, after `change(description)`."""
    entries, content = [], b""
    for name, array in weights.items():
        entry = {"name": name, "shape": array.shape, "dtype": "float32"}
        if array.dtype == np.float16:
            entry["quantization"] = {"dtype": "float16", "original_dtype": "float32"}
        elif array.dtype != np.float32:
            entry["quantization"] = {"dtype": array.dtype.name, "scale": 0.01, "min": -1.0}
        entries.append(entry)
        content += array.tobytes()
    description = {
        "format": "layers-model",
        "modelTopology": {"keras_version": "2.15.0", "model_config": CONFIG},
        "weightsManifest": [{"paths": list(paths), "weights": entries}],
    }
    if change is not None:
        change(description)
    cut = len(content) // 3 + 1 if cut is None else cut
    for path, part in zip(paths, (content[:cut], content[cut:]), strict=True):
        target = folder / path.removeprefix("./")
        if target.parent == folder:
            target.write_bytes(part)
    (folder / "model.json").write_text(json.dumps(description))
    return folder / "model.json"


@pytest.mark.parametrize("paths", [("a.bin", "b.bin"), ("./model.weights.bin", "./second.bin")])
def test_it_is_read_like_the_keras_file_of_the_same_model(tmp_path, paths):
    path = write(tmp_path, paths=paths)
    (tmp_path / "model.keras").write_bytes(archive(CONFIG, hdf5(ARRAYS)))
    imported, expected = read_network(path), read_network(tmp_path / "model.keras")
    assert imported.architecture == expected.architecture
    for name, array in expected.weights.items():
        np.testing.assert_array_equal(imported.weights[name], array)
    assert imported.program == "TensorFlow.js, 2.15.0"
    assert cs.import_model(path, scaling=cs.Scaling()).provenance["imported"]["weights_file"] == paths[0].strip("./")


def test_its_description_goes_with_weights_of_keras(tmp_path):
    path = write(tmp_path)
    names = {"conv2d_7": "conv2d", "dense_2": "dense"}
    arrays = {
        f"layers/{names[name.split('/')[0]]}/vars/{i % 2}": array for i, (name, array) in enumerate(WEIGHTS.items())
    }
    (tmp_path / "some.weights.h5").write_bytes(hdf5(arrays))
    imported = read_network(tmp_path / "some.weights.h5", architecture=path)
    np.testing.assert_array_equal(imported.weights["dense_2/kernel"], WEIGHTS["dense_2/kernel"])


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float16])
def test_quantised_weights_are_the_numbers_that_they_stand_for(tmp_path, dtype):
    if dtype == np.float16:
        weights = {name: array.astype(dtype) for name, array in WEIGHTS.items()}
        expected = weights["dense_2/kernel"].astype(np.float32)
    else:
        weights = {name: np.arange(array.size).astype(dtype).reshape(array.shape) for name, array in WEIGHTS.items()}
        expected = (weights["dense_2/kernel"] * 0.01 - 1).astype(np.float32)
    np.testing.assert_allclose(read_network(write(tmp_path, weights)).weights["dense_2/kernel"], expected, rtol=1e-6)


def test_a_model_that_tensorflow_js_made_itself_has_its_configuration_one_level_higher(tmp_path):
    path = write(
        tmp_path, change=lambda model: model.update(modelTopology={**CONFIG, "keras_version": "tfjs-layers 4"})
    )
    assert read_network(path).program == "TensorFlow.js, tfjs-layers 4"


def _graph_model(model):
    model.update(format="graph-model", modelTopology={"node": []})


FAULTS = {
    "a graph model": ({"change": _graph_model}, "has lost its layers"),
    "no layers": ({"change": lambda model: model.pop("modelTopology")}, "names weights but no layers"),
    "no list": ({"change": lambda model: model.update(weightsManifest={"a": 1})}, "`weightsManifest` is damaged"),
    "an unknown type": (
        {"change": lambda model: model["weightsManifest"][0]["weights"][0].update(dtype="complex64")}, "is damaged",
    ),
    "a negative size": (
        {"change": lambda model: model["weightsManifest"][0]["weights"][0].update(shape=[-1, 3, 1, 2])}, "only small",
    ),
    "another folder": ({"paths": ("../up.bin", "b.bin")}, "named without a folder"),
    "a weight too few": ({"weights": dict(list(WEIGHTS.items())[:3])}, "weight bias of the layer 'dense_2' is"),
    "a wrong shape": ({"weights": {**WEIGHTS, "dense_2/bias": np.zeros(4, np.float32)}}, "has the shape"),
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_called_by_its_name(tmp_path, fault):
    arguments, message = FAULTS[fault]
    with pytest.raises(cs.ConvscopeError, match=message):
        read_network(write(tmp_path, **arguments))


@pytest.mark.parametrize(("change", "message"), [("missing", "not beside it"), ("short", "copy them again")])
def test_a_missing_or_short_shard_is_named(tmp_path, change, message):
    path = write(tmp_path)
    shard = tmp_path / "group1-shard2of2.bin"
    if change == "missing":
        shard.unlink()
    else:
        shard.write_bytes(shard.read_bytes()[:-4])
    with pytest.raises(cs.ConvscopeError, match=message):
        read_network(path)


def test_the_folder_leads_to_its_file(tmp_path):
    with pytest.raises(cs.ConvscopeError, match=r"import .*model\.json"):
        read_network(write(tmp_path).parent)
