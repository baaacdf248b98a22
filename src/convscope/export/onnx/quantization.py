"""Quantise an ONNX model to 8 bits: weights by filter, outputs by their ranges on images, bytes as they are.

The quantiser is ONNX Runtime's. It writes float operators between `QuantizeLinear` and `DequantizeLinear`; a runtime
with 8-bit operators fuses these, any other computes them as they are. Source: Jacob and others 2018, section 2.
"""

import logging
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convscope.interchange.onnx_files.versions import IR_VERSIONS, require

_BATCH = 64  # images for which the quantiser computes all outputs at once
_OPERATORS = (
    "Conv",
    "Gemm",
    "Add",
    "Concat",
    "Gather",
    "MaxPool",
    "AveragePool",
    "GlobalAveragePool",
    "Reshape",
    "Pad",
    "Relu",
    "Clip",
    "LeakyRelu",
)
"""The operators that ONNX Runtime computes in 8 bits; all others stay in float32."""


def quantize_proto(proto: Any, images: NDArray[np.uint8], opset: int, float_layers: Sequence[str] = ()) -> Any:
    """Quantise a float32 `onnx.ModelProto` to 8 bits, with the ranges of its outputs on `images` (N, H, W, C).

    The nodes of `float_layers` stay float32.
    """
    quantization = require("onnxruntime.quantization")
    _repeat_channels(proto)
    _keep_float(proto, float_layers)
    image_name, scale, zero = _find_image_tensor(proto)
    nodes = [node.name for node in proto.graph.node]
    excluded = [name for name in nodes if name.startswith("input/") or "/gelu/" in name]
    excluded += [name for name in nodes if name.partition("/")[0] in float_layers]  # also NAME/relu
    # With the image's own scale, the 8-bit number of a pixel is its byte, and nothing is rounded. For byte / 255 the
    # scale is 1 / 255 and the zero 0. For numbers from -1 to 1, the zero would be 127.5, so there is none.
    override: dict[str, Any] = {}
    if zero is not None:
        override[image_name] = [{"scale": np.array(scale, np.float32), "zero_point": np.array(zero, np.uint8)}]
    starts = range(0, len(images), _BATCH)
    batches = [{"images": np.ascontiguousarray(images[start : start + _BATCH])} for start in starts]
    with tempfile.TemporaryDirectory() as folder, _quiet():
        target = Path(folder) / "quantized.onnx"
        quantization.quantize_static(
            proto,
            target,
            SimpleNamespace(get_next=partial(next, iter(batches), None)),  # the interface of a CalibrationDataReader
            per_channel=True,
            activation_type=quantization.QuantType.QUInt8,
            weight_type=quantization.QuantType.QInt8,
            op_types_to_quantize=list(_OPERATORS),
            nodes_to_exclude=excluded,
            calibrate_method=quantization.CalibrationMethod.MinMax,
            extra_options={
                "TensorQuantOverrides": override,
                "ForceQuantizeNoInputCheck": True,  # MaxPool, Reshape and others also where their input is float
                # Logits in steps of 1/256 of their range would be equal where the classes are close.
                "OpTypesToExcludeOutputQuantization": ["Gemm"],
            },
        )
        content = target.read_bytes()
    result = require("onnx").load_model_from_string(content)
    if zero is not None:
        _read_bytes_directly(result, image_name)
    # The quantiser names itself as producer; this restores the metadata of the original.
    result.producer_name, result.producer_version = proto.producer_name, proto.producer_version
    result.ir_version = IR_VERSIONS[opset]
    del result.metadata_props[:]
    result.metadata_props.extend(proto.metadata_props)
    return result


def _repeat_channels(proto: Any) -> None:
    """Repeat the input channels of each depthwise convolution with a multiplier, so that its own multiplier is 1.

    ONNX Runtime has fast 8-bit code only for a multiplier of 1: with 2, a layer took seven times as long.
    """
    helper, numpy_helper = require("onnx.helper"), require("onnx.numpy_helper")
    shapes = {part.name: tuple(part.dims) for part in proto.graph.initializer}
    for number, node in reversed(list(enumerate(proto.graph.node))):  # from the end: insertions move no earlier node
        group = next((part for part in node.attribute if part.name == "group"), None)
        if node.op_type != "Conv" or group is None or group.i == 1:
            continue
        filters, depth = shapes[node.input[1]][:2]
        if depth > 1 or filters == group.i:  # not depthwise, or without a multiplier
            continue
        # Output c · M + m reads channel c: with M = 2 the channels are 0 0 1 1 2 2 ...
        repeated = numpy_helper.from_array(np.repeat(np.arange(group.i), filters // group.i), f"{node.name}/channels")
        proto.graph.initializer.append(repeated)
        names = [node.input[0], repeated.name]
        proto.graph.node.insert(
            number, helper.make_node("Gather", names, [f"{node.name}/repeated"], name=f"{node.name}/repeat", axis=1)
        )
        node.input[0] = f"{node.name}/repeated"
        group.i = filters


def _keep_float(proto: Any, names: Sequence[str]) -> None:
    """Keep ONNX Runtime from rounding the weights of the layers `names` when it opens the file.

    Where the input and the output of a Conv or Gemm have 8 bits, ONNX Runtime (seen in 1.32) rounds float weights too,
    with one scale for all filters. It does not if something but a Relu or Clip follows: here, a LeakyRelu of slope 1,
    which changes nothing, and which it fuses with the layer.
    """
    for number, node in reversed(list(enumerate(proto.graph.node))):
        if node.op_type in ("Conv", "Gemm") and node.name in names and node.output[0] != "logits":
            output = node.output[0]
            node.output[0] = f"{node.name}/float"
            kept = require("onnx.helper").make_node(
                "LeakyRelu", [node.output[0]], [output], name=f"{node.name}/keep", alpha=1.0
            )
            proto.graph.node.insert(number + 1, kept)


def _find_image_tensor(proto: Any) -> tuple[str, float, int | None]:
    """Find the name of the scaled image, `(byte - zero) * scale`, with its scale and zero; None if no byte means 0."""
    numpy_helper = require("onnx.numpy_helper")
    constants = {
        tensor.name: float(numpy_helper.to_array(tensor))
        for tensor in proto.graph.initializer
        if tensor.name in ("input/scale", "input/offset")
    }
    scale, offset = constants.get("input/scale", 1.0), constants.get("input/offset", 0.0)
    # The last of the nodes that `writing._add_input` adds: input/transpose, input/cast, input/mul, input/add.
    image_name = [node for node in proto.graph.node if node.name.startswith("input/")][-1].output[0]
    if scale <= 0:
        return image_name, scale, None
    # scale · byte + offset = scale · (byte - zero)
    zero = -offset / scale
    return image_name, scale, round(zero) if 0 <= round(zero) <= 255 and abs(zero - round(zero)) < 1e-4 else None


def _read_bytes_directly(proto: Any, image_name: str) -> None:
    """Connect the image's bytes straight to its DequantizeLinear: scaling and quantising them gives the same bytes."""
    nodes = proto.graph.node
    quantizer = next((node for node in nodes if node.op_type == "QuantizeLinear" and node.input[0] == image_name), None)
    if quantizer is None:
        return
    for node in nodes:
        for number, name in enumerate(node.input):
            if name == quantizer.output[0]:
                node.input[number] = "input/bytes"
    nodes.remove(quantizer)
    if any(image_name in node.input for node in nodes):
        return  # a node reads the scaled numbers too, so they must still be computed
    for node in [node for node in nodes if node.name in ("input/cast", "input/mul", "input/add")]:
        nodes.remove(node)
    for tensor in [part for part in proto.graph.initializer if part.name in ("input/scale", "input/offset")]:
        proto.graph.initializer.remove(tensor)


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence the quantiser's advice, which it writes to the root logger."""
    level = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(level)
