"""The steps in NumPy and float64, for the ranges that quantisation needs, and for exact integers in the simulator.

float64 holds every integer below 2^53, and sums of such products stay below it here; so the same functions compute
both, in any order of summation.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from convscope.architecture.layers import Window
from convscope.engine.reference_layers import ACTIVATIONS, Array, convolution, depthwise, max_pooling
from convscope.interchange.c_header.steps import ComputedStep


def linear(step: ComputedStep, x: Array, kernel: Array) -> Array:
    """Compute a conv2d, depthwise or dense step without bias: x (N, H, W, C) by `kernel` to (N, H', W', F)."""
    if step.kind == "dense":
        return (x.reshape(len(x), -1) @ kernel).reshape(len(x), 1, 1, -1)
    compute = convolution if step.kind == "conv2d" else depthwise
    return compute(_pad_maps(step, x, 0.0), kernel, np.zeros(step.output_shape[2]), _window(step))


def window_sum(step: ComputedStep, x: Array) -> tuple[Array, Array]:
    """Return sums over the windows of x (N, H, W, C), (N, H', W', C), and how many pixels each has, (1, H', W', 1)."""
    if step.is_whole_map:
        return x.sum(axis=(1, 2), keepdims=True), np.full((1, 1, 1, 1), float(x.shape[1] * x.shape[2]))
    total, count = (
        depthwise(_pad_maps(step, y, 0.0), np.ones((*step.size, channels, 1)), np.zeros(channels), _window(step))
        for y, channels in ((x, x.shape[3]), (np.ones((1, *x.shape[1:3], 1)), 1))
    )
    return total, count


def window_max(step: ComputedStep, x: Array) -> Array:
    """Return the largest value of each window of x (N, H, W, C), (N, H', W', C)."""
    if step.is_whole_map:
        return np.asarray(x.max(axis=(1, 2), keepdims=True), np.float64)
    return max_pooling(_pad_maps(step, x, -np.inf), _window(step))


def pad(step: ComputedStep, x: Array, value: float) -> Array:
    """Return x (N, H, W, C) with `value` around it, as large as the step's output."""
    y = np.full((len(x), *step.output_shape), value)
    (top, left), (height, width, _) = step.before, step.input_shape
    y[:, top : top + height, left : left + width] = x
    return y


def concatenate(step: ComputedStep, a: NDArray[Any], b: NDArray[Any]) -> NDArray[Any]:
    """Return the channels of `a` and behind them those of `b`."""
    pixels = (len(a), *step.output_shape[:2])
    return np.concatenate([a.reshape(*pixels, step.size[0]), b.reshape(*pixels, step.size[1])], axis=-1)


def activation(name: str, slope: float, x: Array) -> Array:
    """Return the activation called `name` of x, number by number; `slope` is that of leaky_relu below zero."""
    if name == "linear":
        return x
    if name == "leaky_relu":
        return np.where(x > 0, x, slope * x)
    return ACTIVATIONS[name][0](x)


def float_step(step: ComputedStep, read: list[Array]) -> Array:
    """Compute a step before its activation from the values it reads, each (N, H, W, C)."""
    if step.kind == "concatenate":
        return concatenate(step, *read)
    x = read[0].reshape(len(read[0]), *step.input_shape)
    match step.kind:
        case "conv2d" | "depthwise" | "dense":
            kernel, bias = step.weights
            return linear(step, x, kernel) + bias
        case "max_pool":
            return window_max(step, x)
        case "average_pool":
            total, count = window_sum(step, x)
            return total / count
        case "pad":
            return pad(step, x, 0.0)
        case "add":
            return x + read[1].reshape(x.shape)
        case _:  # an activation
            return x


def number_images(images: NDArray[np.uint8], scale: float, offset: float) -> Array:
    """Return images (N, H, W, C) uint8 as the numbers that a network reads."""
    return np.asarray(images * scale + offset, np.float64)


def _window(step: ComputedStep) -> Window:
    return Window(step.size, step.strides, "valid", step.dilation)


def _pad_maps(step: ComputedStep, x: Array, outside: float) -> Array:
    """Return maps (N, H, W, C) as far as the windows reach; `outside` stands around them."""
    edges = [(0, 0)]
    for axis in (0, 1):
        last = (step.output_shape[axis] - 1) * step.strides[axis] + _window(step).reach[axis]
        edges.append((step.before[axis], max(last - step.before[axis] - x.shape[axis + 1], 0)))
    return np.pad(x, (*edges, (0, 0)), constant_values=outside)
