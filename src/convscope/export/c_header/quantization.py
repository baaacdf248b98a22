"""Quantise a network to 8-bit integers: scales from calibration images, weights by channel, sums without overflow.

The result holds all integers of the C file; `simulation` computes with them. An integer q from -128 to 127 stands for
the number scale · (q - zero) + residue, by the `Scale` of its value, and a weight w for scale · w, by its channel's. So
a sum Σ w · (q - zero) counts in units of both scales multiplied, and is then rescaled to the output's `Scale`.

Example: bytes become numbers from 0 to 1, so the image has the scale 1/255 and the zero -128. The largest weight of a
channel is 0.5, so its scale is 0.5 / 127. Its sums count in units of 1/255 · 0.5/127 = 1.54e-5. With an output from 0
to 4 (scale 4/255, zero -128), a sum times 1.54e-5 / (4/255) = 0.00098, less 128, is the output's integer. In C, that
factor is a whole multiplier divided by a power of two.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convscope.architecture import Input
from convscope.base.errors import ConvscopeError
from convscope.export.c_header.arithmetic import activate, compute_step, scale_images
from convscope.export.c_header.fixed_point import HIGHEST, LOWEST, Array, Integers, Scale, choose_scale, to_fixed_point
from convscope.export.c_header.packing import count_bits, find_grid
from convscope.export.c_header.steps import LINEAR, ComputedStep, plan_steps
from convscope.training.model import Model

_ALL_INTEGERS = np.arange(LOWEST, HIGHEST + 1)
# The ranges of 500 training images were too narrow: a logit of a held-out image was off by up to 1.56. With ranges 1.5
# times as wide, it was off by up to 0.28.
MARGIN = 1.5
_SUM_LIMIT = 2**30  # limit for a bias, and for the sum of products: together below 2^31
_SMALLEST_WEIGHT_SCALE = 1e-150  # so that its product with any other scale is above 0
# Bits of the factors of an `add` or `concatenate`. Two factors times 255, the bias and the half that rounds stay below
# 2^31: 2 · 255 · 2^21 + 2^21 + 2^29 = 1.6e9.
_ADD_BITS = 21
_LARGEST_WINDOW = 2**23  # pixels that an average sums in 32 bits: 255 · 2^23 < 2^31
_BLOCK_VALUES = 2**22  # numbers of 8 bytes at a time, of all steps together: 32 MiB


@dataclass(frozen=True, eq=False)
class QuantizedStep:
    """A step with its integers.

    Attributes:
        input_scales: the scales of the values that the step reads.
        output_scale: the scale of its output, after the table; None if the sums become logits.
        kernel: int8, for linear steps, in the order of the `ComputedStep`; float64 if it stays float.
        bias: int32, of linear steps and of those that rescale their inputs; float64 with a float kernel.
        multipliers, shifts: turn sums into integers, see `rescale`. One pair for each channel, or one for all. An `add`
            or `concatenate` has one multiplier for each input and one shift; an `add` has one bias.
        sum_scale: the scale of the integers that `rescale` makes of the sums, which are the input of the table.
        table: the result of the activation for each of -128 to 127, (256,).
        units: the numbers that 1 stands for in the sums of each channel, for linear steps.
        bits: those of a weight of the kernel in the C file: 2 if all are -1 to 1, 4 if all are -7 to 7, else 8; 32 if
            it stays float.
    """

    step: ComputedStep
    input_scales: tuple[Scale, ...]
    output_scale: Scale | None
    kernel: NDArray[Any] | None = None
    bias: NDArray[Any] | None = None
    multipliers: Integers | None = None
    shifts: Integers | None = None
    sum_scale: Scale | None = None
    table: Integers | None = None
    units: Array = field(default_factory=lambda: np.ones(1))
    bits: int = 8


@dataclass(frozen=True, eq=False)
class QuantizedNetwork:
    """All integers of a network.

    Attributes:
        image_table: the integer of each byte, (256,).
        scales: the scale of every value, the image first; None for a last dense layer, whose sums become float logits.
    """

    image: Input
    image_table: Integers
    scales: tuple[Scale | None, ...]
    steps: tuple[QuantizedStep, ...]


def quantize(
    model: Model, images: NDArray[np.uint8], steps: tuple[ComputedStep, ...] | None = None, margin: float = MARGIN
) -> QuantizedNetwork:
    """Quantise `model`, with ranges `margin` times as wide as the numbers that `images` (N, H, W, C) cause.

    `steps` are those of `plan_steps`, by default without options.

    Raises:
        ConvscopeError: if a weight or an activation is not finite, an average is over more than 8 million pixels, or
            the model is an ensemble or normalises each image.
    """
    steps = plan_steps(model) if steps is None else steps
    for step in steps:
        if step.kind == "soft_voting":
            raise ConvscopeError(f"{step.layers[0]}: an ensemble has no C header in int8; export it as float32")
        if step.kind == "normalize":
            raise ConvscopeError(
                f"{step.layers[0]}: 8 bits cannot hold the mean and variance of each image; export it as float32"
            )
        if step.kind == "average_pool" and prod(step.size) > _LARGEST_WINDOW:
            raise ConvscopeError(
                f"{step.layers[0]}: a mean over {prod(step.size)} pixels overflows; export it as float32"
            )
    image = model.architecture.input
    image_scale, image_table = _choose_image_scale(image)
    scales: list[Scale | None] = [image_scale]
    quantized = []
    ranges = (margin * _measure_ranges(steps, image, images)).tolist()
    for number, (step, (low, high)) in enumerate(zip(steps, ranges, strict=True)):
        input_scales = tuple(scale for value in step.reads if (scale := scales[value]) is not None)
        quantized.append(_quantize_step(step, input_scales, (low, high), is_last=number + 1 == len(steps)))
        scales.append(quantized[-1].output_scale)
    return QuantizedNetwork(image, image_table, tuple(scales), tuple(quantized))


_Range = tuple[float, float]  # the smallest and the largest number of a step


def _measure_ranges(steps: tuple[ComputedStep, ...], image: Input, images: NDArray[np.uint8]) -> Array:
    """Measure each step's smallest and largest number before its activation, (steps, 2)."""
    ranges = np.tile([np.inf, -np.inf], (len(steps), 1))
    for block in split_images(steps, image, images):
        values = [scale_images(block, image.scale, image.offset)]
        for step, extremes in zip(steps, ranges, strict=True):
            with np.errstate(all="ignore"):  # numbers that are not finite are refused below
                numbers = compute_step(step, [values[value] for value in step.reads])
                values.append(activate(step.activation, step.slope, numbers))
            extremes[:] = np.minimum(extremes[0], numbers.min()), np.maximum(extremes[1], numbers.max())
    for step, extremes in zip(steps, ranges, strict=True):
        if not np.isfinite(extremes).all():
            raise ConvscopeError(f"{step.layers[0]}: it gives numbers that are not finite; train the model again")
    return ranges


def split_images(
    steps: tuple[ComputedStep, ...], image: Input, images: NDArray[np.uint8], max_values: int = _BLOCK_VALUES
) -> Iterator[NDArray[np.uint8]]:
    """Yield `images` in parts whose values, of all steps together, are at most `max_values`."""
    values = prod(image.shape) + sum(prod(step.output_shape) for step in steps)
    size = max(1, max_values // values)
    for start in range(0, len(images), size):
        yield images[start : start + size]


def _choose_image_scale(image: Input) -> tuple[Scale, Integers]:
    """Choose the scale of the images and the integer of each byte, which is the byte - 128 if some byte is near 0.

    That byte, rounded, is then the `zero` of the scale. For numbers from -1 to 1 it is 127.5 - 128 = -0.5, which lies
    between two bytes, so the scale has a residue of half a step.
    """
    if image.scale > max(1e-30, abs(image.offset) * 1e-9):  # else no byte is near 0, and the quotient might overflow
        exact_zero = LOWEST - image.offset / image.scale  # solves image.scale · (q - LOWEST) + image.offset = 0
        if LOWEST - 0.5 <= exact_zero <= HIGHEST + 0.5:
            zero = min(max(round(exact_zero), LOWEST), HIGHEST)
            return Scale(image.scale, zero, image.offset + image.scale * (zero - LOWEST)), _ALL_INTEGERS
    numbers = scale_images(np.arange(256, dtype=np.uint8), image.scale, image.offset)
    scale = choose_scale(numbers.min(), numbers.max())
    return scale, scale.to_integers(numbers)


def _quantize_step(step: ComputedStep, inputs: tuple[Scale, ...], range_: _Range, *, is_last: bool) -> QuantizedStep:
    """Choose the scales of a step and its integers, kind by kind.

        max_pool, pad, average_pool of windows           integers in the scale of the input
        activation                                       a table of the input's integers
        dense as the last step                           sums, which factors in float turn into logits
        all others, also the average_pool of a map       sums, which `_quantize_sums` rescales to integers

    Args:
        inputs: the scales of the values that it reads.
        range_: the range of its numbers before the activation.
    """
    if step.kind in ("max_pool", "pad") or (step.kind == "average_pool" and not step.is_whole_map):
        return QuantizedStep(step, inputs, inputs[0])  # maxima and means of integers keep their scale
    if step.kind == "activation":
        numbers = activate(step.activation, step.slope, inputs[0].to_numbers(_ALL_INTEGERS))
        output_scale = choose_scale(numbers.min(), numbers.max())
        return QuantizedStep(step, inputs, output_scale, sum_scale=inputs[0], table=output_scale.to_integers(numbers))
    if step.kind == "dense" and is_last:  # no range is needed: sums times `units` are the logits
        kernel, bias, units, bits = _quantize_weights(step, inputs[0])
        return QuantizedStep(step, inputs, None, kernel, bias, units=units, bits=bits)
    return _quantize_sums(step, inputs, range_)


def _quantize_sums(step: ComputedStep, inputs: tuple[Scale, ...], range_: _Range) -> QuantizedStep:
    """Quantise a step that sums: its sums · multiplier / 2^shift are integers of `sum_scale`, and the table's input."""
    output_scale, sum_scale, table = _plan_table(step, range_)
    kernel: NDArray[Any] | None = None
    bias: NDArray[Any] | None
    bits, units = 8, np.ones(1)
    if step.kind in ("add", "concatenate"):
        bias, multipliers, shifts = _align_inputs(step, inputs, sum_scale)
    elif step.kind == "multiply":
        # (scale · (q - zero)) · (scale' · (q' - zero')); a residue, at most half a step of an image, is left out.
        bias = None
        multipliers, shifts = to_fixed_point([inputs[0].scale * inputs[1].scale / sum_scale.scale])
    elif step.kind == "average_pool":
        # The mean of n numbers scale · (q - zero) + residue is scale / n · (Σ (q - zero) + n · residue / scale).
        bias = np.rint([inputs[0].residue / inputs[0].scale * prod(step.size)]).astype(np.int64)
        multipliers, shifts = to_fixed_point([inputs[0].scale / prod(step.size) / sum_scale.scale])
    else:
        # Σ weight · (q - zero) + bias, in units of each channel; rescaled to the one `sum_scale` of all channels.
        assert step.kind in LINEAR, step.kind
        kernel, bias, units, bits = _quantize_weights(step, inputs[0])
        multipliers, shifts = to_fixed_point(units / sum_scale.scale)
        if step.is_float:  # so that the sums count in units of `sum_scale`
            kernel, bias = kernel / sum_scale.scale, bias / sum_scale.scale
    return QuantizedStep(step, inputs, output_scale, kernel, bias, multipliers, shifts, sum_scale, table, units, bits)


def _align_inputs(
    step: ComputedStep, inputs: tuple[Scale, ...], sum_scale: Scale
) -> tuple[Integers, Integers, Integers]:
    """Compute the bias, the multipliers and the shift of an `add` or `concatenate`, whose inputs differ in scale.

    In units of `sum_scale`, an input is (scale · (q - zero) + residue) / sum_scale = factor · (q - zero) + bias. In C
    both sides are multiplied by 2^shift and rounded. Both inputs share the shift, which gives the larger factor
    `_ADD_BITS` bits and the other fewer. An `add` has the sum of both biases.

    Inputs with the scales 0.02 and 0.005 have for a `sum_scale` of 0.01 the factors 2 and 0.5. With the shift 19, their
    multipliers are 2^20 and 2^18.
    """
    factors = np.array([scale.scale for scale in inputs]) / sum_scale.scale
    shift = int(np.clip(_ADD_BITS - np.frexp(factors.max())[1], 1, 30))
    multipliers = np.minimum(np.rint(np.ldexp(factors, shift)), 2**_ADD_BITS)
    residues = np.array([scale.residue for scale in inputs])
    if step.kind == "add":
        residues = np.array([residues.sum()])
    bias = np.clip(np.rint(residues / sum_scale.scale * 2.0**shift), -(2**_ADD_BITS), 2**_ADD_BITS)
    return bias.astype(np.int64), multipliers.astype(np.int64), np.array([shift])


def _quantize_weights(step: ComputedStep, input_scale: Scale) -> tuple[NDArray[Any], NDArray[Any], Array, int]:
    """Quantise the weights of a linear step.

    Returns the kernel from -127 to 127, the bias, each channel's unit (the number that 1 stands for in its sums), and
    the bits of a weight. If the weights of each channel are multiples of a step, as after training in few bits, nothing
    is rounded. Otherwise a channel's largest weight becomes 127, or less where the worst image could overflow its sum:
    |bias| and Σ |weight| · reach are at most 2^30 each.
    """
    kernel, bias = step.weights
    channels = kernel.reshape(-1, len(bias))
    if step.kind == "depthwise":
        channels = kernel.reshape(prod(kernel.shape[:2]), -1)
    # Σ w · (scale · (q - zero) + residue) + bias: the part that does not depend on q joins the bias.
    bias = bias + input_scale.residue * channels.sum(axis=0)
    if step.is_float:
        return kernel * input_scale.scale, bias, np.ones(len(bias)), 32
    # Weights that are multiples of a step stay exact, if their sums do not overflow.
    grid = find_grid(channels)
    if grid is not None:
        levels, steps = grid
        rounded = np.rint(bias / (steps * input_scale.scale))
        if max(np.abs(levels).sum(axis=0).max() * input_scale.reach, np.abs(rounded).max()) <= _SUM_LIMIT:
            return levels.reshape(kernel.shape), rounded.astype(np.int64), steps * input_scale.scale, count_bits(levels)
    scales = _choose_weight_scales(channels, bias, input_scale)
    integers, units = np.rint(channels / scales), scales * input_scale.scale
    return integers.reshape(kernel.shape).astype(np.int64), np.rint(bias / units).astype(np.int64), units, 8


def _choose_weight_scales(channels: Array, bias: Array, input_scale: Scale) -> Array:
    """Choose each channel's scale: the smallest, within a factor of 2, that respects the limits of its numbers."""
    # For a weight of at most 127, and a bias of at most `_SUM_LIMIT`.
    scales = np.maximum(np.abs(channels).max(axis=0) / HIGHEST, np.abs(bias) / input_scale.scale / _SUM_LIMIT)
    scales = np.where(scales > 0, np.maximum(scales, _SMALLEST_WEIGHT_SCALE), 1.0)
    # For the sum of the worst image. Each time the integers are half as large, so the loop ends.
    while (too_large := np.abs(np.rint(channels / scales)).sum(axis=0) * input_scale.reach > _SUM_LIMIT).any():
        scales = np.where(too_large, 2 * scales, scales)
    return scales


def _plan_table(step: ComputedStep, range_: _Range) -> tuple[Scale, Scale, Integers | None]:
    """Choose the scale of a step's output, the scale of its rescaled sums, and the activation table between them.

    Relu needs no table: its range starts at 0, and rescaling cuts off the integers below. Where the activation is flat,
    the table would hold one integer many times. So the flat ends of the range are cut off, to make the steps finer:

        output   ________/‾‾‾‾‾‾‾‾
        range    |      |-|      |    (the middle is kept)
    """
    grid = np.linspace(*range_, 4097)  # 16 intervals for each of 256 integers
    values = activate(step.activation, step.slope, grid)
    output_scale = choose_scale(values.min(), values.max())
    if step.activation in ("linear", "relu"):
        return output_scale, output_scale, None
    # Flat: within half a step of the value at that end of the range.
    is_past_low, is_before_high = (np.abs(values - end) > output_scale.scale / 2 for end in (values[0], values[-1]))
    if is_past_low.any() and is_before_high.any():
        # One flat point stays at each end: of 10 points with 3 flat ones at the low and 4 at the high end, 2 to 6 stay.
        first, last = int(is_past_low.argmax()) - 1, len(grid) - int(is_before_high[::-1].argmax())
        grid = grid[first : last + 1] if first < last else grid
    sum_scale = choose_scale(grid[0], grid[-1])
    numbers = activate(step.activation, step.slope, sum_scale.to_numbers(_ALL_INTEGERS))
    return output_scale, sum_scale, output_scale.to_integers(numbers)
