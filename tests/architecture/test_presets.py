"""The preset networks: sizes, parameters, what they learn from few images, and a multiplied width."""

from dataclasses import replace
from pathlib import Path

import pytest

import convscope as cs
from convscope.architecture import BatchNormalization, presets
from convscope.architecture.presets import PRESETS, network_for, widen
from convscope.base.errors import ArchitectureError
from convscope.recipes import RECIPES


@pytest.mark.parametrize("name", PRESETS)
@pytest.mark.parametrize(("shape", "num_classes"), [((28, 28, 1), 10), ((20, 33, 3), 2), ((64, 64, 1), 47)])
def test_a_preset_is_for_any_image_size_and_number_of_classes(name: str, shape: tuple[int, int, int], num_classes: int):
    network = network_for(name, shape, num_classes)
    assert (network.name, network.input.shape, network.num_classes) == (name, shape, num_classes)
    assert network == PRESETS[name](shape, num_classes)


def test_the_presets_have_the_published_numbers_of_parameters():
    counts = {name: preset().parameters for name, preset in PRESETS.items()}
    assert counts == {
        "cnn": 108_618, "ann": 118_282, "lenet5": 61_706, "small": 5_258, "wide": 431_242, "deep": 72_666,
        "residual": 187_434,
        "tiny697": 679, "tiny2k": 1_970, "tiny8k": 7_610, "tiny25k": 22_466, "micro11k": 18_661,
    }  # fmt: skip
    assert sum(isinstance(layer, BatchNormalization) for layer in presets.deep().layers) == 6


@pytest.mark.parametrize(("name", "limit"), [("tiny697", 697), ("tiny2k", 2000), ("tiny8k", 8000), ("tiny25k", 25_000)])
def test_a_tiny_preset_has_at_most_the_parameters_of_its_name_and_trains_longer(name: str, limit: int):
    assert PRESETS[name]().parameters <= limit
    assert RECIPES[name].epochs > RECIPES["accurate"].epochs


@pytest.mark.slow
def test_the_network_for_microcontrollers_has_11_000_bytes_of_weights_in_its_header(
    small_mnist: cs.Splits, tmp_path: Path
):
    recipe = replace(RECIPES["micro11k"], epochs=1, batch_size=16)
    model, _ = cs.train("micro11k", small_mnist.train, recipe)
    options = cs.ExportOptions("int8", small_mnist.train.images[:100])
    cs.export_model(model, tmp_path / "micro.h", "c", options)
    # Kernels: 18,447 numbers of 4 bits, 9,224 bytes. Each of 102 filters has bias, multiplier and shift (9 bytes),
    # each of 51 normalized pooled maps a factor besides (10 bytes), each of 10 units a bias and a scale (8 bytes).
    assert "#define MICRO11K_WEIGHT_BYTES 10732\n" in (tmp_path / "micro.h").read_text()


@pytest.mark.slow
def test_the_smallest_preset_learns_by_its_recipe(small_mnist: cs.Splits):
    model, _ = cs.train(
        "tiny697", small_mnist.train.take(range(400)), replace(RECIPES["tiny697"], batch_size=16), seed=1, threads=1
    )
    assert cs.evaluate(model, small_mnist.test).accuracy > 0.6


@pytest.mark.parametrize("name", ["cnn", "lenet5", "small", "wide", "tiny697", "tiny2k", "tiny8k", "micro11k"])
def test_images_too_small_for_a_preset_are_refused_with_those_that_fit(name: str):
    with pytest.raises(ArchitectureError) as caught:
        network_for(name, (4, 9, 1), 10)
    text = str(caught.value)
    assert text.startswith(f"preset {name!r} does not fit images of 4 × 9 pixels (height × width): ")
    assert text.endswith("; presets that fit: ann, deep, residual")


@pytest.mark.parametrize("name", ["small", "lenet5", "deep", pytest.param("residual", marks=pytest.mark.slow)])
def test_a_preset_learns_from_few_images(name: str, small_mnist: cs.Splits):
    model, _ = cs.train(name, small_mnist.train.take(range(500)), cs.Recipe(epochs=2, batch_size=10), seed=1, threads=1)
    assert cs.evaluate(model, small_mnist.test).accuracy > 0.6


def test_a_width_multiplies_filters_and_units_but_not_the_classes():
    assert widen(presets.wide(), 0.5) == presets.cnn()
    half = widen(presets.deep((20, 20, 3), 5), 0.5)
    assert (half.name, half.num_classes, half.input.shape) == ("deep-x0.5", 5, (20, 20, 3))
    assert [layer.filters for layer in half.layers if hasattr(layer, "filters")] == [8, 8, 16, 16, 32, 32]
    assert widen(presets.small(), 0.001).parameters > 0  # each layer keeps at least one filter or unit
    assert widen(presets.cnn(), 1) == presets.cnn()


@pytest.mark.parametrize("width", [0, -1, 65, float("nan")])
def test_a_width_out_of_range_is_refused(width: float):
    with pytest.raises(ValueError, match=f"width is {width}; it must be above 0 and at most 64"):
        widen(presets.cnn(), width)
