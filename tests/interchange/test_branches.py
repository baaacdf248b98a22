"""Networks of several branches through ONNX files: the same logits, and the kinds of layers that were written."""

from pathlib import Path

import numpy as np
import pytest
from tests.random_networks import random_images, random_model

import convscope as cs
from convscope.architecture import Add, Branch, Concatenate, Conv2D, Dense, Flatten, GlobalAveragePooling2D, Layer
from convscope.interchange.onnx_files.reading import read_onnx
from convscope.interchange.onnx_files.writing import write_onnx

BLOCK: tuple[Layer, ...] = (
    Conv2D(4, 3, padding="same", activation="relu", name="stem"), Conv2D(6, 3, 2, "same", activation="relu"),
    Conv2D(6, 3, padding="same", name="long"), Branch("stem"), Conv2D(6, 1, 2, name="shortcut"),
    Add("long", "relu", name="sum"),
)  # fmt: skip
NETWORKS: dict[str, tuple[Layer, ...]] = {
    "a shortcut": (*BLOCK, GlobalAveragePooling2D(), Dense(3)),
    "joined maps": (
        *BLOCK, Branch("sum"), Conv2D(2, 1, name="one"), Branch("sum"), Conv2D(3, 3, padding="same", activation="tanh"),
        Concatenate("one", name="both"), Concatenate("sum"), Flatten(), Dense(3),
    ),
    "the image again": (
        Conv2D(4, 1, name="one"), Branch("input"), Conv2D(2, 1), Concatenate("one"), Flatten(), Dense(3),
    ),
}  # fmt: skip


def kinds_of(architecture: cs.Architecture) -> list[str]:
    """Return the kinds of the layers, but for branches from the layer before, which no node tells."""
    return [layer.kind for layer in architecture.layers if layer.kind != "Branch"]


@pytest.mark.parametrize("fold", [True, False])
@pytest.mark.parametrize("name", NETWORKS)
def test_branches_come_back_as_they_were_written(name: str, fold: bool, tmp_path: Path):
    architecture = cs.Architecture(cs.Input(8, 7, 2), NETWORKS[name])
    weights = {
        key: np.random.default_rng(1).normal(0, 0.5, shape).astype(np.float32)
        for key, shape in architecture.weight_shapes.items()
    }
    model = cs.Model(architecture, weights, ("a", "b", "c"))
    write_onnx(model, tmp_path / "model.onnx", fold=fold)
    found = read_onnx(tmp_path / "model.onnx")
    assert kinds_of(found.architecture) == kinds_of(architecture)
    images = random_images(architecture, np.random.default_rng(0), 5)
    logits, expected = found.to_model(model.class_names).logits(images), model.logits(images)
    assert np.abs(logits - expected).max() <= 1e-5 * np.abs(expected).max()


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.slow
def test_random_networks_give_the_same_logits(seed: int, tmp_path: Path):
    model = random_model(np.random.default_rng(seed))
    write_onnx(model, tmp_path / "model.onnx", fold=bool(seed % 2), opset=20)
    found = read_onnx(tmp_path / "model.onnx").to_model(model.class_names)
    images = random_images(model.architecture, np.random.default_rng(seed), 5)
    expected = model.logits(images)
    assert np.abs(found.logits(images) - expected).max() <= 1e-4 * np.abs(expected).max()
