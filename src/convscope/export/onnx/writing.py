"""Write a model as an ONNX file."""

import json
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from convscope.architecture.table import get_source_name
from convscope.base.errors import InterchangeError
from convscope.base.files import write_bytes
from convscope.export.formats import Dtype, check_calibration
from convscope.export.onnx.layer_nodes import NodeOutput, OnnxGraph, add_layer, keeps_number_order
from convscope.export.onnx.quantization import quantize_proto
from convscope.interchange.onnx_files.versions import DEFAULT_OPSET, IR_VERSIONS, require
from convscope.training.folding import Plan, find_flatten_order, make_plan
from convscope.training.model import Model

OUTPUTS = ("logits", "probabilities")


def write_onnx(
    model: Model,
    path: Path | str,
    *,
    dtype: Dtype = "float32",
    fold: bool = True,
    opset: int = DEFAULT_OPSET,
    calibration_images: NDArray[np.uint8] | None = None,
    float_layers: Sequence[str] = (),
) -> None:
    """Write `model` to `path` as an ONNX file, whole or not at all.

    The file reads `images` (N, H, W, C) uint8 and gives `logits` and `probabilities` (N, K) float32. Nodes, values and
    weights are named after the layers: `conv2d`, `conv2d/kernel`, `conv2d/relu`. The same model gives the same bytes.

    Args:
        dtype: that of weights and arithmetic. `int8` scales the weights of each filter by itself, and outputs by their
            ranges on `calibration_images`.
        fold: fold batch normalisation and the scaling of bytes into weights where that is exact, and the order of
            flattened maps into the next kernel. Otherwise every layer has a node of its own.
        opset: the version of the operators, 15 to 22.
        calibration_images: (M, H, W, C) uint8 for `int8`: some hundred images of the training set.

        float_layers: layers of an `int8` file that are computed in float32.

    Raises:
        InterchangeError: if `opset` is out of range, or a weight too large for float16.
        ConvscopeError: if `onnx` is not installed, or the file cannot be written.
    """
    if opset not in IR_VERSIONS:
        raise InterchangeError(f"opset is {opset!r}; it must be from {min(IR_VERSIONS)} to {max(IR_VERSIONS)}")
    onnx = require("onnx")
    check_calibration(model, dtype, calibration_images)
    if dtype == "int8":
        assert calibration_images is not None, "checked"
        stages = make_plan(model, fold=fold, fold_input=fold).stages
        excluded = [stage.name for stage in stages if {*float_layers} & {stage.name, *stage.outputs}]
        proto = make_proto(model, dtype="float32", fold=fold, opset=opset)
        content = quantize_proto(proto, calibration_images, opset, excluded)
    else:
        content = make_proto(model, dtype=dtype, fold=fold, opset=opset)
    onnx.checker.check_model(content, full_check=True)
    write_bytes(Path(path), content.SerializeToString(deterministic=True))


def make_proto(model: Model, *, dtype: Literal["float32", "float16"], fold: bool, opset: int) -> Any:
    """Make the `onnx.ModelProto` of a model."""
    onnx = require("onnx")
    helper, numpy_helper = onnx.helper, onnx.numpy_helper
    graph = OnnxGraph(np.dtype(dtype), opset)
    # A kernel divided by 255 keeps its precision in float32, but float16 has too few small numbers.
    plan = make_plan(model, fold=fold, fold_input=fold and dtype == "float32")
    _add_layers(graph, plan, _add_input(graph, plan, model.architecture.input.shape), fold)
    outputs = [
        helper.make_tensor_value_info(name, _onnx_type(np.float32), ["N", len(model.class_names)]) for name in OUTPUTS
    ]
    image = helper.make_tensor_value_info("images", _onnx_type(np.uint8), ["N", *model.architecture.input.shape])
    proto = helper.make_model(
        helper.make_graph(
            graph.nodes,
            "convscope",
            [image],
            outputs,
            [numpy_helper.from_array(array, name) for name, array in graph.initializers.items()],
        ),
        opset_imports=[helper.make_opsetid("", opset)],
        ir_version=IR_VERSIONS[opset],
        producer_name="convscope",
        producer_version=version("convscope"),
    )
    helper.set_model_props(proto, _make_properties(model))
    return proto


def _make_properties(model: Model) -> dict[str, str]:
    """Make the metadata of the file: what convscope knows of the model, and ONNX has no field for."""
    texts: dict[str, Any] = {
        "architecture": model.architecture.to_dict(),
        "class_names": list(model.class_names),
        "provenance": dict(model.provenance),
    }
    return {
        "convscope_version": version("convscope"),
        "weights_sha256": model.weights_sha256,
        **{key: json.dumps(value, allow_nan=False, ensure_ascii=False) for key, value in texts.items()},
    }


def _add_input(graph: OnnxGraph, plan: Plan, shape: tuple[int, ...]) -> NodeOutput:
    """Add the nodes that turn bytes (N, H, W, C) into scaled numbers (N, C, H, W)."""
    maps = graph.add_node("Transpose", ["images"], "input/transpose", "input/bytes", perm=[0, 3, 1, 2])
    # Also in a float16 file, bytes are scaled in float32, and so rounded once instead of at every step.
    name = graph.add_node("Cast", [maps], "input/cast", "input/float32", to=_onnx_type(np.float32))
    if plan.scale != 1:
        scale = graph.add_constant("input/scale", np.array(plan.scale, np.float32))
        name = graph.add_node("Mul", [name, scale], "input/mul", "input/scaled")
    if plan.offset != 0:
        offset = graph.add_constant("input/offset", np.array(plan.offset, np.float32))
        name = graph.add_node("Add", [name, offset], "input/add", "input/shifted")
    if graph.dtype != np.float32:
        name = graph.add_node("Cast", [name], "input/round", f"input/{graph.dtype}", to=_onnx_type(graph.dtype))
    return NodeOutput(name, shape)


def _add_layers(graph: OnnxGraph, plan: Plan, image: NodeOutput, fold: bool) -> None:
    """Add all stages and the outputs."""
    value, values = image, {"input": image}
    for number, stage in enumerate(plan.stages):
        order = None
        if stage.kind == "Flatten" and len(value.shape) == 3:
            # With one channel or one pixel, both orders are the same.
            is_same = keeps_number_order(value.shape)
            order = find_flatten_order(plan.stages, number) if fold and not is_same else None
        second = values[name] if (name := get_source_name(stage.layer)) else None
        output = f"{stage.name}/{'maps' if len(stage.output_shape) == 3 else 'vector'}"
        if stage is plan.stages[-1] and graph.dtype == np.float32:
            output = "logits"
        value = add_layer(graph, stage, value, second, order, output)
        values |= dict.fromkeys(stage.outputs, value)
    if value.name != "logits":  # a float16 network, or one whose last layer is only a softmax
        graph.add_node("Cast", [value.name], "logits/cast", "logits", to=_onnx_type(np.float32))
    graph.add_node("Softmax", ["logits"], "logits/softmax", "probabilities", axis=1)


def _onnx_type(dtype: Any) -> int:
    helper = require("onnx.helper")
    return int(helper.np_dtype_to_tensor_dtype(np.dtype(dtype)))
