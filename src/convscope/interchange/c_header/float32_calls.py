"""Format the steps of a network as C calls in float32."""

from collections.abc import Sequence
from math import prod

import numpy as np

from convscope.architecture import Input
from convscope.interchange.c_header.c_text import CArray, StepText, format_call, format_float
from convscope.interchange.c_header.memory import WorkingMemory, format_address
from convscope.interchange.c_header.steps import LINEAR, WRITES_LOGITS, ComputedStep, describe_step, move_outputs_first


def format_float32_steps(steps: Sequence[ComputedStep], image: Input, memory: WorkingMemory) -> list[StepText]:
    """Format the reading of the image, each step, and the copying of the last value to the logits."""
    size = prod(image.shape)
    first = ("image", size, format_float(image.scale), format_float(image.offset), format_address(memory, 0))
    parts = [StepText(f"image: {size} numbers", ("read_image",), (), (format_call("read_image", *first),))]
    for number, step in enumerate(steps, 1):
        target = "logits" if number == len(steps) and step.kind in WRITES_LOGITS else format_address(memory, number)
        parts.append(_format_step(step, [format_address(memory, value) for value in step.reads], target))
    if not steps or steps[-1].kind not in WRITES_LOGITS:
        classes = prod(steps[-1].output_shape) if steps else size
        copy = format_call("copy", format_address(memory, len(steps)), classes, "logits")
        parts.append(StepText("logits", ("copy",), (), (copy,)))
    return parts


def _format_step(step: ComputedStep, read: list[str], target: str) -> StepText:
    arrays = _make_arrays(step)
    function, arguments = _choose_call(step, read, target, [f"PREFIX_{array.name}" for array in arrays])
    functions, calls = [], []
    if function:
        functions.append(function)
        calls.append(format_call(function, *arguments))
    if step.activation != "linear":
        functions.append(step.activation)
        slope = [format_float(step.slope)] if step.activation == "leaky_relu" else []
        calls.append(format_call(step.activation, target, prod(step.output_shape), *slope))
    return StepText(describe_step(step), tuple(functions), arrays, tuple(calls))


def _choose_call(
    step: ComputedStep, read: list[str], target: str, weights: list[str]
) -> tuple[str, tuple[str | int, ...]]:
    """Choose the C function of a step and its arguments; "" for an activation that works in place."""
    size = prod(step.output_shape)
    window: tuple[int, ...] = (*step.size, *step.strides, *step.padding)
    match step.kind:
        case "conv2d" if not step.is_plain:
            window = (*step.size, *step.strides, *step.dilation, *step.padding)
            shape = (*step.output_shape, step.groups)
            return "grouped_conv2d", (*read, *step.input_shape, *weights, *window, target, *shape)
        case "conv2d":
            return "conv2d", (*read, *step.input_shape, *weights, *window, target, *step.output_shape)
        case "depthwise":
            maps = (*step.output_shape[:2], step.output_shape[2] // step.input_shape[2])
            return "depthwise", (*read, *step.input_shape, *weights, *window, target, *maps)
        case "dense":
            return "dense", (*read, prod(step.input_shape), *weights, target, size)
        case "max_pool" | "average_pool":
            return step.kind, (*read, *step.input_shape, *window, target, *step.output_shape[:2])
        case "pad":
            return "pad", (*read, *step.input_shape, *step.padding, target, *step.output_shape[:2])
        case "add":
            return "add", (*read, size, target)
        case "concatenate":
            (a, b), pixels = step.size, prod(step.output_shape[:2])
            return "concatenate", (read[0], a, read[1], b, pixels, target)
        case "soft_voting":
            return "soft_voting", (*read, prod(step.input_shape) // size, target, size)
        case "activation":
            return ("", ()) if read[0] == target else ("copy", (*read, size, target))


def _make_arrays(step: ComputedStep) -> tuple[CArray, ...]:
    if step.kind not in LINEAR:
        return ()
    kernel, bias = (
        weight.astype(np.float32) for weight in (move_outputs_first(step, step.weights[0]), step.weights[1])
    )
    return CArray(f"{step.name}_kernel", kernel), CArray(f"{step.name}_bias", bias)
