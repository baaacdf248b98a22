"""Gradients with respect to weights and pixels, beside finite differences."""

import numpy as np
import pytest

import convscope as cs
from convscope.base import metrics
from convscope.engine.reference_passes import Passes

IMAGES = np.random.default_rng(0).integers(0, 256, (5, 9, 8, 2), np.uint8)
LABELS = np.array([0, 2, 1, 2, 0])


@pytest.fixture(scope="module")
def model() -> cs.Model:
    architecture = cs.Architecture(
        cs.Input(9, 8, 2),
        (cs.Conv2D(3, 3, activation="tanh"), cs.BatchNormalization(), cs.Flatten(), cs.Dense(3, "softmax")),
    )
    stream = np.random.default_rng(1)
    weights = {
        name: stream.uniform(0.1, 0.6, shape).astype(np.float32) * (1 if "moving" in name else stream.choice([-1, 1]))
        for name, shape in architecture.weight_shapes.items()
    }
    return cs.Model(architecture, weights, ("a", "b", "c"))


def compute_mean(model: cs.Model, of: str, weights: dict) -> float:
    """Compute the mean loss or the mean logit of the label in float64, which finite differences need."""
    logits = Passes(model.architecture).forward(weights, IMAGES)[-1]
    if of == "loss":
        return metrics.cross_entropy(logits, LABELS)
    return float(logits[np.arange(len(LABELS)), LABELS].mean())


@pytest.mark.parametrize("of", ["loss", "logit"])
def test_gradients_with_respect_to_weights_equal_finite_differences(model, of):
    weights = {name: weight.astype(np.float64) for name, weight in model.weights.items()}
    gradients = cs.gradients(model, IMAGES, LABELS, of=of)
    assert gradients.keys() == model.architecture.trainable_weight_shapes.keys()
    for name, gradient in gradients.items():
        assert gradient.shape == model.weights[name].shape
        index = np.unravel_index(np.abs(gradient).argmax(), gradient.shape)
        above, below = weights[name].copy(), weights[name].copy()
        above[index] += 1e-5
        below[index] -= 1e-5
        rise = compute_mean(model, of, weights | {name: above}) - compute_mean(model, of, weights | {name: below})
        assert gradient[index] == pytest.approx(rise / 2e-5, rel=1e-3, abs=1e-5)


def test_gradients_with_respect_to_the_input_are_signed_and_do_not_depend_on_other_images(model):
    together = cs.gradients(model, IMAGES, LABELS, by="input")["input"]
    assert together.shape == IMAGES.shape
    assert together.min() < 0 < together.max()
    alone = cs.gradients(model, IMAGES[2:3], LABELS[2:3], by="input")["input"]
    np.testing.assert_allclose(together[2:3], alone, rtol=1e-4, atol=1e-7)


def test_gradients_of_a_logit_times_the_input_add_up_in_a_linear_network():
    architecture = cs.Architecture(cs.Input(9, 8, 2), (cs.Flatten(), cs.Dense(3)))
    kernel = np.random.default_rng(2).normal(size=(144, 3)).astype(np.float32)
    linear = cs.Model(architecture, {"dense/kernel": kernel, "dense/bias": np.zeros(3, np.float32)}, ("a", "b", "c"))
    by_input = cs.gradients(linear, IMAGES, LABELS, of="logit", by="input")["input"]
    logits = (by_input * IMAGES / 255).sum(axis=(1, 2, 3))  # the network divides pixels by 255
    np.testing.assert_allclose(logits, linear.logits(IMAGES)[np.arange(5), LABELS], rtol=1e-4)


@pytest.mark.parametrize(
    ("labels", "options", "error", "message"),
    [
        (LABELS[:4], {}, ValueError, "there are 4 labels for 5 images"),
        (LABELS + 1, {}, ValueError, "labels run from 1 to 3; they must be from 0 to 2"),
        (LABELS, {"of": "accuracy"}, ValueError, "of is 'accuracy'; it must be one of loss, logit"),
        (LABELS, {"by": "conv"}, KeyError, "no layer 'conv'"),
        (LABELS, {"by": 3}, TypeError, "by is 3; it must be"),
    ],
)
def test_gradients_refuse_unsupported_arguments(model, labels, options, error, message):
    with pytest.raises(error, match=message):
        cs.gradients(model, IMAGES, labels, **options)
