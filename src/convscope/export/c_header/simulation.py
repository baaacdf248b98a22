"""Compute the exported 8-bit network in NumPy, integer by integer as the C file does, and measure its error.

Notation: an integer q stands for the number scale · (q - zero) + residue, see `fixed_point.Scale`. A layer is computed
in three stages, like in the C file: integers → sums (32 bits) → rescaled integers (8 bits) → activation table.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from convscope.base.errors import ConvscopeError
from convscope.export.c_header.arithmetic import (
    compute_linear,
    concatenate,
    find_window_maxima,
    multiply,
    pad,
    sum_windows,
)
from convscope.export.c_header.fixed_point import LOWEST, Integers, Scale, rescale
from convscope.export.c_header.quantization import QuantizedNetwork, QuantizedStep, split_images
from convscope.export.records import Difference, compare_logits
from convscope.training.model import Model


def simulate(network: QuantizedNetwork, images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Compute the logits (N, K) of images (N, H, W, C), bit for bit those of the exported C file."""
    steps = tuple(quantized.step for quantized in network.steps)
    logits = [_simulate_block(network, block) for block in split_images(steps, network.image, images)]
    return np.concatenate(logits)


def _simulate_block(network: QuantizedNetwork, images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Compute the logits (N, K) of a few images at once."""
    values = [network.image_table[images]]  # 0 is the image, n the output of the n-th step
    for quantized in network.steps:
        inputs = [values[number] for number in quantized.step.reads]
        if quantized.step.kind != "concatenate":  # a concatenation reads two values of different shapes
            inputs[0] = inputs[0].reshape(len(images), *quantized.step.input_shape)
        output = _compute_step(quantized, inputs)
        if quantized.output_scale is None:  # the last layer: sums become logits, without rounding to 8 bits
            with np.errstate(over="ignore"):  # infinite, as in C
                sums = output.reshape(len(images), -1).astype(np.float32)
                return sums * quantized.units.astype(np.float32)
        # The table's first entry is the result for -128.
        values.append(output if quantized.table is None else quantized.table[output - LOWEST])
    # The network ends in another step: convert its integers to numbers. All in float32, to round as the C file does.
    scale = network.scales[-1]
    assert scale is not None
    centred = (values[-1].reshape(len(images), -1) - scale.zero).astype(np.float32)
    return centred * np.float32(scale.scale) + np.float32(scale.residue)


def _compute_step(quantized: QuantizedStep, inputs: list[Integers]) -> Integers:
    """Compute a step's integers before its activation table, or the sums that become logits.

    The functions of `arithmetic` take and return float64, which holds these integers exactly; hence the conversions.
    """
    step, input_scale, bias = quantized.step, quantized.input_scales[0], quantized.bias
    match step.kind:
        case "conv2d" | "depthwise" | "dense":  # Σ (q - zero) · weight + bias
            assert quantized.kernel is not None
            assert bias is not None
            centred = (inputs[0] - input_scale.zero).astype(np.float64)  # so that padding is the number 0
            sums: NDArray[Any] = compute_linear(step, centred, quantized.kernel.astype(np.float64))
            sums = (sums if quantized.bits == 32 else sums.astype(np.int64)) + bias
            return sums if quantized.output_scale is None else _rescale(quantized, sums)
        case "max_pool":  # the largest integer is the largest number, so the scale stays
            return find_window_maxima(step, inputs[0].astype(np.float64)).astype(np.int64)
        case "average_pool" if bias is not None:  # over a whole map: the multiplier divides by the number of pixels
            total, _ = sum_windows(step, (inputs[0] - input_scale.zero).astype(np.float64))
            return _rescale(quantized, total.astype(np.int64) + bias)
        case "average_pool":
            # Counted from -128, sums are not negative, so that halves round up in C's division, which truncates: the
            # mean of 4 pixels whose sum is 6 is (6 + 2) / 4 = 2, and that of a sum of 5 is 7 / 4 = 1.
            total, count = sum_windows(step, (inputs[0] - LOWEST).astype(np.float64))
            return np.asarray((total + count // 2) // count + LOWEST, np.int64)
        case "pad":
            return pad(step, inputs[0].astype(np.float64), input_scale.zero).astype(np.int64)
        case "add":  # Σ (q - zero) · multiplier + bias over the two inputs, which have different scales
            assert quantized.multipliers is not None
            first, second = quantized.multipliers.tolist()
            addend = inputs[1].reshape(inputs[0].shape)
            sums = (inputs[0] - input_scale.zero) * first + (addend - quantized.input_scales[1].zero) * second + bias
            return _rescale(quantized, sums, is_multiplied=True)
        case "multiply":  # the products of (q - zero)
            centred_inputs = (value - scale.zero for value, scale in zip(inputs, quantized.input_scales, strict=True))
            return _rescale(quantized, multiply(step, *centred_inputs))
        case "concatenate":  # (q - zero) · multiplier + bias for each input by itself
            assert quantized.multipliers is not None
            assert bias is not None
            parts = zip(inputs, quantized.input_scales, quantized.multipliers.tolist(), bias.tolist(), strict=True)
            a, b = ((value - scale.zero) * multiplier + addend for value, scale, multiplier, addend in parts)
            return _rescale(quantized, concatenate(step, a, b), is_multiplied=True)
        case _:  # an activation, which is only a table; `quantize` refuses ensembles
            return inputs[0]


def _rescale(quantized: QuantizedStep, sums: NDArray[Any], *, is_multiplied: bool = False) -> Integers:
    """Round sums to 8-bit integers of the step's `sum_scale`; `is_multiplied` if they hold the multipliers already."""
    assert quantized.sum_scale is not None
    if quantized.bits == 32:  # the sums are float, and count in steps of `sum_scale`
        return Scale(1.0, quantized.sum_scale.zero).to_integers(sums)
    assert quantized.multipliers is not None
    assert quantized.shifts is not None
    multipliers = 1 if is_multiplied else quantized.multipliers
    return rescale(sums, multipliers, quantized.shifts, quantized.sum_scale.zero)


def measure_deviation(model: Model, network: QuantizedNetwork, images: NDArray[np.uint8]) -> Difference:
    """Compare the logits of `network` with the model's on images (N, H, W, C) that no range was measured on.

    Raises:
        ConvscopeError: if a logit of the model is not finite.
    """
    logits, expected = simulate(network, images), model.logits(images)
    if not np.isfinite(expected).all():
        raise ConvscopeError("the model gives logits that are not finite; train it again")
    return compare_logits(expected, logits)
