"""Networks in which every kind of layer stands before every other one that the native engine computes differently."""

import numpy as np
import pytest
from numpy.typing import NDArray

from convscope.architecture import (
    Activation,
    Add,
    Architecture,
    AveragePooling2D,
    BatchNormalization,
    Branch,
    Concatenate,
    Conv2D,
    Dense,
    DepthwiseConv2D,
    Dropout,
    Flatten,
    GlobalAveragePooling2D,
    GlobalMaxPooling2D,
    Input,
    MaxPooling2D,
    PReLU,
    SoftVoting,
    ZeroPadding2D,
    presets,
)
from convscope.engine import initial_weights

ARCHITECTURES = {
    "cnn": presets.cnn((14, 15, 1), 7),
    "vectors": Architecture(
        Input(5, 4, 2), (Flatten(), Dense(33, "relu"), Dropout(0.5), Dense(17, "tanh"), Dense(3, "softmax"))
    ),
    "flattened twice": Architecture(
        Input(5, 4, 2), (Flatten(), Flatten(), Dense(9, "relu"), Flatten(), Dense(5, "relu"), Dense(4))
    ),
    "vectors added": Architecture(  # a flattened vector has the numbers of the one before, not its gradient
        Input(6, 5, 2),
        (
            Conv2D(7, 3, activation="relu"),
            GlobalAveragePooling2D(name="a"),
            Dropout(0.3),
            Dense(7, "relu", name="b"),
            Flatten(),
            Add("b"),
            Add("a"),
            Dense(9, "relu", name="c"),
            Flatten(),
            Flatten(),
            Add("c"),
            Dense(4),
        ),
    ),
    "fused": Architecture(  # by Winograd, by another kernel, and with an activation behind the pooling
        Input(23, 21, 3, 1 / 100, -0.7),
        (
            Conv2D(17, 3, padding="same", activation="relu"),
            MaxPooling2D(2),
            Conv2D(19, 3, activation="leaky_relu"),
            MaxPooling2D(2),
            Dropout(0.3),
            Conv2D(5, 2, padding="same", activation="sigmoid"),
            MaxPooling2D((1, 4), (2, 1)),
            Flatten(),
            Dense(4, "softmax"),
        ),
    ),
    "apart": Architecture(  # gelu does not commute with the maximum; strides, overlapping and padded windows
        Input(17, 19, 1),
        (
            Conv2D(6, 3, 2, "same", "gelu"),
            MaxPooling2D(2),
            DepthwiseConv2D(3, padding="same", depth_multiplier=3, activation="relu"),
            MaxPooling2D(3, 1, "same"),
            Conv2D(9, (1, 3), (2, 1), activation="relu"),
            AveragePooling2D(2, 1, "same"),
            Flatten(),
            Dense(20, "relu"),
            Dense(6),
        ),
    ),
    "learned slopes": Architecture(  # of the image, of maps cut to what is read, of vectors
        Input(12, 11, 3),
        (
            PReLU(),
            Conv2D(17, 3, activation="silu"),
            PReLU(),
            DepthwiseConv2D(3, padding="same"),
            PReLU(),
            MaxPooling2D(3),
            Flatten(),
            PReLU(),
            Dense(19),
            PReLU(),
            Dense(4),
        ),
    ),
    "pooled first": Architecture(
        Input(12, 13, 2),
        (
            MaxPooling2D(2),
            AveragePooling2D(2, 1),
            Conv2D(18, 3, padding="same", activation="tanh"),
            GlobalMaxPooling2D(),
            Dense(5, "softmax"),
        ),
    ),
    "no dense layer": Architecture(
        Input(9, 8, 3), (Conv2D(33, 3, activation="relu"), Conv2D(5, 3, 2, activation="relu"), GlobalAveragePooling2D())
    ),
    "a map of logits": Architecture(Input(6, 6, 2), (Conv2D(8, 3, activation="relu"), Conv2D(5, 4), Flatten())),
    "relu before the logits": Architecture(
        Input(8, 8, 1), (Conv2D(3, 3, activation="relu"), MaxPooling2D(3), Flatten())
    ),
    "normalised": Architecture(
        Input(13, 12, 2),
        (
            BatchNormalization(),
            Conv2D(17, 3, padding="same", use_bias=False),
            BatchNormalization(activation="relu"),
            MaxPooling2D(2),
            DepthwiseConv2D(3, depth_multiplier=2, activation="relu", use_bias=False),
            BatchNormalization(0.9, 0.1, "gelu"),
            Flatten(),
            Dense(19, use_bias=False),
            BatchNormalization(activation="relu"),
            Dense(4),
            BatchNormalization(),
        ),
    ),
    "added": Architecture(  # maps read twice and thrice, one that ends in relu, the flattened one, and a vector
        Input(12, 11, 2),
        (
            Conv2D(18, 3, padding="same", activation="relu", name="a"),
            Conv2D(18, 3, padding="same", activation="gelu", name="b"),
            Add("a", activation="relu", name="c"),
            BatchNormalization(activation="tanh"),
            Add("a"),
            Conv2D(18, 3, padding="same", use_bias=False),
            Add("c", activation="leaky_relu"),
            MaxPooling2D(2),
            Flatten(name="d"),
            Dense(540, "relu", name="e"),
            Add("d"),
            Dense(9, "relu", name="f"),
            Dense(9),
            Add("f"),
        ),
    ),
    "padded": Architecture(  # and activations that are layers, among them two that change nothing
        Input(9, 8, 3, 1 / 100, -0.7),
        (
            ZeroPadding2D(((1, 2), (0, 1))),
            Conv2D(17, 3, use_bias=False),
            BatchNormalization(),
            Activation("relu"),
            ZeroPadding2D((2, 1)),
            Conv2D(18, 3, (2, 1)),
            Activation("leaky_relu", 0.05),
            MaxPooling2D(2),
            Activation("linear", name="passed"),
            ZeroPadding2D(((0, 1), (1, 0))),
            DepthwiseConv2D(2),
            Activation("gelu"),
            Add("passed"),
            Flatten(),
            Dense(19),
            Activation("tanh"),
            Dense(4),
            Activation("softmax"),
        ),
    ),
    "branched": Architecture(  # from the image, of maps and of vectors; a shortcut with layers of its own
        Input(10, 9, 2),
        (
            Conv2D(6, 3, activation="relu", name="stem"),
            Conv2D(17, 3, 2, "same", activation="gelu"),
            BatchNormalization(name="long"),
            Branch("stem"),
            Conv2D(17, 1, 2, use_bias=False),
            Add("long", "relu", name="sum"),
            MaxPooling2D(2, 1, "same", name="pooled"),
            Branch("sum"),
            Conv2D(4, 3, padding="same", activation="relu"),
            Concatenate("pooled"),
            GlobalAveragePooling2D(name="means"),
            Branch("input"),
            Conv2D(3, 3, activation="tanh"),
            Concatenate("stem"),
            Flatten(name="pixels"),
            Branch("means"),
            Dense(9, "relu"),
            Concatenate("pixels", name="all"),
            Dense(5, name="scores"),
            Branch("all"),
            Dropout(0),
            Dense(5),
            Add("scores", "softmax"),
        ),
    ),
    "an ensemble": Architecture(  # of one network with a dense layer and one without
        Input(9, 8, 2),
        (
            Conv2D(6, 3, activation="relu"),
            Flatten(name="pixels"),
            Branch("input"),
            Conv2D(5, 3, 2),
            GlobalAveragePooling2D(name="second"),
            Branch("pixels"),
            Dense(5, name="first"),
            Branch("second"),
            Concatenate("first"),
            SoftVoting(2),
        ),
    ),
    "a vote behind relu": Architecture(Input(6, 5, 1), (Conv2D(3, 2), Flatten(), Dense(12, "relu"), SoftVoting(3))),
    "a vote on maps": Architecture(
        Input(7, 6, 2), (Conv2D(15, 3, 2, activation="relu"), GlobalMaxPooling2D(), SoftVoting(5))
    ),
    "by Winograd": Architecture(
        Input(21, 19, 1),
        (
            Conv2D(33, 5, activation="relu"),
            Conv2D(34, 3, activation="relu"),
            Conv2D(35, 3, padding="same", activation="sigmoid"),
            Conv2D(40, 5, padding="same", activation="relu"),
            GlobalAveragePooling2D(),
            Dense(3, "softmax"),
        ),
    ),
    "one pixel": Architecture(
        Input(5, 5, 1),
        (Conv2D(7, 5, activation="relu"), Conv2D(4, 3, padding="same", activation="relu"), Flatten(), Dense(3)),
    ),
}


@pytest.fixture(params=ARCHITECTURES)
def architecture(request: pytest.FixtureRequest) -> Architecture:
    return ARCHITECTURES[request.param]


@pytest.fixture
def weights(architecture: Architecture) -> dict[str, NDArray[np.float32]]:
    """Glorot's kernels, and small random numbers added to what starts as zeros or ones: nothing forgotten hides."""
    stream = np.random.default_rng(2)
    weights = initial_weights(architecture, 0)
    for name, value in weights.items():
        if not name.endswith("/kernel"):
            weights[name] = value + stream.uniform(-0.2, 0.2, value.shape).astype(np.float32)
    return weights


@pytest.fixture
def images(architecture: Architecture) -> NDArray[np.uint8]:
    """Eleven: no whole number of slices."""
    return np.random.default_rng(0).integers(0, 256, (11, *architecture.input.shape), np.uint8)
