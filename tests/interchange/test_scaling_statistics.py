"""The statistics of a batch normalisation fit only the scaling with which its network was trained."""

from dataclasses import replace

import numpy as np
import pytest

import convscope as cs
from convscope.engine import initial_weights
from convscope.interchange import find_scaling
from convscope.interchange.imported import Imported
from convscope.interchange.scaling_statistics import measure_misfit

IMAGENET = {"mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)}
SCALINGS = {
    "byte / 255": cs.Scaling(),
    "raw bytes": cs.Scaling(1.0),
    "-1 to 1, inverted": cs.Scaling(mean=0.5, std=0.5, inverted=True),
    "mean and std of ImageNet": cs.Scaling(1 / 255, **IMAGENET),
    "mean and std of ImageNet, BGR": cs.Scaling(1 / 255, **IMAGENET, bgr=True),
    "byte / 255, inverted, BGR": cs.Scaling(inverted=True, bgr=True),
}
CONVOLUTION = (cs.Conv2D(8, 3, strides=2, padding="same"), cs.BatchNormalization(activation="relu"))
AT_THE_FRONT = (cs.BatchNormalization(), cs.Conv2D(8, 3, strides=2, activation="relu"))


@pytest.fixture(scope="module")
def coloured(mnist: cs.Splits) -> cs.Dataset:
    """Digits of 14 × 14 on dim backgrounds: the even ones in warm colours, the odd ones in cold colours."""
    digits, stream = mnist.train.take(np.arange(1500)), np.random.default_rng(0)
    ink = digits.images.reshape(-1, 14, 2, 14, 2, 1).mean(axis=(2, 4)) / 255
    inks = np.array([[250, 120, 60], [70, 140, 230]])[digits.labels % 2] + stream.normal(0, 15, (1500, 3))
    grounds = stream.uniform(20, [110, 90, 60], (1500, 3))
    images = ink * inks[:, None, None] + (1 - ink) * grounds[:, None, None]
    return replace(digits, images=images.clip(0, 255).astype(np.uint8), name="coloured")


def fit(data: cs.Dataset, scaling: cs.Scaling, layers: tuple = CONVOLUTION) -> Imported:
    """Make a network without training: random filters, the statistics of scaled images, and a dense layer by ridge
    regression on one-hot labels.
    """
    architecture = cs.Architecture(cs.Input(*data.image_shape, 1.0), (*layers, cs.Flatten(), cs.Dense(10)))
    weights = dict(initial_weights(architecture, 0))
    names = [layer.name for layer in architecture.layers]

    def outputs(layer: str) -> np.ndarray:
        model = Imported(architecture, weights).apply_scaling(scaling).to_model()
        return model.activations(data.images, [layer])[layer].astype(np.float64)

    index = names.index("batch_normalization")
    if index:
        inputs = outputs(names[index - 1])
    else:
        scales, offsets = scaling.numbers(3)
        inputs = (data.images * scales + offsets)[..., :: -1 if scaling.bgr else 1]
    weights["batch_normalization/moving_mean"] = inputs.mean(axis=(0, 1, 2)).astype(np.float32)
    weights["batch_normalization/moving_variance"] = inputs.var(axis=(0, 1, 2)).astype(np.float32)
    features = np.pad(outputs("flatten"), ((0, 0), (0, 1)), constant_values=1)
    solved = np.linalg.solve(features.T @ features + np.eye(features.shape[1]), features.T @ np.eye(10)[data.labels])
    weights |= {"dense/kernel": 6 * solved[:-1].astype(np.float32), "dense/bias": 6 * solved[-1].astype(np.float32)}
    return Imported(architecture, weights)


@pytest.mark.parametrize("name", SCALINGS)
def test_only_the_scaling_of_the_network_fits(coloured: cs.Dataset, name: str):
    network = fit(coloured, SCALINGS[name])
    nats = {scaling_name: measure_misfit(network, scaling, coloured) for scaling_name, scaling in SCALINGS.items()}
    assert nats.pop(name) == pytest.approx(0, abs=1e-4)
    assert min(nats.values()) > 0.01, nats  # `_RULED_OUT_NATS`


@pytest.mark.parametrize("name", ["byte / 255", "raw bytes", "-1 to 1"])
def test_scalings_with_the_same_predictions_are_distinguished_by_statistics(name: str):
    """The network compares the brightness of two halves, and any positive scale leaves the brighter half brighter."""
    images = np.full((100, 4, 3, 1), 100, np.uint8)
    images[::2, :2], images[1::2, 2:] = 200, 200
    scales, offsets = {**SCALINGS, "-1 to 1": cs.Scaling(mean=0.5, std=0.5)}[name].numbers(1)
    inputs = images * scales + offsets
    kernel = np.zeros((12, 2), np.float32)
    kernel[:6, 0] = kernel[6:, 1] = 1
    weights = {"gamma": 1, "beta": 0, "moving_mean": inputs.mean(), "moving_variance": inputs.var()}
    architecture = cs.Architecture(
        cs.Input(4, 3, 1, 1.0), (cs.BatchNormalization(), cs.Flatten(), cs.Dense(2, use_bias=False))
    )
    network = {f"batch_normalization/{key}": np.float32([value]) for key, value in weights.items()}
    data = cs.Dataset(images, np.arange(100) % 2, ("top", "bottom"))
    table = find_scaling(Imported(architecture, network | {"dense/kernel": kernel}), data)
    assert table.rows[0].name == name, str(table)
    assert table.best is not None, str(table)
    assert any("other statistics" in row.verdict for row in table.rows)


def test_a_normalisation_of_the_image_layer_fits_too(coloured: cs.Dataset):
    for name in ("raw bytes", "mean and std of ImageNet, BGR"):
        table = find_scaling(fit(coloured, SCALINGS[name], AT_THE_FRONT), coloured)
        assert table.rows[0].name == name, str(table)
        assert table.best is not None, str(table)


def test_missing_and_untrained_statistics_decide_nothing(coloured: cs.Dataset):
    for layers in ((cs.Flatten(),), CONVOLUTION):
        architecture = cs.Architecture(cs.Input(14, 14, 3, 1.0), (*layers, cs.Flatten(), cs.Dense(10)))
        assert measure_misfit(Imported(architecture, initial_weights(architecture, 0)), cs.Scaling(), coloured) is None


def test_statistics_that_contradict_the_accuracies_leave_the_scaling_unclear(coloured: cs.Dataset):
    """The network gets the statistics of inverted images, and a gamma and beta that undo the change."""
    network, inverted = (fit(coloured, cs.Scaling(inverted=is_inverted)) for is_inverted in (False, True))
    (mean, variance), (inverted_mean, inverted_variance) = (
        [fitted.weights[f"batch_normalization/moving_{name}"] for name in ("mean", "variance")]
        for fitted in (network, inverted)
    )
    deviation, inverted_deviation = (
        np.sqrt(values + cs.BatchNormalization().epsilon) for values in (variance, inverted_variance)
    )
    changed = {
        "moving_mean": inverted_mean, "moving_variance": inverted_variance,
        "gamma": inverted_deviation / deviation, "beta": (inverted_mean - mean) / deviation,
    }  # fmt: skip
    weights = network.weights | {f"batch_normalization/{name}": array for name, array in changed.items()}
    table = find_scaling(replace(network, weights=weights), coloured)
    assert table.best is None
    assert "with byte / 255" in table.sentence  # the most accurate candidate
    assert "other statistics" in table.sentence
