"""Attacks along the gradient: their bounds, restarts and strength."""

from dataclasses import replace

import numpy as np
import pytest

import convscope as cs
from convscope.evidence.robustness import pgd, random_signs


def make_linear_model():
    """Make a linear model of two classes for images (6, 5, 1), whose worst case has a closed form."""
    stream = np.random.default_rng(0)
    layers = (cs.Flatten(), cs.Dense(2, activation="softmax"))
    weights = {
        "dense/kernel": stream.normal(size=(6 * 5, 2)).astype(np.float32),
        "dense/bias": stream.normal(size=2).astype(np.float32),
    }
    return cs.Model(cs.Architecture(cs.Input(6, 5, 1, offset=0.2), layers), weights, ("0", "1"))


def draw_greys(count):
    """Draw images of medium grey levels, which an attack can move up and down."""
    return np.random.default_rng(1).integers(80, 176, (count, 6, 5, 1)).astype(np.uint8)


def test_pgd_on_a_linear_model_of_two_classes_equals_the_exact_worst_case():
    model, images = make_linear_model(), draw_greys(40)
    logits = model.logits(images)
    shift = np.array([np.median(logits[:, 1] - logits[:, 0]), 0], np.float32)  # half of the images in each class
    model = replace(model, weights=model.weights | {"dense/bias": model.weights["dense/bias"] + shift})
    labels = model.predict(images)
    kernel = model.weights["dense/kernel"].astype(np.float64)
    towards = np.sign(kernel[:, 1] - kernel[:, 0]).reshape(images.shape[1:])
    # The worst case moves every pixel by epsilon = 4 towards the other class.
    corners = (images + 4 * np.where(labels == 0, 1, -1)[:, None, None, None] * towards).astype(np.uint8)
    attacked = pgd(model, images, labels, 4, steps=10)
    stays = model.predict(corners) == labels
    assert 0 < stays.sum() < 40
    np.testing.assert_array_equal(model.predict(attacked) == labels, stays)
    np.testing.assert_array_equal(attacked[stays], corners[stays])


def test_an_attack_stays_within_epsilon_and_the_grey_levels(model, digits):
    images, labels = digits.images[:20], digits.labels[:20].astype(np.int64)
    for epsilon in (0, 1, 7, 60, 255):
        for attacked in (pgd(model, images, labels, epsilon, steps=5), random_signs(images, epsilon)):
            assert attacked.dtype == np.uint8
            assert np.abs(attacked.astype(int) - images).max() <= epsilon


def test_random_signs_move_every_value_as_far_as_they_may():
    images = draw_greys(40)
    moved = random_signs(images, 20).astype(int) - images
    assert set(np.unique(moved)) == {-20, 20}
    assert abs((moved > 0).mean() - 0.5) < 4 * 0.5 / np.sqrt(moved.size)  # four standard errors
    black = np.zeros((1, 6, 5, 1), np.uint8)
    assert set(np.unique(random_signs(black, 20))) == {0, 20}


def test_after_three_starts_only_images_that_came_close_are_attacked_again(model, mnist, monkeypatch):
    images, labels = mnist.test.images[:20], mnist.test.labels[:20].astype(np.int64)
    three, ten = (pgd(model, images, labels, 16, steps=5, restarts=restarts) for restarts in (3, 10))
    assert (model.predict(ten) == labels).sum() <= (model.predict(three) == labels).sum()
    monkeypatch.setattr("convscope.evidence.robustness.gradients._CLOSE", 0)  # so that no image counts as close
    np.testing.assert_array_equal(pgd(model, images, labels, 16, steps=5, restarts=10), three)


def test_attacked_images_have_a_smaller_margin(model, digits):
    labels = model.predict(digits.images)

    def margins(images):
        """Compute the logit of the label less the largest other logit."""
        logits = model.logits(images)
        own = logits[np.arange(len(labels)), labels].copy()
        logits[np.arange(len(labels)), labels] = -np.inf
        return own - logits.max(axis=1)

    attacked = pgd(model, digits.images, labels, 8, steps=10, restarts=1)
    assert (margins(attacked) < margins(digits.images)).all()


def test_the_attack_on_an_image_does_not_depend_on_the_other_images(model, digits):
    labels = digits.labels.astype(np.int64)
    part = np.array([17, 3, 40])
    whole = pgd(model, digits.images, labels, 20, steps=6, restarts=2, seed=4)
    alone = pgd(model, digits.images[part], labels[part], 20, steps=6, restarts=2, seed=4, indices=part)
    np.testing.assert_array_equal(alone, whole[part])
    signs = random_signs(digits.images, 20, seed=4)
    np.testing.assert_array_equal(random_signs(digits.images[part], 20, seed=4, indices=part), signs[part])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda *options: pgd(*options, -1), "epsilon is -1; it must be a whole number of grey levels from 0 to 255"),
        (lambda *arguments: pgd(*arguments, 2.5), "epsilon is 2.5"),
        (lambda *arguments: pgd(*arguments, 256), "epsilon is 256"),
        (lambda *arguments: random_signs(arguments[1], 300), "epsilon is 300"),
        (lambda *arguments: pgd(*arguments, 3, steps=0), "steps is 0; it must be at least 1"),
        (lambda *arguments: pgd(*arguments, 3, restarts=0), "restarts is 0; it must be at least 1"),
        (lambda model, images, _: pgd(model, images[:, 1:], np.zeros(2, int), 3), "this model needs uint8"),
        (lambda model, images, _: pgd(model, images, np.zeros(3, int), 3), "labels have shape"),
        (lambda model, images, _: pgd(model, images, np.array([-1, 1]), 3),
         "give one label from 0 to 1 for each of 2 images"),
    ],
)  # fmt: skip
def test_wrong_arguments_are_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call(make_linear_model(), draw_greys(2), np.array([0, 1]))
