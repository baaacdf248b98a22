"""Networks of several branches that Keras and PyTorch made, read as a list of layers: the same logits."""

import warnings
from pathlib import Path

import keras
import numpy as np
import pytest
import torch
from tests.interoperability.test_keras_files import assert_same, images_for, models_of, randomized, saved
from tests.interoperability.test_onnx_torch import EXPORTERS, compare, log_softmax, shaken
from tests.random_networks import random_images, random_weights
from torch import nn

import convscope as cs
from convscope.interchange import FORMATS, ExportOptions, read_network
from convscope.interchange.keras_files import from_keras

from .conftest import ARCHITECTURES

layers = keras.layers


def shortcut(given):
    """A ResNet block that changes the size, and one that does not."""
    x = layers.Conv2D(4, 3, padding="same", activation="relu")(layers.Rescaling(1 / 255)(given))
    y = layers.Conv2D(6, 3, 2, "same", use_bias=False)(x)
    y = layers.ReLU()(layers.BatchNormalization()(y))
    y = layers.BatchNormalization()(layers.Conv2D(6, 3, padding="same")(y))
    x = layers.ReLU()(layers.Add()([layers.Conv2D(6, 1, 2)(x), y]))
    x = x + layers.Conv2D(6, 3, padding="same", activation="gelu")(x)
    return layers.GlobalAveragePooling2D()(x)


def inception(given):
    """Four branches from the image, joined, with their maps and their means joined once more."""
    x = layers.Rescaling(1 / 255)(given)
    one = layers.Conv2D(3, 1, activation="relu")(x)
    three = layers.Conv2D(4, 3, padding="same", activation="relu")(layers.Conv2D(2, 1)(x))
    five = layers.LeakyReLU(negative_slope=0.1)(layers.Conv2D(2, 5, padding="same")(x))
    pool = layers.Conv2D(2, 1)(layers.MaxPooling2D(3, 1, "same")(x))
    x = layers.Concatenate()([one, three, five, pool])
    flat = layers.Dense(6, activation="tanh")(layers.Flatten()(layers.MaxPooling2D(3)(x)))
    return layers.Concatenate()([flat, layers.GlobalMaxPooling2D()(layers.Conv2D(5, 3)(x))])


def shared(given):
    """A layer and a model that are used twice each, and a sum of three."""
    convolution = layers.Conv2D(3, 3, padding="same", activation="relu", name="twice")
    inner = layers.Input((9, 8, 3))
    block = keras.Model(inner, layers.Conv2D(3, 3, padding="same")(layers.BatchNormalization()(inner)), name="block")
    x = convolution(layers.Rescaling(1 / 255)(given))
    y = convolution(x)
    return layers.Flatten()(layers.Add()([block(x), y, block(y)]))


@pytest.mark.parametrize("body", [shortcut, inception, shared])
def test_a_model_of_keras_gives_the_same_logits(body, tmp_path: Path):
    given = layers.Input((9, 8, 3))
    model = randomized(keras.Model(given, layers.Dense(5, activation="softmax")(body(given))), 3)
    images = images_for((9, 8, 3))
    read = saved(model, tmp_path)
    assert_same(model, [*models_of(read), from_keras(model)], images)
    if body is shared:
        assert any("`twice` is used more than once" in note for note in read[0].notes)


class Branches(nn.Module):
    """A shortcut with a convolution, two branches joined, and a module that is called twice."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.twice = nn.Conv2d(3, 4, 3, padding=1), nn.Conv2d(4, 4, 3, padding=1)
        self.long = nn.Sequential(nn.Conv2d(4, 6, 3, 2, 1), nn.BatchNorm2d(6), nn.ReLU(), nn.Conv2d(6, 6, 3, padding=1))
        self.down = nn.Sequential(nn.Conv2d(4, 6, 1, 2, bias=False), nn.BatchNorm2d(6))
        self.one, self.three = nn.Conv2d(6, 2, 1), nn.Conv2d(6, 3, 3, padding=1)
        self.head = nn.Linear(11 * 6 * 7 + 6, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.twice(torch.relu(self.twice(torch.relu(self.stem(x)))))
        x = torch.relu(self.down(x) + self.long(x))
        pool = nn.functional.max_pool2d(x, 3, 1, 1)
        joined = torch.cat([torch.relu(self.one(x)), self.three(x), pool], 1)
        return self.head(torch.cat([joined.flatten(1), x.mean((2, 3))], 1))


@pytest.mark.parametrize("exporter", EXPORTERS)
def test_a_network_of_pytorch_gives_the_same_logits_through_onnx(exporter: str, tmp_path: Path):
    architecture = compare(shaken(Branches()), (12, 14, 3), tmp_path / "m.onnx", exporter)
    assert {"Branch", "Concatenate"} <= {layer.kind for layer in architecture.layers}


@pytest.mark.parametrize("is_decomposed", [False, True])
def test_a_program_of_pytorch_gives_the_same_logits(is_decomposed: bool, tmp_path: Path):
    module = shaken(Branches())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        shapes = ({0: torch.export.Dim("N")},)
        program = torch.export.export(module, (torch.zeros(2, 3, 12, 14),), dynamic_shapes=shapes)
        program = program.run_decompositions() if is_decomposed else program
        torch.export.save(program, tmp_path / "net.pt2")
    found = read_network(tmp_path / "net.pt2", image_shape=(12, 14, 3)).scaled(cs.Scaling()).to_model()
    images = images_for((12, 14, 3))
    with torch.no_grad():
        expected = module(torch.from_numpy(images).permute(0, 3, 1, 2).float() / 255).numpy()
    for model in (found, cs.from_torch(module, (12, 14, 3), scaling=cs.Scaling())):
        np.testing.assert_allclose(log_softmax(model.logits(images)), log_softmax(expected), atol=1e-4)


@pytest.fixture(scope="module")
def written() -> tuple[cs.Model, np.ndarray, np.ndarray]:
    """A model of ours with every kind of branch, images, and its logits."""
    architecture, rng = ARCHITECTURES["branches"], np.random.default_rng(4)
    model = cs.Model(architecture, random_weights(architecture, rng), tuple("abcde"))
    images = random_images(architecture, rng, 40)
    return model, images, model.logits(images)


@pytest.mark.parametrize("name", FORMATS)
def test_each_export_gives_the_same_logits(written, name: str, tmp_path: Path):
    model, images, expected = written
    path = tmp_path / FORMATS[name].file_name("float32")
    cs.export_model(model, path, name)
    for logits in (
        FORMATS[name].open(path).logits(images),
        *([cs.import_model(path).logits(images)] if name in ("safetensors", "keras", "onnx") else []),
    ):
        assert np.abs(logits - expected).max() <= 1e-4 * np.abs(expected).max()


@pytest.mark.parametrize("name", ["onnx", "tflite", "c"])
def test_each_export_in_8_bits_gives_nearly_the_same_logits(written, name: str, tmp_path: Path):
    model, images, expected = written
    path = tmp_path / FORMATS[name].file_name("int8")
    calibration = random_images(model.architecture, np.random.default_rng(5), 400)
    cs.export_model(model, path, name, ExportOptions("int8", calibration))
    logits = FORMATS[name].open(path).logits(images)
    assert np.abs(logits - expected).max() <= 0.15 * np.abs(expected).max()
