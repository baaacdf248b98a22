"""Test-time augmentation: the views of an image are its shifts by one pixel, and their probabilities are averaged."""

import numpy as np
import pytest
from tests.noise import init_model

from convscope.architecture import Architecture, Conv2D, Dense, Flatten, Input
from convscope.engine import ENGINES, open_network
from convscope.training.model import Model
from convscope.training.views import SHIFTS, average_views, shift_images


def make_model(height=9, width=7, channels=3, **arguments):
    layers = (Conv2D(4, 1), Flatten(), Dense(3, "softmax"))
    return init_model(Architecture(Input(height, width, channels), layers), **arguments)


def images(count=6, height=9, width=7, channels=3):
    return np.random.default_rng(0).integers(0, 256, (count, height, width, channels), dtype=np.uint8)


def softmax(logits):
    exponentials = np.exp(logits.astype(np.float64))
    return exponentials / exponentials.sum(axis=1, keepdims=True)


def shift_by_padding(batch, down, right):
    """Shift images with NumPy's own padding."""
    wide = np.pad(batch, ((0, 0), (1, 1), (1, 1), (0, 0)), mode="edge")
    return wide[:, 1 - down : wide.shape[1] - 1 - down, 1 - right : wide.shape[2] - 1 - right]


def test_a_view_is_the_image_moved_by_one_pixel_with_its_border_repeated():
    image = np.arange(9, dtype=np.uint8).reshape(1, 3, 3, 1)
    assert shift_images(image, 1, 0)[0, ..., 0].tolist() == [[0, 1, 2], [0, 1, 2], [3, 4, 5]]
    assert shift_images(image, 0, -1)[0, ..., 0].tolist() == [[1, 2, 2], [4, 5, 5], [7, 8, 8]]


def test_the_views_are_the_image_and_all_its_shifts_by_one_pixel_each_once():
    assert SHIFTS[0] == (0, 0)
    assert sorted(SHIFTS[:5]) == sorted((down, right) for down, right in SHIFTS if not down or not right)
    assert sorted(SHIFTS) == [(down, right) for down in (-1, 0, 1) for right in (-1, 0, 1)]


@pytest.mark.parametrize("views", [5, 9])
@pytest.mark.parametrize("shape", [(9, 7, 3), (1, 5, 1), (28, 28, 1)])
@pytest.mark.parametrize("engine", [engine for engine in ENGINES if engine != "keras"])
def test_the_probabilities_are_the_mean_over_views(engine, shape, views):
    model, batch = make_model(*shape), images(6, *shape)
    network = open_network(model.architecture, model.weights, engine)
    expected = np.mean([softmax(network.logits(shift_by_padding(batch, *shift))) for shift in SHIFTS[:views]], axis=0)
    logits = average_views(network, batch, views)
    assert logits.dtype == np.float32
    np.testing.assert_allclose(np.exp(logits), expected, rtol=1e-5)
    assert np.abs(expected - softmax(network.logits(batch))).max() > 1e-3  # the views matter


def test_one_view_is_the_image_alone_to_the_last_bit():
    model = make_model()
    np.testing.assert_array_equal(model.logits(images(), 1), model.network.logits(images()))
    assert model.logits(images(0), 9).shape == (0, 3)


def test_the_methods_of_a_model_agree_on_several_views():
    model = make_model(calibration={"temperature": 2.0})
    logits = model.logits(images(), 9)
    np.testing.assert_allclose(model.probabilities(images(), 9), softmax(logits), rtol=1e-12)
    np.testing.assert_allclose(model.calibrated_probabilities(images(), 9), softmax(logits / 2), rtol=1e-6)
    np.testing.assert_array_equal(model.predict(images(), 9), logits.argmax(axis=1))


def test_many_images_are_computed_in_blocks_with_the_same_result(monkeypatch):
    model, batch = make_model(), images(7)
    whole, block_sizes = model.logits(batch, 5), []
    monkeypatch.setattr("convscope.data.datasets.disk.images.BLOCK_BYTES", 2 * batch[0].nbytes)
    monkeypatch.setattr(
        "convscope.training.views.shift_images",
        lambda block, down, right: block_sizes.append(len(block)) or shift_images(block, down, right),
    )
    np.testing.assert_allclose(model.logits(batch, 5), whole, rtol=1e-6, atol=1e-6)
    assert max(block_sizes) == 2
    assert len(block_sizes) == 4 * 4  # blocks of 7 images, and shifts besides the image itself


def test_a_probability_too_small_for_a_float_keeps_its_logarithm():
    model = make_model()
    weights = {name: weight * 1e4 for name, weight in model.weights.items()}
    logits = Model(model.architecture, weights, model.class_names).logits(images(), 9)
    assert np.isfinite(logits).all()
    assert logits.min() < -1000


@pytest.mark.parametrize(
    ("views", "error", "message"),
    [
        (3, ValueError, "views is 3; it must be 1, 5 or 9"),
        (0, ValueError, "views is 0; it must be 1, 5 or 9"),
        (5.0, TypeError, "views is 5.0; it must be 1, 5 or 9"),
        (True, TypeError, "views is True; it must be 1, 5 or 9"),
    ],
)
def test_other_numbers_of_views_are_refused(views, error, message):
    with pytest.raises(error, match=message):
        make_model().logits(images(), views)


def test_images_of_another_form_are_refused_with_views_too():
    with pytest.raises(ValueError, match="this model needs uint8"):
        make_model().logits(images(height=8), 9)
