"""What these tests need is gigabytes that the extra `test` does without: `make interoperability-test` installs it.

Where a part of it is missing, as in `make test`, they are not even read.

They run on the backend that KERAS_BACKEND names, by default TensorFlow; `test_keras_backends.py` runs them on the
others.
"""

import os
from importlib.util import find_spec

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
)

os.environ.setdefault("KERAS_BACKEND", "tensorflow")  # before anything imports Keras, which then keeps to it
from convscope.engine import initial_weights

_NEEDED = ("jax", "keras", "mlflow", "onnx", "tensorflow", "torch")
collect_ignore_glob = [] if all(map(find_spec, _NEEDED)) else ["*.py"]

ARCHITECTURES = {
    "maps": Architecture(  # strides that differ, `same` on odd and even sizes, names that Keras has other uses for
        Input(11, 14, 3, 1 / 100, -0.7),
        (
            Conv2D(6, 3, (2, 1), "same", "gelu", use_bias=False, name="images"),
            MaxPooling2D(3, 1, "same"),
            DepthwiseConv2D(3, (2, 1), "same", 2, "leaky_relu", name="_between"),
            AveragePooling2D(2, 1, "same"),
            DepthwiseConv2D((1, 2), activation="tanh", use_bias=False, name="rescaling"),
            DepthwiseConv2D((2, 3), (1, 3), activation="sigmoid"),
            Dropout(0.3),
            GlobalMaxPooling2D(),
            Dense(101),
        ),
        name="maps / ü",
    ),
    "residual": Architecture(
        Input(9, 8, 1),
        (
            BatchNormalization(),
            Conv2D(5, 3, padding="same", name="a"),
            BatchNormalization(0.9, 0.1, "leaky_relu", name="b"),
            Conv2D(5, 3, padding="same", activation="relu", name="c"),
            Add("a", "relu", name="d"),
            MaxPooling2D(2),
            Flatten(),
            Dense(80, "relu"),
            Add("flatten"),
            Dense(2, "softmax"),
        ),
    ),
    "branches": Architecture(  # from the image, to maps and to vectors; a shortcut with layers of its own
        Input(9, 8, 2, 1 / 127.5, -1.0),
        (
            Conv2D(6, 3, activation="relu", name="stem"),
            Conv2D(7, 3, 2, "same", "gelu"),
            BatchNormalization(name="long"),
            Branch("stem", name="again"),
            Conv2D(7, 1, 2, use_bias=False),
            BatchNormalization(activation="tanh"),
            Add("long", "relu", name="sum"),
            MaxPooling2D(2, 1, "same", name="pooled"),
            Branch("sum"),
            Conv2D(4, 3, padding="same", activation="relu"),
            Concatenate("pooled"),
            BatchNormalization(),
            GlobalAveragePooling2D(name="means"),
            Branch("input"),
            Conv2D(3, 3, activation="sigmoid"),
            Concatenate("stem"),
            Flatten(name="pixels"),
            Branch("means"),
            Dense(9, "relu"),
            Concatenate("pixels"),
            Dense(5, "softmax"),
        ),
    ),
    "ensemble": Architecture(  # of a network with dense layers and one without
        Input(9, 7, 2, 1 / 100, -0.3),
        (
            Conv2D(5, 3, activation="relu"),
            Flatten(name="pixels"),
            Branch("input"),
            Conv2D(4, 3, 2, "same"),
            GlobalAveragePooling2D(name="second"),
            Branch("pixels"),
            Dense(6, "relu"),
            Dense(4, name="first"),
            Branch("second"),
            Concatenate("first"),
            SoftVoting(2),
        ),
    ),
    "layers of their own": Architecture(
        Input(9, 7, 1),
        (
            ZeroPadding2D(((1, 0), (2, 3))),
            Conv2D(4, 3),
            Activation("leaky_relu", 0.05),
            PReLU(),
            ZeroPadding2D(1),
            MaxPooling2D(2),
            Activation("gelu"),
            Flatten(),
            Dense(12),
            Activation("tanh"),
            PReLU(),
            Dense(3),
            Activation("softmax"),
        ),
    ),
    "activations": Architecture(
        Input(9, 8, 2),
        (
            Conv2D(5, 3, activation="relu6"),
            BatchNormalization(activation="hard_silu"),
            DepthwiseConv2D(2, activation="silu"),
            MaxPooling2D(2),
            Activation("elu"),
            Flatten(),
            Dense(9, "hard_silu"),
            Dense(3, "softmax"),
        ),
    ),
    "dilation and groups": Architecture(
        Input(11, 12, 2),
        (
            Conv2D(6, (2, 3), padding="same", activation="relu", dilation_rate=(3, 2)),
            Conv2D(8, 3, (1, 2), "same", "tanh", groups=2),
            DepthwiseConv2D(3, padding="same", dilation_rate=2),
            BatchNormalization(activation="relu"),
            Conv2D(16, 3, padding="same", groups=8, use_bias=False),
            ZeroPadding2D(((0, 1), (1, 0))),
            Conv2D(12, 2, groups=4, dilation_rate=(1, 2)),
            MaxPooling2D(2),
            Flatten(),
            Dense(4),
        ),
    ),
    "no dense layer": Architecture(
        Input(7, 6, 2), (Conv2D(4, 3, activation="relu"), Conv2D(3, 2, 2), GlobalAveragePooling2D())
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
    """More than a block of those that Keras computes at once, and no whole number of them."""
    return np.random.default_rng(0).integers(0, 256, (70, *architecture.input.shape), np.uint8)


@pytest.fixture
def architectures() -> dict[str, Architecture]:
    return ARCHITECTURES
