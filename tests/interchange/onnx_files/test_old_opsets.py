"""Files of opset 6, as PyTorch 0.3 wrote them: constants begin at an axis that is named, and training has a switch."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from tests.interchange.onnx_files.graphs import as_model, node, numbers, proto, runtime_answer, save

from convscope.base.errors import InterchangeError
from convscope.interchange.onnx_files import read_onnx

SHAPE = ("N", 2, 9, 6)  # maps behind the convolution are 4 wide and have 4 channels
WEIGHTS = {
    "w": numbers(4, 2, 3, 3), "bias": numbers(4), "slopes": numbers(4), "factors": numbers(4), "gamma": numbers(4),
    "beta": numbers(4), "mean": numbers(4), "variance": np.abs(numbers(4)) + 0.5, "k": numbers(3, 4), "v": numbers(3),
}  # fmt: skip
END = [
    node("GlobalAveragePool", "n", "p"),
    node("Flatten", "p", "f"),
    node("Dropout", "f", "d"),
    node("Gemm", "d k v", "y", transB=1),
]


def network(opset: int, **switch: int) -> onnx.ModelProto:
    """Return a network of an opset; before 7 its constants are vectors that begin at axis 1."""
    is_old = opset < 7
    broadcast = {"broadcast": 1, "axis": 1} if is_old else {}
    shape = (4,) if is_old else (4, 1, 1)
    constants = WEIGHTS | {name: WEIGHTS[name].reshape(shape) for name in ("bias", "slopes", "factors")}
    nodes = [
        node("Conv", "x w", "c"),
        node("Add", "c bias", "a", **broadcast),
        node("PRelu", "a slopes", "q"),
        node("Mul", "q factors", "m", **broadcast),
        node("BatchNormalization", "m gamma beta mean variance", "n", **switch),
    ]
    return proto([*nodes, *END], constants, SHAPE, opset=opset)


def test_constants_begin_at_the_axis_that_is_named(tmp_path: Path):
    images = np.random.default_rng(0).integers(0, 256, (3, 9, 6, 2), dtype=np.uint8)
    model = as_model(read_onnx(save(network(6, is_test=1), tmp_path)))
    np.testing.assert_allclose(model.logits(images), runtime_answer(network(9), images), atol=1e-5)


def test_a_normalisation_in_training_is_refused(tmp_path: Path):
    with pytest.raises(InterchangeError, match="is in training mode"):
        read_onnx(save(network(6), tmp_path))
