"""Format the steps of a network as C calls in float32.

A layer `conv2d` from 28 x 28 x 1 to 26 x 26 x 8 numbers, with a relu, becomes two calls. An input or output is given by
its address and shape, and between the two stand the weights and the window: its size, strides and padding.

    conv2d(values + 0, 28, 28, 1, conv2d_kernel, conv2d_bias, 3, 3, 1, 1, 0, 0, values + 784, 26, 26, 8);
    relu(values + 784, 5408);

In the file all names have a prefix, for which PREFIX stands here.
"""

from collections.abc import Sequence
from math import prod
from typing import NamedTuple

import numpy as np

from convscope.architecture import Input
from convscope.export.c_header.c_text import CArray, StepText, format_call, format_float
from convscope.export.c_header.memory import WorkingMemory, format_address
from convscope.export.c_header.steps import LINEAR, WRITES_LOGITS, ComputedStep, describe_step, move_outputs_first

Arguments = tuple[str | int, ...]


def format_float32_steps(steps: Sequence[ComputedStep], image: Input, memory: WorkingMemory) -> list[StepText]:
    """Format the reading of the image, each step, and the copying of the last value to the logits."""
    size = prod(image.shape)
    arguments = ("image", size, format_float(image.scale), format_float(image.offset), format_address(memory, 0))
    parts = [StepText(f"image: {size} numbers", ("read_image",), (), (format_call("read_image", *arguments),))]
    for number, step in enumerate(steps, 1):
        # The last layer writes straight into the caller's array, so that no copy is needed.
        target = "logits" if number == len(steps) and step.kind in WRITES_LOGITS else format_address(memory, number)
        parts.append(_format_step(step, [format_address(memory, value) for value in step.reads], target))
    if not steps or steps[-1].kind not in WRITES_LOGITS:
        classes = prod(steps[-1].output_shape) if steps else size
        copy = format_call("copy", format_address(memory, len(steps)), classes, "logits")
        parts.append(StepText("logits", ("copy",), (), (copy,)))
    return parts


def _format_step(step: ComputedStep, sources: list[str], target: str) -> StepText:
    """Format a step that reads the values at the addresses `sources` and writes its output to `target`."""
    arrays = _make_arrays(step)
    function, arguments = choose_call(step, sources, target, [f"PREFIX_{array.name}" for array in arrays])
    functions, calls = [], []
    if function:
        functions.append(function)
        calls.append(format_call(function, *arguments))
    if step.activation != "linear":
        functions.append(step.activation)
        slope = [format_float(step.slope)] if step.activation == "leaky_relu" else []
        calls.append(format_call(step.activation, target, prod(step.output_shape), *slope))
    return StepText(describe_step(step), tuple(functions), arrays, tuple(calls))


class IntegerArguments(NamedTuple):
    """The arguments that only the functions of int8.c have; float32.c has none of them.

    Attributes:
        zeros: the integer that stands for 0, of each input.
        operands: of each input of an `add` or `concatenate`, the factors that bring it to the steps of the output.
        sums: the bias and shift of an `add`, the shift of a `concatenate`, the multiplier and shift of a `multiply`.
        output_zero: the integer that stands for 0 in the output, if that has a scale of its own.
    """

    zeros: Arguments = ()
    operands: Sequence[Arguments] = ((), ())
    sums: Arguments = ()
    output_zero: Arguments = ()


_NONE = IntegerArguments()


def choose_call(
    step: ComputedStep, sources: list[str], target: str, weights: list[str], more: IntegerArguments = _NONE
) -> tuple[str, Arguments]:
    """Choose the C function of a step and its arguments; "" for an activation in place.

    The order is always the same: the input, its weights, the window, the output. A value is given by its address, its
    shape or size, and the integer that stands for 0.
    """
    size, pixels, zero, y_zero = prod(step.output_shape), prod(step.output_shape[:2]), more.zeros[:1], more.output_zero
    x: Arguments = (*sources, *step.input_shape)
    window: Arguments = (*step.size, *step.strides, *step.padding)
    match step.kind:
        case "conv2d" if step.is_plain:
            return "conv2d", (*x, *zero, *weights, *window, target, *step.output_shape, *y_zero)
        case "conv2d":
            window = (*step.size, *step.strides, *step.dilation, *step.padding)
            y = (target, *step.output_shape, step.groups)
            return "grouped_conv2d", (*x, *zero, *weights, *window, *y, *y_zero)
        case "depthwise":
            maps = (*step.output_shape[:2], step.output_shape[2] // step.input_shape[2])
            return "depthwise", (*x, *zero, *weights, *window, target, *maps, *y_zero)
        case "dense":
            return "dense", (*sources, prod(step.input_shape), *zero, *weights, target, size, *y_zero)
        case "max_pool" | "average_pool":
            return step.kind, (*x, *window, target, *step.output_shape[:2])
        case "pad":
            return "pad", (*x, *step.padding, target, *step.output_shape[:2], *zero)
        case "add" | "concatenate":
            channels, count = ((), size) if step.kind == "add" else (step.size, pixels)
            (a, b), zeros = sources, more.zeros
            first, second = ((*channels[i : i + 1], *zeros[i : i + 1], *more.operands[i]) for i in (0, 1))
            return step.kind, (a, *first, b, *second, *more.sums, count, target, *y_zero)
        case "normalize":
            numbers = (*step.size, step.input_shape[2], step.groups)
            return "normalize", (*sources, *numbers, *weights, format_float(step.epsilon), target)
        case "multiply":
            (a, b), zeros = sources, more.zeros
            return "multiply", (a, *zeros[:1], b, *zeros[1:], *step.size, *more.sums, target, *y_zero)
        case "soft_voting":
            return "soft_voting", (*sources, prod(step.input_shape) // size, target, size)  # members = inputs / classes
        case "activation":  # the caller adds the activation itself, which works in place
            return ("", ()) if sources[0] == target else ("copy", (*sources, size, target))


def _make_arrays(step: ComputedStep) -> tuple[CArray, ...]:
    if step.kind not in (*LINEAR, "normalize"):
        return ()
    kernel, bias = (
        weight.astype(np.float32) for weight in (move_outputs_first(step, step.weights[0]), step.weights[1])
    )
    return CArray(f"{step.name}_kernel", kernel), CArray(f"{step.name}_bias", bias)
