"""Both methods against closed forms, finite differences and hand-worked cases."""

import numpy as np
import pytest
from tests.noise import init_model

from convscope.architecture import Architecture, Conv2D, Dense, Flatten, Input, MaxPooling2D, presets
from convscope.evidence.explanation.attributions import METHODS, attribute
from convscope.training.model import Model

NAMES = ("a", "b", "c")


def linear_model(shape=(6, 5, 2), scale=1 / 255, offset=0.0) -> Model:
    """Make a model whose logits are x · W + b, so that every attribution has a closed form."""
    architecture = Architecture(Input(*shape, scale=scale, offset=offset), (Flatten(), Dense(3, "softmax")), "linear")
    random = np.random.default_rng(3)
    weights = {name: random.normal(size=size) for name, size in architecture.weight_shapes.items()}
    return Model(architecture, weights, NAMES)


def small_model(shape=(12, 10, 1)) -> Model:
    layers = (Conv2D(4, 3, activation="relu"), MaxPooling2D(), Conv2D(3, 3, activation="tanh"), Flatten(), Dense(3))
    return init_model(Architecture(Input(*shape), layers, "small"), NAMES, 1)


def some_images(shape, count=4):
    return np.random.default_rng(0).integers(0, 256, (count, *shape), dtype=np.uint8)


TARGETS = np.array([0, 1, 2, 1])


@pytest.mark.parametrize(("scale", "offset", "background"), [(1 / 255, 0.0, 0), (2 / 255, -1.0, 255), (1.0, 3.0, 17)])
def test_every_method_has_a_closed_form_for_a_linear_model(scale, offset, background):
    model = linear_model(scale=scale, offset=offset)
    images = some_images((6, 5, 2))
    kernels = model.weights["dense/kernel"].T.reshape(3, 6, 5, 2)[TARGETS].astype(np.float64)
    products = ((images.astype(np.float64) - background) * scale * kernels).sum(axis=3)
    for method in METHODS:
        maps = attribute(model, images, TARGETS, method, background=background)
        np.testing.assert_allclose(maps, products, rtol=2e-5, atol=1e-6 * np.abs(products).max(), err_msg=method)


def test_the_gradient_equals_finite_differences():
    layers = (Conv2D(4, 3, activation="tanh"), Flatten(), Dense(3))  # smooth, so that a grey level is a small step
    model = init_model(Architecture(Input(9, 8), layers, "smooth"), NAMES, 2)
    images = some_images((9, 8, 1), 1) // 2 + 60
    map_ = attribute(model, images, np.array([2]), "gradient_times_input")[0]
    for row, column in [(0, 0), (3, 4), (6, 7), (8, 2)]:
        up, down = images.copy(), images.copy()
        up[0, row, column] += 8
        down[0, row, column] -= 8
        rise = float(model.logits(up)[0, 2]) - float(model.logits(down)[0, 2])
        assert map_[row, column] == pytest.approx(rise / 16 * images[0, row, column, 0], rel=0.01, abs=1e-4)


def test_integrated_gradients_add_up_to_the_rise_of_the_logit():
    model, images = small_model(), some_images((12, 10, 1))
    for background in (0, 128):
        sums = attribute(model, images, TARGETS, "integrated_gradients", background=background).sum(axis=(1, 2))
        blank = np.full((1, 12, 10, 1), background, np.uint8)
        rise = model.logits(images)[np.arange(4), TARGETS] - model.logits(blank)[0, TARGETS]
        np.testing.assert_allclose(sums, rise, atol=0.02 * np.abs(rise).max())  # the integral is a sum of few steps


@pytest.mark.parametrize(("shape", "classes"), [((8, 8, 3), 2), ((28, 28, 1), 100), ((33, 64, 3), 3), ((5, 5, 1), 4)])
def test_every_method_gives_finite_maps_for_any_size(shape, classes):
    model = init_model(presets.cnn(shape, classes) if min(shape[:2]) > 9 else presets.ann(shape, classes))
    images = some_images(shape, 2)
    for method in METHODS:
        maps = attribute(model, images, np.array([0, classes - 1]), method)
        assert maps.shape == (2, *shape[:2])
        assert np.isfinite(maps).all()


@pytest.mark.parametrize(
    ("method", "targets", "background", "message"),
    [
        ("magic", TARGETS, 0, "method is 'magic'; it must be one of gradient_times_input"),
        ("gradient_times_input", TARGETS[:2], 0, r"targets have shape \(2,\) for 4 images"),
        ("integrated_gradients", np.array([0, 1, 2, 3]), 0, "labels run from 0 to 3"),
        ("gradient_times_input", TARGETS, 256, "background is 256; it must be a grey level"),
    ],
)
def test_attribute_rejects_invalid_arguments(method, targets, background, message):
    with pytest.raises(ValueError, match=message):
        attribute(linear_model(), some_images((6, 5, 2)), targets, method, background=background)
