"""What 8 bits change in each layer: the simulation against exported files, and a layer that 8 bits spoil."""

from pathlib import Path

import numpy as np
import pytest
from tests.random_networks import random_images, random_model

import convscope as cs
from convscope.export import ExportOptions, export_model
from convscope.export.formats import FORMATS
from convscope.export.quantization_loss import measure_layers_in_int8

IMAGES = np.random.default_rng(0).integers(0, 256, (200, 1, 5, 1), np.uint8)
IMAGES[:, 0, 0] = 0


def make_spoiled_model() -> cs.Model:
    """Make a network whose layer `spoiled` has a weight that no image uses, 1,000 times as large as the others."""
    kernel = np.random.default_rng(1).normal(size=(5, 3)).astype(np.float32)
    kernel[0] = 1000
    layers = (cs.Flatten(), cs.Dense(3, name="spoiled"), cs.Dense(3, name="copy"))
    weights = {"spoiled/kernel": kernel, "copy/kernel": np.eye(3, dtype=np.float32)}
    biases = {f"{name}/bias": np.zeros(3, np.float32) for name in ("spoiled", "copy")}
    return cs.Model(cs.Architecture(cs.Input(1, 5), layers), weights | biases, ("a", "b", "c"))


@pytest.mark.parametrize("name", ["c", "onnx"])
def test_a_layer_that_8_bits_spoil_is_first_and_keeping_it_in_float_helps(name: str, tmp_path: Path) -> None:
    model, path = make_spoiled_model(), tmp_path / f"x{FORMATS[name].suffix}"
    loss = measure_layers_in_int8(model, IMAGES, IMAGES, name)
    first, second = loss.layers
    assert (loss.num_images, first.layer, second.layer) == (200, "spoiled", "copy")
    assert first.without is not None
    assert min(loss.total.num_changed, first.alone.num_changed) > 50
    assert max(second.alone.num_changed, first.without.num_changed) < 10
    for float_layers, changed in (((), loss.total.num_changed), (("spoiled",), first.without.num_changed)):
        export_model(model, path, name, ExportOptions("int8", IMAGES, float_layers=float_layers))
        logits = FORMATS[name].open(path).logits(IMAGES)
        assert abs((logits.argmax(axis=1) != model.predict(IMAGES)).sum() - changed) <= 3
    assert measure_layers_in_int8(model, IMAGES, IMAGES, name, ("spoiled",)).total == first.without


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("name", ["c", "onnx"])
def test_all_layers_together_differ_as_the_file_does(name: str, seed: int, tmp_path: Path) -> None:
    rng = np.random.default_rng(seed)
    model, path = random_model(rng, for_8_bits=True), tmp_path / f"x{FORMATS[name].suffix}"
    images = random_images(model.architecture, rng, 60)
    export_model(model, path, name, ExportOptions("int8", images))
    largest = np.abs(FORMATS[name].open(path).logits(images) - model.logits(images)).max()
    total = measure_layers_in_int8(model, images, images, name).total
    assert total.largest == pytest.approx(largest, rel=0.5)
