"""The steps of a network as calls in float32."""

from collections.abc import Sequence
from math import prod

import numpy as np

from convscope.architecture import Input
from convscope.interchange.c_header.c_text import CArray, StepText, call, float_literal
from convscope.interchange.c_header.memory import WorkingMemory, value_at
from convscope.interchange.c_header.steps import LINEAR, WRITES_LOGITS, ComputedStep, outputs_first, step_comment


def float32_parts(steps: Sequence[ComputedStep], image: Input, memory: WorkingMemory) -> list[StepText]:
    """Return how the image is read, each step, and how the last value becomes the logits."""
    size = prod(image.shape)
    first = ("image", size, float_literal(image.scale), float_literal(image.offset), value_at(memory, 0))
    parts = [StepText(f"image: {size} numbers", ("read_image",), (), (call("read_image", *first),))]
    for number, step in enumerate(steps, 1):
        target = "logits" if number == len(steps) and step.kind in WRITES_LOGITS else value_at(memory, number)
        parts.append(_part(step, [value_at(memory, value) for value in step.reads], target))
    if not steps or steps[-1].kind not in WRITES_LOGITS:
        classes = prod(steps[-1].output_shape) if steps else size
        copy = call("copy", value_at(memory, len(steps)), classes, "logits")
        parts.append(StepText("logits", ("copy",), (), (copy,)))
    return parts


def _part(step: ComputedStep, read: list[str], target: str) -> StepText:
    size = prod(step.output_shape)
    functions, arrays, calls = [str(step.kind)], _arrays(step), []
    weights = [f"PREFIX_{array.name}" for array in arrays]
    window: tuple[int, ...] = (*step.size, *step.strides, *step.before)
    match step.kind:
        case "conv2d" if not step.is_plain:
            functions = ["grouped_conv2d"]
            window = (*step.size, *step.strides, *step.dilation, *step.before)
            shape = (*step.output_shape, step.groups)
            calls.append(call("grouped_conv2d", *read, *step.input_shape, *weights, *window, target, *shape))
        case "conv2d":
            calls.append(call("conv2d", *read, *step.input_shape, *weights, *window, target, *step.output_shape))
        case "depthwise":
            maps = (*step.output_shape[:2], step.output_shape[2] // step.input_shape[2])
            calls.append(call("depthwise", *read, *step.input_shape, *weights, *window, target, *maps))
        case "dense":
            calls.append(call("dense", *read, prod(step.input_shape), *weights, target, size))
        case "max_pool" | "average_pool":
            calls.append(call(step.kind, *read, *step.input_shape, *window, target, *step.output_shape[:2]))
        case "pad":
            calls.append(call("pad", *read, *step.input_shape, *step.before, target, *step.output_shape[:2]))
        case "add":
            calls.append(call("add", *read, size, target))
        case "concatenate":
            (a, b), pixels = step.size, prod(step.output_shape[:2])
            calls.append(call("concatenate", read[0], a, read[1], b, pixels, target))
        case "soft_voting":
            calls.append(call("soft_voting", *read, prod(step.input_shape) // size, target, size))
        case "activation":
            functions = []
            if read[0] != target:
                functions.append("copy")
                calls.append(call("copy", *read, size, target))
    if step.activation != "linear":
        functions.append(step.activation)
        slope = [float_literal(step.slope)] if step.activation == "leaky_relu" else []
        calls.append(call(step.activation, target, size, *slope))
    return StepText(step_comment(step), tuple(functions), arrays, tuple(calls))


def _arrays(step: ComputedStep) -> tuple[CArray, ...]:
    if step.kind not in LINEAR:
        return ()
    kernel, bias = (weight.astype(np.float32) for weight in (outputs_first(step, step.weights[0]), step.weights[1]))
    return CArray(f"{step.name}_kernel", kernel), CArray(f"{step.name}_bias", bias)
