"""Networks in which every kind of layer stands before every other one that the native engine computes differently."""

import numpy as np
import pytest
from numpy.typing import NDArray

import convscope as cs
from convscope.engine import initial_weights

ARCHITECTURES = {
    "cnn": cs.presets.cnn((14, 15, 1), 7),
    "vectors": cs.Architecture(
        cs.Input(5, 4, 2),
        (cs.Flatten(), cs.Dense(33, "relu"), cs.Dropout(0.5), cs.Dense(17, "tanh"), cs.Dense(3, "softmax")),
    ),
    "flattened twice": cs.Architecture(
        cs.Input(5, 4, 2),
        (cs.Flatten(), cs.Flatten(), cs.Dense(9, "relu"), cs.Flatten(), cs.Dense(5, "relu"), cs.Dense(4)),
    ),
    "vectors added": cs.Architecture(  # a flattened vector has the numbers of the one before, not its gradient
        cs.Input(6, 5, 2),
        (
            cs.Conv2D(7, 3, activation="relu"), cs.GlobalAveragePooling2D(name="a"), cs.Dropout(0.3),
            cs.Dense(7, "relu", name="b"), cs.Flatten(), cs.Add("b"), cs.Add("a"), cs.Dense(9, "relu", name="c"),
            cs.Flatten(), cs.Flatten(), cs.Add("c"), cs.Dense(4),
        ),
    ),
    "fused": cs.Architecture(  # by Winograd, by another kernel, and with an activation behind the pooling
        cs.Input(23, 21, 3, 1 / 100, -0.7),
        (
            cs.Conv2D(17, 3, padding="same", activation="relu"), cs.MaxPooling2D(2),
            cs.Conv2D(19, 3, activation="leaky_relu"), cs.MaxPooling2D(2), cs.Dropout(0.3),
            cs.Conv2D(5, 2, padding="same", activation="sigmoid"), cs.MaxPooling2D((1, 4), (2, 1)), cs.Flatten(),
            cs.Dense(4, "softmax"),
        ),
    ),
    "apart": cs.Architecture(  # gelu does not commute with the maximum; strides, overlapping and padded windows
        cs.Input(17, 19, 1),
        (
            cs.Conv2D(6, 3, 2, "same", "gelu"), cs.MaxPooling2D(2),
            cs.DepthwiseConv2D(3, padding="same", depth_multiplier=3, activation="relu"), cs.MaxPooling2D(3, 1, "same"),
            cs.Conv2D(9, (1, 3), (2, 1), activation="relu"), cs.AveragePooling2D(2, 1, "same"), cs.Flatten(),
            cs.Dense(20, "relu"), cs.Dense(6),
        ),
    ),
    "learned slopes": cs.Architecture(  # of the image, of maps cut to what is read, of vectors
        cs.Input(12, 11, 3),
        (
            cs.PReLU(), cs.Conv2D(17, 3, activation="silu"), cs.PReLU(), cs.DepthwiseConv2D(3, padding="same"),
            cs.PReLU(), cs.MaxPooling2D(3), cs.Flatten(), cs.PReLU(), cs.Dense(19), cs.PReLU(), cs.Dense(4),
        ),
    ),
    "pooled first": cs.Architecture(
        cs.Input(12, 13, 2),
        (
            cs.MaxPooling2D(2), cs.AveragePooling2D(2, 1), cs.Conv2D(18, 3, padding="same", activation="tanh"),
            cs.GlobalMaxPooling2D(), cs.Dense(5, "softmax"),
        ),
    ),
    "no dense layer": cs.Architecture(
        cs.Input(9, 8, 3),
        (cs.Conv2D(33, 3, activation="relu"), cs.Conv2D(5, 3, 2, activation="relu"), cs.GlobalAveragePooling2D()),
    ),
    "a map of logits": cs.Architecture(
        cs.Input(6, 6, 2), (cs.Conv2D(8, 3, activation="relu"), cs.Conv2D(5, 4), cs.Flatten())
    ),
    "relu before the logits": cs.Architecture(
        cs.Input(8, 8, 1), (cs.Conv2D(3, 3, activation="relu"), cs.MaxPooling2D(3), cs.Flatten())
    ),
    "normalised": cs.Architecture(
        cs.Input(13, 12, 2),
        (
            cs.BatchNormalization(), cs.Conv2D(17, 3, padding="same", use_bias=False),
            cs.BatchNormalization(activation="relu"), cs.MaxPooling2D(2),
            cs.DepthwiseConv2D(3, depth_multiplier=2, activation="relu", use_bias=False),
            cs.BatchNormalization(0.9, 0.1, "gelu"), cs.Flatten(), cs.Dense(19, use_bias=False),
            cs.BatchNormalization(activation="relu"), cs.Dense(4), cs.BatchNormalization(),
        ),
    ),
    "added": cs.Architecture(  # maps read twice and thrice, one that ends in relu, the flattened one, and a vector
        cs.Input(12, 11, 2),
        (
            cs.Conv2D(18, 3, padding="same", activation="relu", name="a"),
            cs.Conv2D(18, 3, padding="same", activation="gelu", name="b"), cs.Add("a", activation="relu", name="c"),
            cs.BatchNormalization(activation="tanh"), cs.Add("a"), cs.Conv2D(18, 3, padding="same", use_bias=False),
            cs.Add("c", activation="leaky_relu"), cs.MaxPooling2D(2), cs.Flatten(name="d"),
            cs.Dense(540, "relu", name="e"), cs.Add("d"), cs.Dense(9, "relu", name="f"), cs.Dense(9), cs.Add("f"),
        ),
    ),
    "padded": cs.Architecture(  # and activations that are layers, among them two that change nothing
        cs.Input(9, 8, 3, 1 / 100, -0.7),
        (
            cs.ZeroPadding2D(((1, 2), (0, 1))), cs.Conv2D(17, 3, use_bias=False), cs.BatchNormalization(),
            cs.Activation("relu"), cs.ZeroPadding2D((2, 1)), cs.Conv2D(18, 3, (2, 1)),
            cs.Activation("leaky_relu", 0.05), cs.MaxPooling2D(2), cs.Activation("linear", name="passed"),
            cs.ZeroPadding2D(((0, 1), (1, 0))), cs.DepthwiseConv2D(2), cs.Activation("gelu"), cs.Add("passed"),
            cs.Flatten(), cs.Dense(19), cs.Activation("tanh"), cs.Dense(4), cs.Activation("softmax"),
        ),
    ),
    "branched": cs.Architecture(  # from the image, of maps and of vectors; a shortcut with layers of its own
        cs.Input(10, 9, 2),
        (
            cs.Conv2D(6, 3, activation="relu", name="stem"), cs.Conv2D(17, 3, 2, "same", activation="gelu"),
            cs.BatchNormalization(name="long"), cs.Branch("stem"), cs.Conv2D(17, 1, 2, use_bias=False),
            cs.Add("long", "relu", name="sum"), cs.MaxPooling2D(2, 1, "same", name="pooled"), cs.Branch("sum"),
            cs.Conv2D(4, 3, padding="same", activation="relu"), cs.Concatenate("pooled"),
            cs.GlobalAveragePooling2D(name="means"), cs.Branch("input"), cs.Conv2D(3, 3, activation="tanh"),
            cs.Concatenate("stem"), cs.Flatten(name="pixels"), cs.Branch("means"), cs.Dense(9, "relu"),
            cs.Concatenate("pixels", name="all"), cs.Dense(5, name="scores"), cs.Branch("all"), cs.Dropout(0),
            cs.Dense(5), cs.Add("scores", "softmax"),
        ),
    ),
    "an ensemble": cs.Architecture(  # of one network with a dense layer and one without
        cs.Input(9, 8, 2),
        (
            cs.Conv2D(6, 3, activation="relu"), cs.Flatten(name="pixels"), cs.Branch("input"), cs.Conv2D(5, 3, 2),
            cs.GlobalAveragePooling2D(name="second"), cs.Branch("pixels"), cs.Dense(5, name="first"),
            cs.Branch("second"), cs.Concatenate("first"), cs.SoftVoting(2),
        ),
    ),
    "a vote behind relu": cs.Architecture(
        cs.Input(6, 5, 1), (cs.Conv2D(3, 2), cs.Flatten(), cs.Dense(12, "relu"), cs.SoftVoting(3))
    ),
    "a vote on maps": cs.Architecture(
        cs.Input(7, 6, 2), (cs.Conv2D(15, 3, 2, activation="relu"), cs.GlobalMaxPooling2D(), cs.SoftVoting(5))
    ),
    "by Winograd": cs.Architecture(
        cs.Input(21, 19, 1),
        (
            cs.Conv2D(33, 5, activation="relu"), cs.Conv2D(34, 3, activation="relu"),
            cs.Conv2D(35, 3, padding="same", activation="sigmoid"), cs.Conv2D(40, 5, padding="same", activation="relu"),
            cs.GlobalAveragePooling2D(), cs.Dense(3, "softmax"),
        ),
    ),
    "one pixel": cs.Architecture(
        cs.Input(5, 5, 1),
        (
            cs.Conv2D(7, 5, activation="relu"), cs.Conv2D(4, 3, padding="same", activation="relu"), cs.Flatten(),
            cs.Dense(3),
        ),
    ),
}  # fmt: skip


@pytest.fixture(params=ARCHITECTURES)
def architecture(request: pytest.FixtureRequest) -> cs.Architecture:
    return ARCHITECTURES[request.param]


@pytest.fixture
def weights(architecture: cs.Architecture) -> dict[str, NDArray[np.float32]]:
    """Glorot's kernels, and small random numbers added to what starts as zeros or ones: nothing forgotten hides."""
    stream = np.random.default_rng(2)
    weights = initial_weights(architecture, 0)
    for name, value in weights.items():
        if not name.endswith("/kernel"):
            weights[name] = value + stream.uniform(-0.2, 0.2, value.shape).astype(np.float32)
    return weights


@pytest.fixture
def images(architecture: cs.Architecture) -> NDArray[np.uint8]:
    """Eleven: no whole number of slices."""
    return np.random.default_rng(0).integers(0, 256, (11, *architecture.input.shape), np.uint8)
