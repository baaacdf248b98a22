"""Ten random Keras models with every layer keep their logits: Keras → convscope → Keras, ONNX, PyTorch and C."""

from pathlib import Path

import numpy as np
import pytest

import convscope as cs
from convscope.engine import initial_weights
from convscope.export import FORMATS
from convscope.export.onnx import write_onnx
from convscope.interchange.imported import Imported

from .keras_networks import LAYERS, keras_logits, random_keras_model

SEEDS = range(10)
TOLERANCE = 1e-4  # error of a logit, relative to the largest logit, or to 1 if that is less


@pytest.fixture(scope="module", params=SEEDS, ids=[f"seed {seed}" for seed in SEEDS])
def pair(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[cs.Model, np.ndarray, np.ndarray]:
    """A model that was read from a file of Keras, images, and the logits that Keras gives them."""
    keras_model, images = random_keras_model(request.param)
    path = tmp_path_factory.mktemp("keras") / "model.keras"
    keras_model.save(path)
    return cs.import_model(path), images, keras_logits(keras_model, images)


def tolerance_of(logits: np.ndarray) -> float:
    return TOLERANCE * max(1.0, float(np.abs(logits).max()))


@pytest.mark.parametrize("seed", SEEDS)
def test_each_model_has_every_layer(seed: int):
    model, _ = random_keras_model(seed)
    kinds = {type(layer).__name__ for layer in model.layers} | {"InputLayer"}
    assert kinds >= LAYERS
    assert {"GlobalAveragePooling2D", "GlobalMaxPooling2D"} & kinds or seed % 3 == 0


def test_the_model_answers_as_keras_does(pair: tuple[cs.Model, np.ndarray, np.ndarray]):
    model, images, expected = pair
    assert np.abs(model.logits(images) - expected).max() <= tolerance_of(expected)


@pytest.mark.parametrize("name", ["keras", "torch", "c"])
def test_the_exported_file_answers_the_same(pair: tuple[cs.Model, np.ndarray, np.ndarray], tmp_path: Path, name: str):
    model, images, expected = pair
    path = tmp_path / FORMATS[name].file_name("float32")
    cs.export_model(model, path, name)
    assert np.abs(FORMATS[name].open(path).logits(images) - expected).max() <= tolerance_of(expected)


@pytest.mark.parametrize("fold", [True, False])
def test_its_onnx_file_answers_the_same(pair: tuple[cs.Model, np.ndarray, np.ndarray], tmp_path: Path, fold: bool):
    model, images, expected = pair
    path = tmp_path / "model.onnx"
    write_onnx(model, path, fold=fold)
    assert np.abs(FORMATS["onnx"].open(path).logits(images) - expected).max() <= tolerance_of(expected)
    again = cs.import_model(path)
    assert np.abs(again.logits(images) - expected).max() <= tolerance_of(expected)


def test_its_keras_file_is_read_again(pair: tuple[cs.Model, np.ndarray, np.ndarray], tmp_path: Path):
    model, images, expected = pair
    path = tmp_path / "model.keras"
    cs.export_model(model, path, "keras")
    again = cs.import_model(path)
    assert again.weights_sha256 == model.weights_sha256
    assert again.class_names == model.class_names
    assert np.abs(again.logits(images) - expected).max() <= tolerance_of(expected)


@pytest.mark.parametrize("name", ["keras", "onnx", "torch", "tflite", "c"])
def test_dilation_and_groups_are_in_the_file(architectures: dict[str, cs.Architecture], tmp_path: Path, name: str):
    spread = architectures["dilation and groups"]
    one_by_one = cs.Conv2D(2 * spread.input.channels, (2, 3), groups=spread.input.channels, dilation_rate=(1, 2))
    architecture = cs.Architecture(spread.input, (one_by_one, *spread.layers))
    weights = {
        weight: value + np.float32(0.1) if weight.endswith("bias") else value
        for weight, value in initial_weights(architecture, 0).items()
    }
    model = Imported(architecture, weights).to_model()
    images = np.random.default_rng(0).integers(0, 256, (5, *architecture.input.shape), dtype=np.uint8)
    expected = model.logits(images)
    path = tmp_path / FORMATS[name].file_name("float32")
    cs.export_model(model, path, name)
    assert np.abs(FORMATS[name].open(path).logits(images) - expected).max() <= 1e-4 * np.abs(expected).max()
    if name in ("keras", "onnx", "torch"):
        again = cs.import_model(path)
        assert np.abs(again.logits(images) - expected).max() <= 1e-4 * np.abs(expected).max()
        assert [layer.window for layer in again.architecture.layers if layer.kind.endswith("Conv2D")] == [
            layer.window for layer in architecture.layers if layer.kind.endswith("Conv2D")
        ]


@pytest.mark.parametrize("name", ["keras", "torch", "tflite"])
def test_a_scaling_by_channel_is_in_the_file(tmp_path: Path, name: str):
    layers = (cs.Conv2D(4, 3, padding="same", activation="relu"), cs.Flatten(), cs.Dense(3))
    architecture = cs.Architecture(cs.Input(9, 8, 3, 1.0), layers)
    network = Imported(architecture, initial_weights(architecture, 0))
    model = network.apply_scaling(
        cs.Scaling(1 / 128, (0.1, 0.2, 0.3), (1.0, 0.5, 2.0), inverted=True, bgr=True)
    ).to_model()
    images = np.random.default_rng(0).integers(0, 256, (5, 9, 8, 3), dtype=np.uint8)
    expected = model.logits(images)
    path = tmp_path / FORMATS[name].file_name("float32")
    cs.export_model(model, path, name)
    assert np.abs(FORMATS[name].open(path).logits(images) - expected).max() <= tolerance_of(expected)
