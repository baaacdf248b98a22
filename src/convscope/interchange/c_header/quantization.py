"""A network in 8-bit integers: scales from calibration images, weights by channel, and sums that cannot overflow.

It gives all the integers that the C file states; `simulation` computes with them.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod

import numpy as np
from numpy.typing import NDArray

from convscope.architecture import Input
from convscope.base.errors import ConvscopeError
from convscope.interchange.c_header.arithmetic import activation, float_step, number_images
from convscope.interchange.c_header.fixed_point import (
    HIGHEST,
    LOWEST,
    Array,
    Integers,
    Scale,
    fixed_point,
    scale_of_range,
)
from convscope.interchange.c_header.packing import bits_of, grid_of
from convscope.interchange.c_header.steps import LINEAR, ComputedStep, plan_steps
from convscope.training.model import Model

_ALL = np.arange(LOWEST, HIGHEST + 1)
_MARGIN = 1.5  # see docs/c_header.md for what it was chosen by
_SUM_LIMIT = 2**30  # of a bias, and of the products: together below 2^31
_SMALLEST_WEIGHT_SCALE = 1e-150  # so that its product with any other scale is above 0
_ADD_BITS = 21  # of the factors of an `add` and the like: two of them times 255, and a half, stay below 2^31
_LARGEST_WINDOW = 2**23  # pixels that an average sums in 32 bits: 255 · 2^23 < 2^31
_BLOCK_VALUES = 2**22  # numbers of 8 bytes at a time, of all steps together: 32 MiB


@dataclass(frozen=True, eq=False)
class QuantizedStep:
    """A step with its integers.

    Attributes:
        given: the scales of what it reads.
        result: the scale of what it gives, behind its table; None where its sums become logits.
        kernel: int8, as in the `ComputedStep`; bias: int32. Of linear steps.
        multipliers, shifts: from sums to integers, one a channel, or one for all; of an `add` one a summand, with one
            shift and one bias, and of a `concatenate` with one shift.
        before_table: the scale of the integers that the table is entered with.
        table: the activation of each of -128 to 127, (256,).
        logit_scales: by which sums are multiplied to give logits, (K,) float32.
        bits: in how many each weight of the kernel is held: 2 where all are -1 to 1, 4 where -7 to 7, else 8.
    """

    step: ComputedStep
    given: tuple[Scale, ...]
    result: Scale | None
    kernel: Integers | None = None
    bias: Integers | None = None
    multipliers: Integers | None = None
    shifts: Integers | None = None
    before_table: Scale | None = None
    table: Integers | None = None
    logit_scales: NDArray[np.float32] | None = None
    bits: int = 8


@dataclass(frozen=True, eq=False)
class QuantizedNetwork:
    """All integers of a network.

    Attributes:
        image_table: the integer of each byte, (256,).
        scales: of every value, the image first; None for the logits where they are made from sums.
    """

    image: Input
    image_table: Integers
    scales: tuple[Scale | None, ...]
    steps: tuple[QuantizedStep, ...]


def quantize(model: Model, images: NDArray[np.uint8]) -> QuantizedNetwork:
    """Return `model` in integers, its ranges half as wide again as the numbers that `images` (N, H, W, C) cause.

    Raises:
        ConvscopeError: if a weight or an activation is not finite, an average is over more than 8 million pixels, or
            the model is an ensemble.
    """
    steps = plan_steps(model)
    for step in steps:
        if step.kind == "soft_voting":
            raise ConvscopeError(f"{step.name}: an ensemble has no C header in int8; export it as float32")
        if step.kind == "average_pool" and prod(step.size) > _LARGEST_WINDOW:
            raise ConvscopeError(f"{step.name}: a mean over {prod(step.size)} pixels overflows; export it as float32")
    image = model.architecture.input
    image_scale, image_table = _image_scale(image)
    scales: list[Scale | None] = [image_scale]
    quantized = []
    for number, (step, range_) in enumerate(zip(steps, _ranges(steps, image, images), strict=True)):
        read = tuple(scale for value in step.reads if (scale := scales[value]) is not None)
        quantized.append(_quantize(step, read, range_, is_last=number + 1 == len(steps)))
        scales.append(quantized[-1].result)
    return QuantizedNetwork(image, image_table, tuple(scales), tuple(quantized))


_Range = tuple[float, float]


def _ranges(steps: tuple[ComputedStep, ...], image: Input, images: NDArray[np.uint8]) -> list[_Range]:
    """Return the smallest and largest numbers of each step before its activation, `_MARGIN` times as far from 0."""
    ranges = np.tile([np.inf, -np.inf], (len(steps), 1))
    for block in calibration_blocks(steps, image, images):
        values = [number_images(block, image.scale, image.offset)]
        for step, extremes in zip(steps, ranges, strict=True):
            with np.errstate(all="ignore"):  # what is not finite is refused below
                numbers = float_step(step, [values[value] for value in step.reads])
                values.append(activation(step.activation, step.slope, numbers))
            extremes[:] = np.minimum(extremes[0], numbers.min()), np.maximum(extremes[1], numbers.max())
    for step, extremes in zip(steps, ranges, strict=True):
        if not np.isfinite(extremes).all():
            raise ConvscopeError(f"{step.name}: it gives numbers that are not finite; train the model again")
    return [(low, high) for low, high in (_MARGIN * ranges).tolist()]


def calibration_blocks(
    steps: tuple[ComputedStep, ...], image: Input, images: NDArray[np.uint8]
) -> Iterator[NDArray[np.uint8]]:
    """Yield `images` in parts so small that the numbers of all steps take some megabytes."""
    values = prod(image.shape) + sum(prod(step.output_shape) for step in steps)
    size = max(1, _BLOCK_VALUES // values)
    for start in range(0, len(images), size):
        yield images[start : start + size]


def _image_scale(image: Input) -> tuple[Scale, Integers]:
    """Return the scale of the images and the integer of each byte: the byte less 128 wherever 0 allows it."""
    if image.scale > max(1e-30, abs(image.offset) * 1e-9):  # else 0 is no byte, and the quotient might overflow
        exact = LOWEST - image.offset / image.scale
        if LOWEST - 0.5 <= exact <= HIGHEST + 0.5:
            zero = min(max(round(exact), LOWEST), HIGHEST)
            return Scale(image.scale, zero, image.offset + image.scale * (zero - LOWEST)), _ALL
    numbers = number_images(np.arange(256, dtype=np.uint8), image.scale, image.offset)
    scale = scale_of_range(numbers.min(), numbers.max())
    return scale, scale.integers(numbers)


def _quantize(step: ComputedStep, inputs: tuple[Scale, ...], range_: _Range, *, is_last: bool) -> QuantizedStep:
    is_global = step.kind == "average_pool" and step.is_whole_map
    if step.kind in ("max_pool", "pad") or (step.kind == "average_pool" and not is_global):
        return QuantizedStep(step, inputs, inputs[0])
    if step.kind == "activation":
        numbers = activation(step.activation, step.slope, inputs[0].numbers(_ALL))
        result = scale_of_range(numbers.min(), numbers.max())
        return QuantizedStep(step, inputs, result, before_table=inputs[0], table=result.integers(numbers))
    if step.kind == "dense" and is_last:
        kernel, bias, sum_scales, bits = _weights(step, inputs[0])
        return QuantizedStep(step, inputs, None, kernel, bias, logit_scales=sum_scales.astype(np.float32), bits=bits)
    result, entry, table = _through_table(step, range_)
    if step.kind in ("add", "concatenate"):
        factors = np.array([scale.scale for scale in inputs]) / entry.scale
        shift = int(np.clip(_ADD_BITS - np.frexp(factors.max())[1], 1, 30))
        multipliers = np.minimum(np.rint(np.ldexp(factors, shift)), 2**_ADD_BITS)
        residues = np.array([scale.residue for scale in inputs])
        if step.kind == "add":
            residues = np.array([residues.sum()])
        bias = np.rint(residues / entry.scale * 2.0**shift)
        sums = (np.clip(bias, -(2**_ADD_BITS), 2**_ADD_BITS).astype(np.int64), multipliers.astype(np.int64))
        return QuantizedStep(step, inputs, result, None, *sums, np.array([shift]), entry, table)
    if is_global:
        residue = np.rint([inputs[0].residue / inputs[0].scale * prod(step.size)]).astype(np.int64)
        factors = np.array([inputs[0].scale / prod(step.size) / entry.scale])
        return QuantizedStep(step, inputs, result, None, residue, *fixed_point(factors), entry, table)
    assert step.kind in LINEAR, step.kind
    kernel, bias, sum_scales, bits = _weights(step, inputs[0])
    multipliers, shifts = fixed_point(sum_scales / entry.scale)
    return QuantizedStep(step, inputs, result, kernel, bias, multipliers, shifts, entry, table, bits=bits)


def _weights(step: ComputedStep, input_scale: Scale) -> tuple[Integers, Integers, Array, int]:
    """Return the kernel in -127 to 127, the bias, what one step of the sums of each output channel is, and the bits.

    Where all channels lie on grids, as of a network trained in few bits, the integers are the levels of these, exactly.
    Else a channel's scale is its largest weight's, or as much larger as its bias and the worst image need for a sum
    below 2^31: |bias| and Σ |weight| · reach are at most 2^30 each.
    """
    kernel, bias = step.weights
    channels = kernel.reshape(-1, len(bias))
    if step.kind == "depthwise":
        channels = kernel.reshape(prod(kernel.shape[:2]), -1)
    bias = bias + input_scale.residue * channels.sum(axis=0)
    grid = grid_of(channels)
    if grid is not None:
        levels, steps = grid
        whole = np.rint(bias / (steps * input_scale.scale))
        if max(np.abs(levels).sum(axis=0).max() * input_scale.reach, np.abs(whole).max()) <= _SUM_LIMIT:
            return levels.reshape(kernel.shape), whole.astype(np.int64), steps * input_scale.scale, bits_of(levels)
    scales = np.maximum(np.abs(channels).max(axis=0) / HIGHEST, np.abs(bias) / input_scale.scale / _SUM_LIMIT)
    scales = np.where(scales > 0, np.maximum(scales, _SMALLEST_WEIGHT_SCALE), 1.0)
    while True:
        integers = np.rint(channels / scales)
        too_large = np.abs(integers).sum(axis=0) * input_scale.reach > _SUM_LIMIT
        if not too_large.any():
            break
        scales = np.where(too_large, 2 * scales, scales)
    sum_scales = scales * input_scale.scale
    return integers.reshape(kernel.shape).astype(np.int64), np.rint(bias / sum_scales).astype(np.int64), sum_scales, 8


def _through_table(step: ComputedStep, range_: _Range) -> tuple[Scale, Scale, Integers | None]:
    """Return the result's scale, the scale of what the sums become, and the table between them where one is needed.

    Relu needs none: its range starts at 0, and what is below is cut off. The table's range stops where the activation
    stays within half a step of what it is at the end of the range.
    """
    grid = np.linspace(*range_, 4097)
    values = activation(step.activation, step.slope, grid)
    result = scale_of_range(values.min(), values.max())
    if step.activation in ("linear", "relu"):
        return result, result, None
    from_low, from_high = (np.abs(values - end) > result.scale / 2 for end in (values[0], values[-1]))
    if from_low.any() and from_high.any():
        first, last = int(from_low.argmax()) - 1, len(grid) - int(from_high[::-1].argmax())
        grid = grid[first : last + 1] if first < last else grid
    entry = scale_of_range(grid[0], grid[-1])
    return result, entry, result.integers(activation(step.activation, step.slope, entry.numbers(_ALL)))
