"""Tests with other programs, which take gigabytes: `make interoperability-test` installs them and runs these tests.

Where one of the programs is missing, as in `make test`, none of these files is collected. They run on the backend that
KERAS_BACKEND names, by default TensorFlow; `test_keras_backends.py` runs some of them on the other backends.
"""

import os
from importlib.util import find_spec

import numpy as np
import pytest
from numpy.typing import NDArray

import convscope as cs

os.environ.setdefault("KERAS_BACKEND", "tensorflow")  # before Keras is imported, which reads it only then
from tests.engine.conftest import weights as weights

_NEEDED = ("jax", "keras", "mlflow", "onnx", "tensorflow", "torch")
collect_ignore_glob = [] if all(map(find_spec, _NEEDED)) else ["*.py"]

ARCHITECTURES = {
    "maps": cs.Architecture(  # strides that differ, `same` on odd and even sizes, names that Keras has other uses for
        cs.Input(11, 14, 3, 1 / 100, -0.7),
        (cs.Conv2D(6, 3, (2, 1), "same", "gelu", use_bias=False, name="images"), cs.MaxPooling2D(3, 1, "same"),
         cs.DepthwiseConv2D(3, (2, 1), "same", 2, "leaky_relu", name="_between"), cs.AveragePooling2D(2, 1, "same"),
         cs.DepthwiseConv2D((1, 2), activation="tanh", use_bias=False, name="rescaling"),
         cs.DepthwiseConv2D((2, 3), (1, 3), activation="sigmoid"), cs.Dropout(0.3), cs.GlobalMaxPooling2D(),
         cs.Dense(101)),
        name="maps / ü",
    ),
    "residual": cs.Architecture(
        cs.Input(9, 8, 1),
        (cs.BatchNormalization(), cs.Conv2D(5, 3, padding="same", name="a"),
         cs.BatchNormalization(0.9, 0.1, "leaky_relu", name="b"),
         cs.Conv2D(5, 3, padding="same", activation="relu", name="c"), cs.Add("a", "relu", name="d"),
         cs.MaxPooling2D(2), cs.Flatten(), cs.Dense(80, "relu"), cs.Add("flatten"), cs.Dense(2, "softmax")),
    ),
    "branches": cs.Architecture(  # from the image, to maps and to vectors; a shortcut with layers of its own
        cs.Input(9, 8, 2, 1 / 127.5, -1.0),
        (cs.Conv2D(6, 3, activation="relu", name="stem"), cs.Conv2D(7, 3, 2, "same", "gelu"),
         cs.BatchNormalization(name="long"), cs.Branch("stem", name="again"), cs.Conv2D(7, 1, 2, use_bias=False),
         cs.BatchNormalization(activation="tanh"), cs.Add("long", "relu", name="sum"),
         cs.MaxPooling2D(2, 1, "same", name="pooled"), cs.Branch("sum"),
         cs.Conv2D(4, 3, padding="same", activation="relu"), cs.Concatenate("pooled"), cs.BatchNormalization(),
         cs.GlobalAveragePooling2D(name="means"), cs.Branch("input"), cs.Conv2D(3, 3, activation="sigmoid"),
         cs.Concatenate("stem"), cs.Flatten(name="pixels"), cs.Branch("means"), cs.Dense(9, "relu"),
         cs.Concatenate("pixels"), cs.Dense(5, "softmax")),
    ),
    "ensemble": cs.Architecture(  # of a network with dense layers and one without
        cs.Input(9, 7, 2, 1 / 100, -0.3),
        (cs.Conv2D(5, 3, activation="relu"), cs.Flatten(name="pixels"), cs.Branch("input"),
         cs.Conv2D(4, 3, 2, "same"), cs.GlobalAveragePooling2D(name="second"), cs.Branch("pixels"),
         cs.Dense(6, "relu"), cs.Dense(4, name="first"), cs.Branch("second"), cs.Concatenate("first"),
         cs.SoftVoting(2)),
    ),
    "layers of their own": cs.Architecture(
        cs.Input(9, 7, 1),
        (cs.ZeroPadding2D(((1, 0), (2, 3))), cs.Conv2D(4, 3), cs.Activation("leaky_relu", 0.05), cs.PReLU(),
         cs.ZeroPadding2D(1), cs.MaxPooling2D(2), cs.Activation("gelu"), cs.Flatten(), cs.Dense(12),
         cs.Activation("tanh"), cs.PReLU(), cs.Dense(3), cs.Activation("softmax")),
    ),
    "activations": cs.Architecture(
        cs.Input(9, 8, 2),
        (cs.Conv2D(5, 3, activation="relu6"), cs.BatchNormalization(activation="hard_silu"),
         cs.DepthwiseConv2D(2, activation="silu"), cs.MaxPooling2D(2), cs.Activation("elu"), cs.Flatten(),
         cs.Dense(9, "hard_silu"), cs.Dense(8, "selu"), cs.Dense(8), cs.Activation("hard_sigmoid"),
         cs.Dense(3, "softmax")),
    ),
    "weighted and normalised": cs.Architecture(
        cs.Input(9, 8, 2),
        (cs.Conv2D(6, 3, activation="relu", name="a"), cs.GlobalAveragePooling2D(), cs.Dense(3, "selu"),
         cs.Dense(6, "hard_sigmoid"), cs.Multiply("a"), cs.GroupNormalization(3, name="b"),
         cs.Conv2D(6, 3, padding="same"), cs.LayerNormalization(1e-2), cs.Multiply("b"),
         cs.Flatten(), cs.LayerNormalization(), cs.Dense(8, "tanh"),
         cs.GroupNormalization(2), cs.Dense(3, "softmax")),
    ),
    "dilation and groups": cs.Architecture(
        cs.Input(11, 12, 2),
        (cs.Conv2D(6, (2, 3), padding="same", activation="relu", dilation_rate=(3, 2)),
         cs.Conv2D(8, 3, (1, 2), "same", "tanh", groups=2), cs.DepthwiseConv2D(3, padding="same", dilation_rate=2),
         cs.BatchNormalization(activation="relu"), cs.Conv2D(16, 3, padding="same", groups=8, use_bias=False),
         cs.ZeroPadding2D(((0, 1), (1, 0))), cs.Conv2D(12, 2, groups=4, dilation_rate=(1, 2)), cs.MaxPooling2D(2),
         cs.Flatten(), cs.Dense(4)),
    ),
    "no dense layer": cs.Architecture(
        cs.Input(7, 6, 2), (cs.Conv2D(4, 3, activation="relu"), cs.Conv2D(3, 2, 2), cs.GlobalAveragePooling2D())
    ),
}  # fmt: skip


@pytest.fixture(params=ARCHITECTURES)
def architecture(request: pytest.FixtureRequest) -> cs.Architecture:
    return ARCHITECTURES[request.param]


@pytest.fixture
def images(architecture: cs.Architecture) -> NDArray[np.uint8]:
    """70 images: more than Keras computes in one block, and not a multiple of a block."""
    return np.random.default_rng(0).integers(0, 256, (70, *architecture.input.shape), np.uint8)


@pytest.fixture
def architectures() -> dict[str, cs.Architecture]:
    return ARCHITECTURES
