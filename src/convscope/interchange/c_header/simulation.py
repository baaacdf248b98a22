"""Compute the exported 8-bit network in NumPy, integer by integer as the C file does, and measure its error."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from convscope.base.errors import ConvscopeError
from convscope.interchange.c_header.arithmetic import compute_linear, concatenate, find_window_maxima, pad, sum_windows
from convscope.interchange.c_header.fixed_point import LOWEST, Integers, rescale
from convscope.interchange.c_header.quantization import QuantizedNetwork, QuantizedStep, split_images
from convscope.training.model import Model


def simulate(network: QuantizedNetwork, images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Compute the logits (N, K) of images (N, H, W, C), bit for bit those of the exported C file."""
    steps = tuple(quantized.step for quantized in network.steps)
    logits = [_simulate_block(network, block) for block in split_images(steps, network.image, images)]
    return np.concatenate(logits)


def _simulate_block(network: QuantizedNetwork, images: NDArray[np.uint8]) -> NDArray[np.float32]:
    values = [network.image_table[images]]
    for quantized in network.steps:
        read = [values[value] for value in quantized.step.reads]
        if quantized.step.kind != "concatenate":
            read[0] = read[0].reshape(len(images), *quantized.step.input_shape)
        sums = _compute_step(quantized, read)
        if quantized.logit_scales is not None:
            with np.errstate(over="ignore"):  # infinite, as in C
                return sums.reshape(len(images), -1).astype(np.float32) * quantized.logit_scales
        values.append(sums if quantized.table is None else quantized.table[sums - LOWEST])
    scale = network.scales[-1]
    assert scale is not None
    steps = (values[-1].reshape(len(images), -1) - scale.zero).astype(np.float32)
    return steps * np.float32(scale.scale) + np.float32(scale.residue)


def _compute_step(quantized: QuantizedStep, read: list[Integers]) -> Integers:
    """Compute a step's integers before its activation table, or the sums that become logits."""
    step, input_scale, bias = quantized.step, quantized.input_scales[0], quantized.bias
    match step.kind:
        case "conv2d" | "depthwise" | "dense":
            assert quantized.kernel is not None
            assert bias is not None
            centred = (read[0] - input_scale.zero).astype(np.float64)
            sums = compute_linear(step, centred, quantized.kernel.astype(np.float64)).astype(np.int64) + bias
            return sums if quantized.logit_scales is not None else _rescale(quantized, sums)
        case "max_pool":
            return find_window_maxima(step, read[0].astype(np.float64)).astype(np.int64)
        case "average_pool" if bias is not None:
            total, _ = sum_windows(step, (read[0] - input_scale.zero).astype(np.float64))
            return _rescale(quantized, total.astype(np.int64) + bias)
        case "average_pool":
            total, count = sum_windows(step, (read[0] - LOWEST).astype(np.float64))
            return np.asarray((total + count // 2) // count + LOWEST, np.int64)
        case "pad":
            return pad(step, read[0].astype(np.float64), input_scale.zero).astype(np.int64)
        case "add":
            assert quantized.multipliers is not None
            first, second = quantized.multipliers.tolist()
            addend = read[1].reshape(read[0].shape)
            sums = (read[0] - input_scale.zero) * first + (addend - quantized.input_scales[1].zero) * second + bias
            return _rescale(quantized, sums, multipliers=1)
        case "concatenate":
            assert quantized.multipliers is not None
            assert bias is not None
            parts = zip(read, quantized.input_scales, quantized.multipliers.tolist(), bias.tolist(), strict=True)
            a, b = ((value - scale.zero) * multiplier + shift for value, scale, multiplier, shift in parts)
            return _rescale(quantized, concatenate(step, a, b), multipliers=1)
        case _:  # an activation; `quantize` refuses a vote
            return read[0]


def _rescale(quantized: QuantizedStep, sums: Integers, multipliers: int | None = None) -> Integers:
    assert quantized.sum_scale is not None
    assert quantized.multipliers is not None
    assert quantized.shifts is not None
    by = quantized.multipliers if multipliers is None else multipliers
    return rescale(sums, by, quantized.shifts, quantized.sum_scale.zero)


@dataclass(frozen=True)
class Deviation:
    """The distance between the logits of the 8-bit network and the model's, on images not used to set the ranges.

    Attributes:
        ranges_images: how many images chose the ranges.
        num_images: how many other images were compared.
        largest: the largest difference of a logit on these.
        changed: how many of their predictions differ.
    """

    ranges_images: int
    num_images: int
    largest: float
    changed: int

    @property
    def bound(self) -> float:
        """Twice `largest`, which no image like these is expected to exceed (see docs/c_header.md)."""
        return 2 * self.largest


def measure_deviation(
    model: Model, network: QuantizedNetwork, images: NDArray[np.uint8], ranges_images: int
) -> Deviation:
    """Compare the logits of `network` with the model's on images (N, H, W, C) that did not choose its ranges.

    Raises:
        ConvscopeError: if a logit of the model is not finite.
    """
    logits, expected = simulate(network, images), model.logits(images)
    if not np.isfinite(expected).all():
        raise ConvscopeError("the model gives logits that are not finite; train it again")
    changed = int((logits.argmax(axis=1) != expected.argmax(axis=1)).sum())
    return Deviation(ranges_images, len(images), float(np.abs(logits - expected).max()), changed)
