"""Two networks layer by layer: an export is the same, a change is named, and weights are blamed for answers."""

from dataclasses import replace

import numpy as np
import pytest
from tests.onnx_models import SEEDS, make_model, random_images, random_model

import convscope as cs
from convscope.architecture import (
    Add,
    Architecture,
    BatchNormalization,
    Conv2D,
    Dense,
    Flatten,
    GlobalAveragePooling2D,
    Input,
)
from convscope.base.errors import ConvscopeError

LAYERS = (
    Conv2D(4, padding="same", name="first"), BatchNormalization(activation="relu", name="norm"),
    Conv2D(4, padding="same", activation="relu", name="second"), Add("norm", name="sum"),
    Flatten(), Dense(3, "softmax", name="last"),
)  # fmt: skip


def network(*layers) -> Architecture:
    return Architecture(Input(8, 8), layers or LAYERS)


def change(model: cs.Model, name: str, by: float) -> cs.Model:
    """Add `by` to the first number of a weight."""
    array = model.weights[name].copy()
    array.flat[0] += by
    return replace(model, weights={**model.weights, name: array})


@pytest.fixture(scope="module")
def model():
    return make_model(network(), 1)


@pytest.fixture(scope="module")
def images(model):
    return random_images(model, 60)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_random_network_and_its_onnx_file_have_the_same_layers_and_answers(seed, tmp_path):
    model = random_model(seed)
    cs.export_model(model, tmp_path / "model.onnx", "onnx")
    difference = cs.diff(model, tmp_path / "model.onnx", random_images(model, 20))
    # A normalisation that two layers read is copied when it is read from ONNX: seed 5 has such a one.
    assert seed == 5 or [layer.structure for layer in difference.layers if not layer.is_same_structure] == []
    assert difference.num_changed == 0
    assert difference.logits.is_rounding
    assert seed == 5 or all(layer.outputs.is_rounding for layer in difference.layers)
    assert "same to" in difference.sentence or difference.sentence.startswith("The networks are equal")


def test_equal_networks_are_called_equal(model, images):
    renamed = replace(model, architecture=replace(model.architecture, name="other"))
    assert cs.diff(model, renamed, images).sentence.startswith("The networks are equal")


def test_a_changed_weight_is_measured_where_it_is(model, images):
    difference = cs.diff(model, change(model, "second/bias", 0.5), images)
    first, second, total, last = difference.layers
    assert first.weights.equal
    assert second.weights.largest == pytest.approx(0.5)
    assert second.weights.mean == pytest.approx(0.5 / (4 * 4 * 9 + 4))
    assert last.weights.equal
    assert total.weights is None
    assert first.outputs.largest == 0 < second.outputs.largest
    expected = np.abs(model.logits(images) - change(model, "second/bias", 0.5).logits(images)).max()
    assert difference.logits.largest == pytest.approx(expected) == last.outputs.largest
    assert difference.sentences[0].startswith("Outputs differ first at second;")


@pytest.mark.parametrize(
    ("layers", "structures"),
    [
        ((LAYERS[0], BatchNormalization(activation="gelu", name="norm"), *LAYERS[2:]), ["activation relu → gelu"]),
        ((*LAYERS[:2], replace(LAYERS[2], kernel_size=5), *LAYERS[3:]),
         ["kernel size 3 × 3 → 5 × 5, zeros around 1 × 1 and 1 × 1 → 2 × 2 and 2 × 2"]),
        ((*LAYERS[:3], LAYERS[4], LAYERS[5]), ["Add, only in A", "Dense reads other layers"]),
        ((*LAYERS[:4], GlobalAveragePooling2D(), LAYERS[5]), ["GlobalAveragePooling2D, only in B"]),
    ],
)  # fmt: skip
def test_a_change_of_the_structure_is_described(model, images, layers, structures):
    difference = cs.diff(model, make_model(network(*layers), 1), images)
    changes = [layer.structure for layer in difference.layers if not layer.is_same_structure]
    assert changes[: len(structures)] == structures
    assert difference.sentences[0].startswith("The structure differs in ")


def test_layers_are_blamed_for_the_answers_that_their_weights_change(model, images):
    changed = change(change(model, "first/kernel", 2.0), "last/bias", 3.0)
    expected = model.predict(images)
    difference = cs.diff(model, changed, images)
    layers = {layer.a: layer for layer in difference.layers}
    for name, alone, without in (
        ("first", change(model, "first/kernel", 2.0), change(model, "last/bias", 3.0)),
        ("last", change(model, "last/bias", 3.0), change(model, "first/kernel", 2.0)),
    ):
        assert layers[name].changed_alone == (alone.predict(images) != expected).sum() > 0
        assert layers[name].changed_without == (without.predict(images) != expected).sum()
    assert difference.num_changed == (changed.predict(images) != expected).sum() > 0
    assert [row[0] for row in difference.swaps] == sorted(
        ("first", "last"), key=lambda name: -layers[name].changed_alone
    )
    first = difference.changed[0]
    assert model.class_names[expected[first.image]] == first.a != first.b


def test_networks_of_other_images_or_classes_are_compared_without_outputs(model):
    small = make_model(Architecture(Input(6, 6), LAYERS), 1)
    difference = cs.diff(model, small)
    assert difference.logits is None
    assert "A reads images of 8 × 8 × 1, B of 6 × 6 × 1." in difference.notes
    assert "No outputs were compared" in difference.sentence
    assert difference.layers[0].weights.largest == 0  # the same convolution, from the same random numbers


def test_a_scaling_in_the_first_weights_is_the_same_as_one_before_them(images):
    model = make_model(network(Conv2D(4), Flatten(), Dense(3)), 2)
    weights = {**model.weights, "conv2d/kernel": model.weights["conv2d/kernel"] / 255}
    image = replace(model.architecture.input, scale=1.0)
    folded = replace(model, architecture=replace(model.architecture, input=image), weights=weights)
    difference = cs.diff(model, folded, images)
    assert difference.notes == ()
    assert difference.is_same_structure
    assert difference.layers[0].weights.largest < 1e-8
    assert difference.sentence.startswith("They compute the same to ")


def test_equal_weights_behind_different_scalings_are_not_called_equal(images):
    model = make_model(network(BatchNormalization(), Flatten(), Dense(3)), 2)
    image = replace(model.architecture.input, scale=0.01)
    difference = cs.diff(model, replace(model, architecture=replace(model.architecture, input=image)), images)
    assert all(layer.weights.equal for layer in difference.layers)
    assert difference.sentence.startswith("Outputs differ first at batch_normalization;")


def test_logits_that_are_not_finite_are_refused(model, images):
    large = replace(model, weights={name: array * np.float32(1e20) for name, array in model.weights.items()})
    with pytest.raises(ConvscopeError, match="B gives logits that are not finite for these images; train it again"):
        cs.diff(model, large, images)


def test_given_images_are_taken_evenly_and_none_are_refused(model, images):
    many = np.repeat(images[:2], 1000, axis=0)
    moved = change(model, "last/bias", 0.1)
    assert cs.diff(model, moved, many).num_images == 1000
    assert cs.diff(model, moved, many).logits.largest_output == cs.diff(model, moved, images[:2]).logits.largest_output
    with pytest.raises(ValueError, match="images is empty; give at least one, or None for random ones"):
        cs.diff(model, moved, images[:0])
