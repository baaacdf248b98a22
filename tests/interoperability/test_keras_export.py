"""Models exported to Keras, in memory and as files that Keras opens without convscope."""

import itertools
import json
import zipfile

import numpy as np
import pytest

from convscope.architecture import Architecture, AveragePooling2D, Dense, Flatten, Input
from convscope.base.errors import ConvscopeError, EngineError
from convscope.engine import initial_weights
from convscope.engine.keras import backend_name, load_keras
from convscope.export.keras import DESCRIPTION, open_keras, to_keras, write_keras
from convscope.training.model import Model

pytestmark = pytest.mark.filterwarnings("default")  # warnings of the backends are not errors here


@pytest.fixture
def model(architecture, weights):
    names = tuple(f"<b>é {number}" for number in range(architecture.num_classes))
    return Model(architecture, weights, names, {"dataset": "a/b"}, {"temperature": 2.0})


def numbers(tensor):
    return load_keras().ops.convert_to_numpy(tensor)


def test_a_written_file_gives_the_same_logits(model, images, tmp_path):
    path = tmp_path / "new folder" / "model.keras"
    write_keras(model, path)
    runner, expected = open_keras(path), model.logits(images)
    logits = runner.logits(images)
    assert logits.dtype == np.float32
    assert np.abs(logits - expected).max() < 1e-5 * max(1, np.abs(expected).max())
    assert runner.runtime.startswith(f"Keras {load_keras().__version__} on ")
    outputs = load_keras().saving.load_model(path)(images.astype(np.float32))
    np.testing.assert_allclose(numbers(outputs["probabilities"]), model.probabilities(images), atol=1e-5)
    assert [entry.name for entry in path.parent.iterdir()] == ["model.keras"]


@pytest.mark.parametrize("output", ["logits", "probabilities"])
def test_a_plain_model_gives_one_output_and_keeps_the_names(model, images, output):
    exported, has_branches = to_keras(model, output=output), bool(model.architecture.read_again)
    expected = getattr(model, output)(images)
    assert np.abs(numbers(exported(images)) - expected).max() < 1e-5 * max(1, np.abs(expected).max())
    assert isinstance(exported, load_keras().Sequential) != has_branches
    names = [layer.name for layer in model.architecture.layers]
    kept = [layer.name for layer in exported.layers if layer.name in names]
    assert kept == names or (has_branches and sorted(kept) == sorted(names))  # Keras may order branches otherwise
    assert exported.count_params() == sum(weight.size for weight in model.weights.values())


def test_a_file_describes_its_classes_and_architecture(model, tmp_path):
    write_keras(model, tmp_path / "model.keras")
    with zipfile.ZipFile(tmp_path / "model.keras") as file:
        description = json.loads(file.read(DESCRIPTION))
    assert description["class_names"] == list(model.class_names)
    assert description["architecture"] == model.architecture.to_dict()
    assert description["weights_sha256"] == model.weights_sha256


def test_open_keras_refuses_a_file_that_is_missing_damaged_or_has_no_logits(architectures, tmp_path):
    (tmp_path / "bytes.keras").write_bytes(b"PK\x03\x04" + bytes(100))  # begins as a zip archive does
    for name in ("none.keras", "bytes.keras"):
        with pytest.raises(ConvscopeError, match="Keras cannot open it"):
            open_keras(tmp_path / name)
    architecture = architectures["no dense layer"]
    model = Model(architecture, zero_weights(architecture), ("a", "b", "c"))
    to_keras(model, output="logits").save(tmp_path / "plain.keras")
    with pytest.raises(ConvscopeError, match="without an output 'logits'"):
        open_keras(tmp_path / "plain.keras")


def test_write_keras_refuses_another_suffix(architectures, tmp_path):
    architecture = architectures["no dense layer"]
    model = Model(architecture, zero_weights(architecture), ("a", "b", "c"))
    with pytest.raises(ConvscopeError, match=r"model\.h5: Keras opens only files whose names end in"):
        write_keras(model, tmp_path / "model.h5")


def zero_weights(architecture):
    return {name: np.zeros(shape, np.float32) for name, shape in architecture.weight_shapes.items()}


@pytest.mark.parametrize("size", [(5, 8), (6, 7)])
def test_means_over_windows_that_reach_over_edges_are_right_or_refused(size: tuple[int, int]):
    images = np.random.default_rng(0).integers(0, 256, (3, *size, 1), np.uint8)
    num_converted = 0
    for rows, columns, strides in itertools.product((1, 2, 3, 4), (2, 3), (1, 2)):
        layers = (AveragePooling2D((rows, columns), strides, "same"), Flatten(), Dense(3))
        network = Architecture(Input(*size), layers)
        model = Model(network, initial_weights(network, 0), ("a", "b", "c"))
        try:
            logits = to_keras(model, output="logits").predict(images, verbose=0)
        except EngineError:
            # Keras on PyTorch counts zeros in the mean of windows of 3 or more where they lie unevenly around the map.
            assert backend_name() == "torch"
            continue
        assert np.abs(logits - model.logits(images)).max() < 1e-5
        num_converted += 1
    assert num_converted >= 7 if backend_name() == "torch" else num_converted == 16
