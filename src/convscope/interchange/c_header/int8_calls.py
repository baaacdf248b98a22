"""The steps of a quantised network as calls in integers."""

from math import prod

import numpy as np

from convscope.interchange.c_header.c_text import CArray, StepText, call, float_literal
from convscope.interchange.c_header.fixed_point import LOWEST, Integers
from convscope.interchange.c_header.memory import WorkingMemory, value_at
from convscope.interchange.c_header.packing import packed
from convscope.interchange.c_header.quantization import QuantizedNetwork, QuantizedStep
from convscope.interchange.c_header.steps import outputs_first, step_comment


def int8_parts(network: QuantizedNetwork, memory: WorkingMemory) -> list[StepText]:
    """Return how the image is read, each step, and how the last value becomes the logits."""
    parts = [_image_part(network, memory)]
    for number, quantized in enumerate(network.steps, 1):
        read = [value_at(memory, value) for value in quantized.step.reads]
        parts.append(_part(quantized, read, value_at(memory, number)))
    scale = network.scales[-1]
    if scale is not None:
        size = prod(network.steps[-1].step.output_shape) if network.steps else prod(network.image.shape)
        numbers = (scale.zero, float_literal(scale.scale), float_literal(scale.residue))
        logits = call("to_logits", value_at(memory, len(network.steps)), size, *numbers, "logits")
        parts.append(StepText("logits", ("to_logits",), (), (logits,)))
    return parts


def _image_part(network: QuantizedNetwork, memory: WorkingMemory) -> StepText:
    size, target = prod(network.image.shape), value_at(memory, 0)
    comment = f"image: {size} numbers"
    if np.array_equal(network.image_table, np.arange(256) + LOWEST):
        return StepText(comment, ("read_image",), (), (call("read_image", "image", size, target),))
    table = CArray("image_table", network.image_table.astype(np.int8))
    reading = call("read_image_by_table", "image", size, "PREFIX_image_table", target)
    return StepText(comment, ("read_image_by_table",), (table,), (reading,))


def _part(quantized: QuantizedStep, read: list[str], target: str) -> StepText:
    step, given, result = quantized.step, quantized.given, quantized.result
    size = prod(step.output_shape)
    window: tuple[int, ...] = (*step.size, *step.strides, *step.before)
    entry = quantized.before_table
    zeros: tuple[int, ...] = () if entry is None else (entry.zero,)  # of what the sums become
    arrays = _arrays(quantized)
    weights = [f"PREFIX_{array.name}" for array in arrays]
    packs = "" if quantized.bits == 8 else f"_{quantized.bits}bit"  # the end of a function's name
    function = f"{step.kind}{packs}"
    functions, calls = [], []
    match step.kind:
        case "conv2d" if not step.is_plain:
            function = f"grouped_{function}"
            given_shape = (*step.input_shape, given[0].zero)
            window = (*step.size, *step.strides, *step.dilation, *step.before)
            shape = (*step.output_shape, step.groups)
            calls.append(call(function, *read, *given_shape, *weights, *window, target, *shape, *zeros))
        case "conv2d":
            given_shape = (*step.input_shape, given[0].zero)
            calls.append(call(function, *read, *given_shape, *weights, *window, target, *step.output_shape, *zeros))
        case "depthwise":
            given_shape = (*step.input_shape, given[0].zero)
            maps = (*step.output_shape[:2], step.output_shape[2] // step.input_shape[2])
            calls.append(call(function, *read, *given_shape, *weights, *window, target, *maps, *zeros))
        case "dense":
            inputs: tuple[str | int, ...] = (read[0], prod(step.input_shape), given[0].zero, *weights)
            if result is None:
                function = f"dense_logits{packs}"
                calls.append(call(function, *inputs, "logits", size))
            else:
                calls.append(call(function, *inputs, target, size, *zeros))
        case "average_pool" if quantized.multipliers is not None:
            function = "average_map"
            factors = (*_numbers(quantized.bias), *_numbers(quantized.multipliers), *_numbers(quantized.shifts))
            pixels, channels = prod(step.size), step.output_shape[2]
            calls.append(call(function, *read, pixels, channels, given[0].zero, *factors, target, *zeros))
        case "max_pool" | "average_pool":
            calls.append(call(step.kind, *read, *step.input_shape, *window, target, *step.output_shape[:2]))
        case "pad":
            padding: tuple[str | int, ...] = (*step.before, target, *step.output_shape[:2], given[0].zero)
            calls.append(call("pad", *read, *step.input_shape, *padding))
        case "add":
            first, second = _numbers(quantized.multipliers)
            summands: tuple[str | int, ...] = (read[0], given[0].zero, first, read[1], given[1].zero, second)
            rest: tuple[str | int, ...] = (*_numbers(quantized.bias), *_numbers(quantized.shifts), size, target, *zeros)
            calls.append(call("add", *summands, *rest))
        case "concatenate":
            both: list[str | int] = []
            parts = zip(read, step.size, given, _numbers(quantized.multipliers), _numbers(quantized.bias), strict=True)
            for value, channels, scale, multiplier, bias in parts:
                both += [value, channels, scale.zero, multiplier, bias]
            pixels = prod(step.output_shape[:2])
            calls.append(call("concatenate", *both, *_numbers(quantized.shifts), pixels, target, *zeros))
    if calls:
        functions += [f"unpack_{quantized.bits}", function] if packs else [function]
    if quantized.table is not None:
        source = read[0] if step.kind == "activation" else target
        functions.append("look_up")
        arrays = (*arrays, CArray(f"{step.name}_table", quantized.table.astype(np.int8)))
        calls.append(call("look_up", source, size, f"PREFIX_{step.name}_table", target))
    if result is not None and not {"max_pool", "pad", "look_up", "average_pool"} >= set(functions):
        functions.insert(0, "requantize")
    return StepText(_comment(quantized), tuple(functions), arrays, tuple(calls))


def _arrays(quantized: QuantizedStep) -> tuple[CArray, ...]:
    """Return the arrays of a linear step, in the order in which the functions take them."""
    if quantized.kernel is None or quantized.bias is None:
        return ()
    name = quantized.step.name
    kernel = packed(outputs_first(quantized.step, quantized.kernel), quantized.bits)
    arrays = [CArray(f"{name}_kernel", kernel), CArray(f"{name}_bias", quantized.bias.astype(np.int32))]
    if quantized.logit_scales is not None:
        return (*arrays, CArray(f"{name}_scale", quantized.logit_scales))
    assert quantized.multipliers is not None
    assert quantized.shifts is not None
    multiplier = CArray(f"{name}_multiplier", quantized.multipliers.astype(np.int32))
    return (*arrays, multiplier, CArray(f"{name}_shift", quantized.shifts.astype(np.uint8)))


def _numbers(integers: Integers | None) -> list[int]:
    assert integers is not None
    return [int(integer) for integer in integers.reshape(-1)]


def _comment(quantized: QuantizedStep) -> str:
    """Describe a step in a comment: its operation, its number of weights, and the scale of its output."""
    step, result, comment = quantized.step, quantized.result, step_comment(quantized.step)
    if quantized.kernel is not None:
        weights = quantized.kernel.size
        macs = weights * (1 if step.kind == "dense" else prod(step.output_shape[:2]))
        comment += f"; {weights:,} weights of {quantized.bits} bits, {macs:,} multiply-adds"
    if result is None:
        return comment
    residue = f" {result.residue:+.6g}" if result.residue else ""
    return f"{comment}; an integer q is {result.scale:.6g} * (q {-result.zero:+d}){residue}"
