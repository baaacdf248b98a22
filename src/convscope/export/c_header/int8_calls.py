"""Format the steps of a quantised network as C calls on integers.

A dense layer `dense_1` from 784 to 10 numbers, with 4-bit weights, becomes

    comment      dense ...; 7,840 weights of 4 bits, 7,840 multiply-adds; an integer q is 0.02 * (q + 128)
    functions    requantize, unpack_4, dense_4bit           C functions that the header must have, callees first
    arrays       dense_1_kernel, dense_1_bias, dense_1_multiplier, dense_1_shift
    call         dense_4bit(input, 784, zero, kernel, bias, multiplier, shift, output, 10, zero)

The input and the output are addresses in the working memory. In names, PREFIX stands for the header's own prefix.
"""

from math import prod

import numpy as np

from convscope.export.c_header.c_text import CArray, StepText, format_call, format_float
from convscope.export.c_header.fixed_point import LOWEST, Integers
from convscope.export.c_header.float32_calls import Arguments, IntegerArguments, choose_call
from convscope.export.c_header.memory import WorkingMemory, format_address
from convscope.export.c_header.packing import pack
from convscope.export.c_header.quantization import QuantizedNetwork, QuantizedStep
from convscope.export.c_header.steps import describe_step, move_outputs_first

_WITHOUT_RESCALING = {"max_pool", "average_pool", "pad", "look_up"}
"""The C functions that do not call `requantize`, because their output has the scale of their input, or a table's."""


def format_int8_steps(network: QuantizedNetwork, memory: WorkingMemory) -> list[StepText]:
    """Format the reading of the image, each step, and the conversion of the last value to logits."""
    parts = [_format_image(network, memory)]
    for number, quantized in enumerate(network.steps, 1):
        sources = [format_address(memory, value) for value in quantized.step.reads]
        parts.append(_format_step(quantized, sources, format_address(memory, number)))
    scale = network.scales[-1]
    if scale is not None:  # None after `dense_logits`, which writes the logits itself
        size = prod(network.steps[-1].step.output_shape) if network.steps else prod(network.image.shape)
        numbers = (scale.zero, format_float(scale.scale), format_float(scale.residue))
        logits = format_call("to_logits", format_address(memory, len(network.steps)), size, *numbers, "logits")
        parts.append(StepText("logits", ("to_logits",), (), (logits,)))
    return parts


def _format_image(network: QuantizedNetwork, memory: WorkingMemory) -> StepText:
    size, target = prod(network.image.shape), format_address(memory, 0)
    comment = f"image: {size} numbers"
    if np.array_equal(network.image_table, np.arange(256) + LOWEST):  # each byte becomes byte - 128
        return StepText(comment, ("read_image",), (), (format_call("read_image", "image", size, target),))
    table = CArray("image_table", network.image_table.astype(np.int8))
    reading = format_call("read_image_by_table", "image", size, "PREFIX_image_table", target)
    return StepText(comment, ("read_image_by_table",), (table,), (reading,))


def _format_step(quantized: QuantizedStep, sources: list[str], target: str) -> StepText:
    """Format a step that reads the values at the addresses `sources` and writes its output to `target`."""
    step, arrays = quantized.step, _make_arrays(quantized)
    function, arguments = _choose_call(quantized, sources, target, [f"PREFIX_{array.name}" for array in arrays])
    functions, calls = [], []
    if function:
        if quantized.bits < 8:  # such as dense_4bit, which calls unpack_4 for each weight
            functions.append(f"unpack_{quantized.bits}")
            function += f"_{quantized.bits}bit"
        if quantized.bits == 32:
            function += "_float"
        functions.append(function)
        calls.append(format_call(function, *arguments))
    if quantized.table is not None:
        # Of an activation the table is the whole step. Other steps write their output, and then look it up in place.
        source = sources[0] if step.kind == "activation" else target
        functions.append("look_up")
        arrays = (*arrays, CArray(f"{step.name}_table", quantized.table.astype(np.int8)))
        calls.append(format_call("look_up", source, prod(step.output_shape), f"PREFIX_{step.name}_table", target))
    # Only some C functions rescale their sums by `requantize`. `dense_logits`, which has no output scale, does not.
    if quantized.output_scale is not None and not set(functions) <= _WITHOUT_RESCALING:
        # C functions stand before those that call them.
        functions.insert(0, "round" if quantized.bits == 32 else "requantize")
    return StepText(_format_comment(quantized), tuple(functions), arrays, tuple(calls))


def _make_arrays(quantized: QuantizedStep) -> tuple[CArray, ...]:
    """Make the arrays of a linear step, in the order of the C functions' arguments."""
    if quantized.kernel is None or quantized.bias is None:
        return ()
    name = quantized.step.name
    kernel = move_outputs_first(quantized.step, quantized.kernel)
    if quantized.bits == 32:
        floats = (np.clip(array, -3e38, 3e38).astype(np.float32) for array in (kernel, quantized.bias))
        return tuple(CArray(f"{name}_{part}", array) for part, array in zip(("kernel", "bias"), floats, strict=True))
    kernel = pack(kernel, quantized.bits)
    arrays = [CArray(f"{name}_kernel", kernel), CArray(f"{name}_bias", quantized.bias.astype(np.int32))]
    if quantized.output_scale is None:
        return (*arrays, CArray(f"{name}_scale", quantized.units.astype(np.float32)))
    assert quantized.multipliers is not None
    assert quantized.shifts is not None
    multiplier = CArray(f"{name}_multiplier", quantized.multipliers.astype(np.int32))
    return (*arrays, multiplier, CArray(f"{name}_shift", quantized.shifts.astype(np.uint8)))


def _choose_call(
    quantized: QuantizedStep, sources: list[str], target: str, weights: list[str]
) -> tuple[str, Arguments]:
    """Choose the C function of a step and its arguments, see `choose_call`; "" for a step that is only a table.

    If a table follows, the output's zero is that of `sum_scale`, in which the table's input counts.
    """
    step, zeros = quantized.step, tuple(scale.zero for scale in quantized.input_scales)
    output_zero = () if quantized.sum_scale is None else (quantized.sum_scale.zero,)
    operands: list[Arguments] = [(), ()]
    sums: Arguments = ()
    match step.kind:
        case "activation":
            return "", ()
        case "dense" if quantized.output_scale is None:
            return "dense_logits", choose_call(step, sources, "logits", weights, IntegerArguments(zeros))[1]
        case "average_pool" if quantized.multipliers is not None:  # over a whole map, with a scale of its own
            factors = (*_to_ints(quantized.bias), *_to_ints(quantized.multipliers), *_to_ints(quantized.shifts))
            pixels, channels = prod(step.size), step.output_shape[2]
            return "average_map", (*sources, pixels, channels, *zeros, *factors, target, *output_zero)
        case "add":  # a multiplier for each input, and a bias and a shift for the sum
            operands = [(multiplier,) for multiplier in _to_ints(quantized.multipliers)]
            sums = (*_to_ints(quantized.bias), *_to_ints(quantized.shifts))
        case "concatenate":  # a multiplier and a bias for each input, and a shift for both
            operands = list(zip(_to_ints(quantized.multipliers), _to_ints(quantized.bias), strict=True))
            sums = (*_to_ints(quantized.shifts),)
        case "multiply":  # a multiplier and a shift for the products
            sums = (*_to_ints(quantized.multipliers), *_to_ints(quantized.shifts))
    return choose_call(step, sources, target, weights, IntegerArguments(zeros, operands, sums, output_zero))


def _to_ints(integers: Integers | None) -> list[int]:
    assert integers is not None
    return [int(integer) for integer in integers.reshape(-1)]


def _format_comment(quantized: QuantizedStep) -> str:
    """Describe a step in a comment: its operation, its number of weights, and the scale of its output."""
    step, scale, comment = quantized.step, quantized.output_scale, describe_step(quantized.step)
    if quantized.kernel is not None:
        weights = quantized.kernel.size
        macs = weights * (1 if step.kind == "dense" else prod(step.output_shape[:2]))  # each weight, at each position
        comment += f"; {weights:,} weights of {quantized.bits} bits, {macs:,} multiply-adds"
    if scale is None:
        return comment
    residue = f" {scale.residue:+.6g}" if scale.residue else ""
    return f"{comment}; an integer q is {scale.scale:.6g} * (q {-scale.zero:+d}){residue}"
