"""The mathematics of the layers in NumPy and float64, forward and backward, with formulas.

It is written to be read, and as the oracle of the native engine's tests. It is tens of times slower, and makes no
attempt to be fast.

Letters: n image, i j output row and column, c input channel, f filter (output channel), u v row and column within a
window, s t row and column strides, d e row and column dilation. x is a layer's input, y its output. A backward function
takes dy, the gradient of the loss with respect to y, and returns the gradients with respect to everything that y was
computed from (the chain rule).
"""

from collections.abc import Sequence
from math import prod

import numpy as np
from numpy.typing import NDArray

from convscope.architecture.layers import Frame, Window
from convscope.engine.reference_windows import all_windows, positions, with_padding, without_padding

Array = NDArray[np.float64]
Labels = NDArray[np.uint8] | NDArray[np.int64]


# --- Convolution ------------------------------------------------------------------------------------------------------


def convolution(x: Array, kernel: Array, bias: Array, window: Window) -> Array:
    """Return the convolution of x (N, H, W, G·C) by kernel (U, V, C, F) with bias (F,): y (N, H', W', F).

    y[n,i,j,f] = bias[f] + Σ_u Σ_v Σ_c x̂[n, i·s+u·d, j·t+v·e, g·C+c] · kernel[u,v,c,f]      g = ⌊f / (F/G)⌋

    where x̂ is x with the zeros of `same` padding around it. Each of G groups of filters reads C channels of its own; a
    plain convolution has one group, which reads all channels. (Mathematicians call this a cross-correlation.)

    A row 1 2 4 7 and a kernel of two columns, 1 -1, give -1 -2 -3; with a stride of 2 -1 -3, a dilation of 2 -3 -5.
    """
    windows = all_windows(with_padding(x, window), window)  # axes n i j c u v
    groups = [
        np.tensordot(windows[..., channels, :, :], kernel[..., filters], axes=([4, 5, 3], [0, 1, 2]))
        for channels, filters in _groups(x, kernel)
    ]
    return bias + np.concatenate(groups, axis=3)


def convolution_backward(dy: Array, x: Array, kernel: Array, window: Window) -> tuple[Array, Array, Array]:
    """Return dx (N, H, W, G·C), dkernel (U, V, C, F) and dbias (F,) for dy (N, H', W', F).

    dkernel[u,v,c,f]                   = Σ_n Σ_i Σ_j x̂[n, i·s+u·d, j·t+v·e, g·C+c] · dy[n,i,j,f]      g = ⌊f / (F/G)⌋
    dbias[f]                           = Σ_n Σ_i Σ_j dy[n,i,j,f]
    dx̂[n, i·s+u·d, j·t+v·e, g·C+c]  += Σ_f dy[n,i,j,f] · kernel[u,v,c,f]      for all u, v, i, j, and f of group g

    and dx is dx̂ without the padding, whose zeros are constants.
    """
    padded = with_padding(x, window)
    windows = all_windows(padded, window)
    dkernel, dpadded = np.zeros_like(kernel), np.zeros_like(padded)
    for channels, filters in _groups(x, kernel):
        # Summed over the axes n i j that the windows, n i j c u v, and dy, n i j f, share.
        products = np.tensordot(windows[..., channels, :, :], dy[..., filters], axes=([0, 1, 2], [0, 1, 2]))
        dkernel[..., filters] = products.transpose(1, 2, 0, 3)  # from c u v f to u v c f
        for u, v, pixels in positions(window, dy.shape[1:3]):
            dpadded[(*pixels, channels)] += dy[..., filters] @ kernel[u, v][:, filters].T
    return without_padding(dpadded, x, window), dkernel, dy.sum(axis=(0, 1, 2))


def _groups(x: Array, kernel: Array) -> list[tuple[slice, slice]]:
    """List the input channels and the filters of each group.

    With 6 channels, 4 filters and 2 groups: channels 0 to 2 with filters 0 and 1, channels 3 to 5 with filters 2 and 3.
    """
    count = x.shape[3] // kernel.shape[2]
    filters = kernel.shape[3] // count
    return [
        (slice(g * kernel.shape[2], (g + 1) * kernel.shape[2]), slice(g * filters, (g + 1) * filters))
        for g in range(count)
    ]


# --- Depthwise convolution --------------------------------------------------------------------------------------------


def depthwise(x: Array, kernel: Array, bias: Array, window: Window) -> Array:
    """Return the convolution of each channel of x (N, H, W, C) by its own kernels (U, V, C, M): y (N, H', W', C·M).

    y[n,i,j,c·M+m] = bias[c·M+m] + Σ_u Σ_v x̂[n, i·s+u·d, j·t+v·e, c] · kernel[u,v,c,m]
    """
    y = np.einsum("nijcuv,uvcm->nijcm", all_windows(with_padding(x, window), window), kernel)
    return np.asarray(y.reshape(*y.shape[:3], -1) + bias)


def depthwise_backward(dy: Array, x: Array, kernel: Array, window: Window) -> tuple[Array, Array, Array]:
    """Return dx (N, H, W, C), dkernel (U, V, C, M) and dbias (C·M,) for dy (N, H', W', C·M).

    dkernel[u,v,c,m]              = Σ_n Σ_i Σ_j x̂[n, i·s+u·d, j·t+v·e, c] · dy[n,i,j,c·M+m]
    dbias[o]                      = Σ_n Σ_i Σ_j dy[n,i,j,o]
    dx̂[n, i·s+u·d, j·t+v·e, c]  += Σ_m dy[n,i,j,c·M+m] · kernel[u,v,c,m]      for all u, v, i, j
    """
    padded = with_padding(x, window)
    by_channel = dy.reshape(*dy.shape[:3], *kernel.shape[2:])
    dkernel = np.einsum("nijcuv,nijcm->uvcm", all_windows(padded, window), by_channel)
    dpadded = np.zeros_like(padded)
    for u, v, pixels in positions(window, dy.shape[1:3]):
        dpadded[pixels] += (by_channel * kernel[u, v]).sum(axis=4)
    return without_padding(dpadded, x, window), dkernel, dy.sum(axis=(0, 1, 2))


# --- Pooling ------------------------------------------------------------------------------------------------------


def max_pooling(x: Array, window: Window) -> Array:
    """Return the largest value of each window of each map of x (N, H, W, C): y (N, H', W', C).

    y[n,i,j,c] = max over u, v of x̂[n, i·s+u, j·t+v, c]

    where x̂ is x with the padding of `same`, which is never the largest.
    """
    return np.asarray(all_windows(with_padding(x, window, -np.inf), window).max(axis=(4, 5)))


def max_pooling_backward(dy: Array, x: Array, window: Window) -> Array:
    """Return dx (N, H, W, C) for dy (N, H', W', C): only the largest value of a window gets its gradient.

    dx[n, i·s+u, j·t+v, c] += dy[n,i,j,c]    where (u, v) is the first largest of the window, row by row

    Equal values are frequent (a relu makes zeros), so the order decides.
    """
    padded = with_padding(x, window, -np.inf)
    windows = all_windows(padded, window)
    largest = windows.reshape(*windows.shape[:4], -1).argmax(axis=4)  # u · V + v, the first of equal values
    dpadded = np.zeros_like(padded)
    for u, v, pixels in positions(window, dy.shape[1:3]):
        dpadded[pixels] += dy * (largest == u * window.size[1] + v)
    return without_padding(dpadded, x, window)


def average_pooling(x: Array, window: Window) -> Array:
    """Return the mean of each window of each map of x (N, H, W, C): y (N, H', W', C).

    y[n,i,j,c] = 1 / pixels[i,j] · Σ_u Σ_v x̂[n, i·s+u, j·t+v, c]

    where pixels[i,j] is the number of the window's pixels in the map: those of `same` padding are not counted.
    """
    return np.asarray(all_windows(with_padding(x, window), window).sum(axis=(4, 5)) / _count_pixels(x, window))


def average_pooling_backward(dy: Array, x: Array, window: Window) -> Array:
    """Return dx (N, H, W, C) for dy (N, H', W', C): each pixel of a window gets an equal part.

    dx̂[n, i·s+u, j·t+v, c] += dy[n,i,j,c] / pixels[i,j]      for all u, v, i, j
    """
    dpadded = np.zeros_like(with_padding(x, window))
    part = dy / _count_pixels(x, window)
    for _, _, pixels in positions(window, dy.shape[1:3]):
        dpadded[pixels] += part
    return without_padding(dpadded, x, window)


def _count_pixels(x: Array, window: Window) -> Array:
    """Count the pixels of each window that lie in the map, (1, H', W', 1)."""
    # A map of ones, with zeros for padding: the sum of a window is the number of its pixels in the map.
    return np.asarray(all_windows(with_padding(np.ones((1, *x.shape[1:3], 1)), window), window).sum(axis=(4, 5)))


def whole_map(x: Array) -> Window:
    """Make the window that covers a whole map of x (N, H, W, C), for global pooling."""
    size = (x.shape[1], x.shape[2])
    return Window(size, size, "valid")


# --- Zero padding -----------------------------------------------------------------------------------------------------


def zero_padding(x: Array, padding: Frame) -> Array:
    """Return x (N, H, W, C) in a frame of zeros, padding ((above, below), (left, right)): y (N, H', W', C).

    y[n, above+i, left+j, c] = x[n,i,j,c], and 0 elsewhere
    """
    return np.pad(x, ((0, 0), *padding, (0, 0)))


def zero_padding_backward(dy: Array, padding: Frame) -> Array:
    """Return dx (N, H, W, C) for dy (N, H', W', C): dx[n,i,j,c] = dy[n, above+i, left+j, c]."""
    (above, below), (left, right) = padding
    return dy[:, above : dy.shape[1] - below, left : dy.shape[2] - right]


# --- Dropout ----------------------------------------------------------------------------------------------------------


def dropout(x: Array, kept: NDArray[np.bool_], rate: float) -> Array:
    """Return y = x / (1 - rate) where `kept`, else 0, for x of any shape; the mean stays the same."""
    return np.where(kept, x / (1 - rate), 0)


def dropout_backward(dy: Array, kept: NDArray[np.bool_], rate: float) -> Array:
    """Return dx = dy / (1 - rate) where `kept`, else 0."""
    return np.where(kept, dy / (1 - rate), 0)


def draw_dropout_mask(key: int, layer: int, first: int, shape: Sequence[int], dropped: int) -> NDArray[np.bool_]:
    """Draw which numbers of a layer's input `shape` (N, ...) are kept, all but about `dropped` in 2^24.

    bits(start, n) = number n of the sequence SplitMix64 from `start`, computed without those before it
    kept[i, n]     = bits(bits(bits(key, layer), first + i), n) ≥ dropped, comparing the 24 highest bits

    where image i is number first + i of the epoch. Source: Steele, Lea and Flood 2014, figure 16.
    """
    # A start for each image, (N,), and from it 64 bits for each number of the image, (N, numbers).
    images = _split_mix(_split_mix(np.array([key], np.uint64), layer), np.arange(first, first + shape[0]))
    bits = _split_mix(images[:, None], np.arange(prod(shape[1:])))
    return np.asarray((bits >> np.uint64(40)) >= dropped).reshape(shape)


def _split_mix(start: NDArray[np.uint64], numbers: int | NDArray[np.int64]) -> NDArray[np.uint64]:
    bits = start + np.asarray(numbers + 1, np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    bits = (bits ^ (bits >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    bits = (bits ^ (bits >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.asarray(bits ^ (bits >> np.uint64(31)))


# --- Dense layer --------------------------------------------------------------------------------------


def dense(x: Array, kernel: Array, bias: Array) -> Array:
    """Return y (N, units) for x (N, inputs), kernel (inputs, units) and bias (units,).

    y[n,k] = bias[k] + Σ_i x[n,i] · kernel[i,k]
    """
    return x @ kernel + bias


def dense_backward(dy: Array, x: Array, kernel: Array) -> tuple[Array, Array, Array]:
    """Return dx (N, inputs), dkernel (inputs, units) and dbias (units,) for dy (N, units).

    dx[n,i]      = Σ_k dy[n,k] · kernel[i,k]
    dkernel[i,k] = Σ_n x[n,i] · dy[n,k]
    dbias[k]     = Σ_n dy[n,k]
    """
    return dy @ kernel.T, x.T @ dy, dy.sum(axis=0)


# --- Products ---------------------------------------------------------------------------------------------------------


def multiply(x: Array, factor: Array) -> Array:
    """Return x (N, H, W, C) or (N, C) times `factor`, of the same shape or a number for each channel, (N, C).

    y[n,i,j,c] = x[n,i,j,c] · factor[n,c]
    """
    return x * _expand(factor, x)


def multiply_backward(dy: Array, x: Array, factor: Array) -> tuple[Array, Array]:
    """Return dx and dfactor for dy (N, H, W, C).

    dx[n,i,j,c]  = dy[n,i,j,c] · factor[n,c]
    dfactor[n,c] = Σ_i Σ_j dy[n,i,j,c] · x[n,i,j,c]
    """
    products = dy * x
    if factor.size < x.size:
        products = products.sum(axis=(1, 2))
    return dy * _expand(factor, x), products.reshape(factor.shape)


def _expand(factor: Array, x: Array) -> Array:
    """Give a number for each channel, (N, C), the axes of rows and columns that x has."""
    return factor[:, None, None] if factor.ndim < x.ndim else factor
