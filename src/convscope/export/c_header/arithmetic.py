"""Compute the steps in NumPy and float64: the ranges that quantisation needs, and the simulator's integers.

float64 holds every integer below 2^53 exactly, and the sums here stay below 2^31. So the same functions compute
integers without rounding, in any order of summation.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from convscope.architecture.layers import Window
from convscope.engine.reference_activations import ACTIVATIONS
from convscope.engine.reference_layers import Array, convolution, depthwise, max_pooling
from convscope.export.c_header.steps import ComputedStep


def compute_linear(step: ComputedStep, x: Array, kernel: Array) -> Array:
    """Compute a conv2d, depthwise or dense step without bias: x (N, H, W, C) by `kernel` to (N, H', W', F)."""
    if step.kind == "dense":
        return (x.reshape(len(x), -1) @ kernel).reshape(len(x), 1, 1, -1)
    compute = convolution if step.kind == "conv2d" else depthwise
    return compute(_pad_maps(step, x, 0.0), kernel, np.zeros(step.output_shape[2], x.dtype), _window(step))


def sum_windows(step: ComputedStep, x: Array) -> tuple[Array, Array]:
    """Sum each window of x (N, H, W, C) to (N, H', W', C), and count its pixels within the map, (1, H', W', 1)."""
    if step.is_whole_map:  # a convolution with so large a window would be slow
        return x.sum(axis=(1, 2), keepdims=True), np.full((1, 1, 1, 1), float(x.shape[1] * x.shape[2]))
    # Windows on a map of ones count the pixels that are no padding.
    return _convolve_ones(step, x), _convolve_ones(step, np.ones((1, *x.shape[1:3], 1)))


def _convolve_ones(step: ComputedStep, x: Array) -> Array:
    """Sum each window of x (N, H, W, C) by a depthwise convolution with a kernel of ones."""
    channels = x.shape[3]
    return depthwise(_pad_maps(step, x, 0.0), np.ones((*step.size, channels, 1)), np.zeros(channels), _window(step))


def find_window_maxima(step: ComputedStep, x: Array) -> Array:
    """Find the largest value of each window of x (N, H, W, C), (N, H', W', C)."""
    if step.is_whole_map:
        return np.asarray(x.max(axis=(1, 2), keepdims=True), np.float64)
    return max_pooling(_pad_maps(step, x, -np.inf), _window(step))  # padding is never the largest


def pad(step: ComputedStep, x: Array, value: float) -> Array:
    """Surround x (N, H, W, C) with `value`, up to the step's output shape."""
    y = np.full((len(x), *step.output_shape), value)
    (top, left), (height, width, _) = step.padding, step.input_shape
    y[:, top : top + height, left : left + width] = x
    return y


def concatenate(step: ComputedStep, a: NDArray[Any], b: NDArray[Any]) -> NDArray[Any]:
    """Join the channels of `a` and those of `b`, in this order."""
    pixels = (len(a), *step.output_shape[:2])
    return np.concatenate([a.reshape(*pixels, step.size[0]), b.reshape(*pixels, step.size[1])], axis=-1)


def multiply(step: ComputedStep, a: NDArray[Any], b: NDArray[Any]) -> NDArray[Any]:
    """Multiply each pixel of `a` by `b`, number by number."""
    return np.asarray(a.reshape(len(a), *step.size) * b.reshape(len(b), 1, -1)).reshape(len(a), *step.output_shape)


def activate(name: str, slope: float, x: Array) -> Array:
    """Apply the activation called `name` to each number; `slope` is that of `leaky_relu` below zero."""
    if name == "linear":
        return x
    if name == "leaky_relu":
        return np.where(x > 0, x, slope * x)
    return ACTIVATIONS[name][0](x)


def compute_step(step: ComputedStep, inputs: list[Array]) -> Array:
    """Compute a step without its activation from the values that it reads, each (N, H, W, C)."""
    if step.kind == "concatenate":
        return concatenate(step, *inputs)
    x = inputs[0].reshape(len(inputs[0]), *step.input_shape)  # after a Flatten, the values have another shape
    match step.kind:
        case "conv2d" | "depthwise" | "dense":
            kernel, bias = step.weights
            return compute_linear(step, x, kernel) + bias
        case "max_pool":
            return find_window_maxima(step, x)
        case "average_pool":
            total, count = sum_windows(step, x)
            return total / count
        case "pad":
            return pad(step, x, 0.0)
        case "multiply":
            return multiply(step, *inputs)
        case "add":
            return x + inputs[1].reshape(x.shape)
        case _:  # an activation
            return x


def scale_images(images: NDArray[np.uint8], scale: float, offset: float) -> Array:
    """Convert images (N, H, W, C) uint8 to the numbers that a network reads."""
    return np.asarray(images * scale + offset, np.float64)


def _window(step: ComputedStep) -> Window:
    return Window(step.size, step.strides, "valid", step.dilation)


def _pad_maps(step: ComputedStep, x: Array, value: float) -> Array:
    """Pad maps (N, H, W, C) with `value` as far as the windows reach.

    Example: 5 windows of 3 pixels at stride 2 cover 4 · 2 + 3 = 11. With a padding of 1 before a map of 9, 1 is left
    for the end.
    """
    edges = [(0, 0)]
    for axis in (0, 1):
        # The windows cover (outputs - 1) · stride + reach pixels: padding, then the map, then the rest after it.
        covered = (step.output_shape[axis] - 1) * step.strides[axis] + _window(step).reach[axis]
        edges.append((step.padding[axis], max(covered - step.padding[axis] - x.shape[axis + 1], 0)))
    return np.pad(x, (*edges, (0, 0)), constant_values=value)
