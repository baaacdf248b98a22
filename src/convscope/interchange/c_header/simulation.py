"""The exported 8-bit network in NumPy: the very integers that the C file computes, and how far its logits are off."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from convscope.base.errors import ConvscopeError
from convscope.interchange.c_header.arithmetic import concatenate, linear, pad, window_max, window_sum
from convscope.interchange.c_header.fixed_point import LOWEST, Integers, rescale
from convscope.interchange.c_header.quantization import QuantizedNetwork, QuantizedStep, calibration_blocks
from convscope.training.model import Model


def simulate(network: QuantizedNetwork, images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return the logits (N, K) of images (N, H, W, C), the same bits as the exported C file gives."""
    steps = tuple(quantized.step for quantized in network.steps)
    logits = [_simulate_block(network, block) for block in calibration_blocks(steps, network.image, images)]
    return np.concatenate(logits)


def _simulate_block(network: QuantizedNetwork, images: NDArray[np.uint8]) -> NDArray[np.float32]:
    values = [network.image_table[images]]
    for quantized in network.steps:
        read = [values[value] for value in quantized.step.reads]
        if quantized.step.kind != "concatenate":
            read[0] = read[0].reshape(len(images), *quantized.step.input_shape)
        sums = _sums(quantized, read)
        if quantized.logit_scales is not None:
            with np.errstate(over="ignore"):  # infinite, as in C
                return sums.reshape(len(images), -1).astype(np.float32) * quantized.logit_scales
        values.append(sums if quantized.table is None else quantized.table[sums - LOWEST])
    scale = network.scales[-1]
    assert scale is not None
    steps = (values[-1].reshape(len(images), -1) - scale.zero).astype(np.float32)
    return steps * np.float32(scale.scale) + np.float32(scale.residue)


def _sums(quantized: QuantizedStep, read: list[Integers]) -> Integers:
    """Return the integers before the table, or the sums that become logits."""
    step, input_scale, bias = quantized.step, quantized.given[0], quantized.bias
    match step.kind:
        case "conv2d" | "depthwise" | "dense":
            assert quantized.kernel is not None
            assert bias is not None
            centred = (read[0] - input_scale.zero).astype(np.float64)
            sums = linear(step, centred, quantized.kernel.astype(np.float64)).astype(np.int64) + bias
            return sums if quantized.logit_scales is not None else _rescale(quantized, sums)
        case "max_pool":
            return window_max(step, read[0].astype(np.float64)).astype(np.int64)
        case "average_pool" if bias is not None:
            total, _ = window_sum(step, (read[0] - input_scale.zero).astype(np.float64))
            return _rescale(quantized, total.astype(np.int64) + bias)
        case "average_pool":
            total, count = window_sum(step, (read[0] - LOWEST).astype(np.float64))
            return np.asarray((total + count // 2) // count + LOWEST, np.int64)
        case "pad":
            return pad(step, read[0].astype(np.float64), input_scale.zero).astype(np.int64)
        case "add":
            assert quantized.multipliers is not None
            first, second = quantized.multipliers.tolist()
            addend = read[1].reshape(read[0].shape)
            sums = (read[0] - input_scale.zero) * first + (addend - quantized.given[1].zero) * second + bias
            return _rescale(quantized, sums, multipliers=1)
        case "concatenate":
            assert quantized.multipliers is not None
            assert bias is not None
            parts = zip(read, quantized.given, quantized.multipliers.tolist(), bias.tolist(), strict=True)
            a, b = ((value - scale.zero) * multiplier + shift for value, scale, multiplier, shift in parts)
            return _rescale(quantized, concatenate(step, a, b), multipliers=1)
        case _:  # an activation; `quantize` refuses a vote
            return read[0]


def _rescale(quantized: QuantizedStep, sums: Integers, multipliers: int | None = None) -> Integers:
    assert quantized.before_table is not None
    assert quantized.multipliers is not None
    assert quantized.shifts is not None
    by = quantized.multipliers if multipliers is None else multipliers
    return rescale(sums, by, quantized.shifts, quantized.before_table.zero)


@dataclass(frozen=True)
class Deviation:
    """How far the logits of the 8-bit network were from the model's, over images that chose no range.

    Attributes:
        ranges_images: how many images chose the ranges.
        num_images: how many others were compared.
        largest: the largest difference of any logit of any of them.
        changed: on how many of them the answer is another.
    """

    ranges_images: int
    num_images: int
    largest: float
    changed: int

    @property
    def bound(self) -> float:
        """Twice `largest`: what no image like these is expected to exceed (see docs/c_header.md)."""
        return 2 * self.largest


def measure_deviation(
    model: Model, network: QuantizedNetwork, images: NDArray[np.uint8], ranges_images: int
) -> Deviation:
    """Return how far `network` is from `model` on images (N, H, W, C); `ranges_images` others chose its ranges.

    Raises:
        ConvscopeError: if a logit of the model is not finite.
    """
    ours, theirs = simulate(network, images), model.logits(images)
    if not np.isfinite(theirs).all():
        raise ConvscopeError("the model gives logits that are not finite; train it again")
    changed = int((ours.argmax(axis=1) != theirs.argmax(axis=1)).sum())
    return Deviation(ranges_images, len(images), float(np.abs(ours - theirs).max()), changed)
