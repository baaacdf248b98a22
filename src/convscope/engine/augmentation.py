"""The mathematics of augmentation in NumPy and float64, which native/augmentation.cpp computes in float32.

The change of an image depends only on the epoch's key and on the image's position in the epoch's order, so threads,
batches and interruptions do not matter. The two engines differ by at most one grey level, because of rounding, and not
at all in shifts, flips and cutouts.
"""

from enum import IntEnum
from math import ceil
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from convscope.recipes import Augmentation

Array = NDArray[np.float64]


class Slot(IntEnum):
    """The use of each number of an image's stream. ELASTIC begins a number for each pixel, NOISE one for two values."""

    SHIFT_DOWN = 0
    SHIFT_RIGHT = 1
    ROTATION = 2
    SCALE = 3
    SHEAR = 4
    CROP = 5
    CROP_DOWN = 6
    CROP_RIGHT = 7
    CUTOUT_DOWN = 8
    CUTOUT_RIGHT = 9
    CONTRAST = 10
    BRIGHTNESS = 11
    STRETCH_DOWN = 12
    STRETCH_RIGHT = 13
    FLIP = 14
    ELASTIC = 1 << 30  # far apart, so that the pixels of no image reach the next use
    NOISE = 2 << 30


def augment(images: NDArray[np.uint8], augmentation: Augmentation, key: int, first: int = 0) -> NDArray[np.uint8]:
    """Change images (N, H, W, C) at random; image n is at position `first` + n of the epoch's order.

    Args:
        key: that of the epoch's stream, from `convscope.base.streams.stream_key`.
    """
    if augmentation == Augmentation():  # changes nothing
        return images
    result = np.empty_like(images)
    for n, image in enumerate(images):
        result[n] = _augment_image(image, augmentation, _Stream(key, first + n))
    return result


class _Stream(NamedTuple):
    """The random numbers of the image at `position` of the epoch. A slot gives the same numbers in whatever order."""

    key: int
    position: int

    def bits(self, slot: Slot, count: int = 1) -> NDArray[np.uint64]:
        return random_bits(self.key, self.position, slot, count)

    def draw(self, slot: Slot, limit: float) -> float:
        """Draw a number from -limit to limit."""
        return limit * float(_to_uniform(self.bits(slot))[0])

    def draw_whole(self, slot: Slot, choices: int) -> int:
        """Draw a whole number below `choices`, each with equal chance but for one part in 2^32."""
        return (int(self.bits(slot)[0]) >> 32) * choices >> 32  # ⌊bits / 2^32 · choices⌋ of 32 bits


def _augment_image(image: NDArray[np.uint8], augmentation: Augmentation, stream: _Stream) -> NDArray[np.uint8]:
    """Augment an image (H, W, C): move its pixels, cut out a square, and change its grey levels."""
    values = _interpolate(image, *_find_points(image.shape, augmentation, stream))
    if augmentation.cutout:
        top = stream.draw_whole(Slot.CUTOUT_DOWN, image.shape[0]) - augmentation.cutout // 2
        left = stream.draw_whole(Slot.CUTOUT_RIGHT, image.shape[1]) - augmentation.cutout // 2
        # The square may reach over an edge; a negative index would count from the other side.
        values[max(top, 0) : max(top + augmentation.cutout, 0), max(left, 0) : max(left + augmentation.cutout, 0)] = 0
    values = _change_levels(values, augmentation, stream)
    return np.asarray(values.clip(0, 255) + 0.5).astype(np.uint8)  # rounds halves up


def _find_points(shape: tuple[int, ...], augmentation: Augmentation, stream: _Stream) -> tuple[Array, Array]:
    """Find the point of the image, a row and a column, that each pixel of the result shows, both (H, W).

    So points move against the picture: if column 5 reads column 3, the picture moves right by 2.
    """
    height, width, _ = shape
    down, right = (
        stream.draw_whole(slot, 2 * augmentation.shift + 1) - augmentation.shift
        for slot in (Slot.SHIFT_DOWN, Slot.SHIFT_RIGHT)
    )
    # Points are counted in pixels from the image's centre here, and after the stretch from its first pixel.
    y, x = np.indices((height, width)) - np.array([(height - 1) / 2, (width - 1) / 2])[:, None, None]
    if augmentation.horizontal_flip and stream.draw_whole(Slot.FLIP, 2):
        x = -x
    # The crop: points of a window whose sides are the share `side` of the image's, evenly drawn from 1 - crop to 1. It
    # lies anywhere within the image: the two middles are at most (1 - side) / 2 of the image's sides apart.
    side = 1 - stream.draw(Slot.CROP, augmentation.crop / 2) - augmentation.crop / 2
    y = side * y + stream.draw(Slot.CROP_DOWN, (1 - side) * height / 2) - down
    x = side * x + stream.draw(Slot.CROP_RIGHT, (1 - side) * width / 2) - right
    angle = stream.draw(Slot.ROTATION, np.radians(augmentation.rotation))
    y, x = np.cos(angle) * y + np.sin(angle) * x, np.cos(angle) * x - np.sin(angle) * y
    x = x - np.tan(stream.draw(Slot.SHEAR, np.radians(augmentation.shear))) * y
    size = 1 + stream.draw(Slot.SCALE, augmentation.scale)
    tall, wide = (np.exp(stream.draw(slot, augmentation.stretch)) for slot in (Slot.STRETCH_DOWN, Slot.STRETCH_RIGHT))
    y, x = y / (size * tall) + (height - 1) / 2, x / (size * wide) + (width - 1) / 2  # from the first pixel again
    if augmentation.elastic:
        bits = stream.bits(Slot.ELASTIC, height * width).reshape(height, width)
        # One 64-bit number serves both directions: bits 40 to 63 for rows, 16 to 39 for columns.
        y = y + augmentation.elastic * _smooth(_to_uniform(bits), augmentation.elastic_sigma)
        x = x + augmentation.elastic * _smooth(_to_uniform(bits << np.uint64(24)), augmentation.elastic_sigma)
    return y, x


def _change_levels(values: Array, augmentation: Augmentation, stream: _Stream) -> Array:
    """Change contrast and brightness, and add noise, each pixel's and channel's own."""
    mean = values.mean()
    values = (values - mean) * (1 + stream.draw(Slot.CONTRAST, augmentation.contrast)) + mean
    values = values + stream.draw(Slot.BRIGHTNESS, augmentation.brightness)
    if augmentation.noise:
        half = (values.size + 1) // 2  # a number of the stream gives two values
        normal = _normal(stream.bits(Slot.NOISE, half))
        values = values + augmentation.noise * normal[: values.size].reshape(values.shape)
    return values


def random_bits(key: int, position: int, slot: int, count: int = 1) -> NDArray[np.uint64]:
    """Draw the numbers (count,) from `slot` on of the stream of the image at `position`, each of 64 random bits.

    They are those of SplitMix64, whose state grows by a constant from number to number, so any number can be computed
    without those before it.

    Source: Steele, Lea and Flood 2014, with the constants of Vigna's implementation.
    """
    first = ((position << 32) + slot + 1) % 2**64  # each image has 2^32 numbers
    # The golden ratio times 2^64, whose multiples are spread evenly; the products wrap around at 2^64.
    z = np.uint64(key) + (np.uint64(first) + np.arange(count, dtype=np.uint64)) * np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.asarray(z ^ (z >> np.uint64(31)))


def _to_uniform(bits: NDArray[np.uint64]) -> Array:
    """Convert the highest 24 bits to uniform numbers from -1 to less than 1."""
    # 24 bits, because the native engine computes in float32, whose numbers have 24.
    return (bits >> np.uint64(40)) / 2**23 - 1


def _normal(bits: NDArray[np.uint64]) -> Array:
    """Convert bits (n,) to 2n standard normal numbers: all r cos φ, then all r sin φ, with r² = -2 ln u.

    Source: Box and Muller 1958.
    """
    u = ((bits >> np.uint64(40)) + np.uint64(1)) / 2**24  # bits 40 to 63; above 0, as ln 0 is infinite
    turns = (bits << np.uint64(24) >> np.uint64(40)) / 2**24  # bits 16 to 39: φ / 2π
    radius = np.sqrt(-2 * np.log(u))
    return np.concatenate([radius * np.cos(2 * np.pi * turns), radius * np.sin(2 * np.pi * turns)])


def _smooth(field: Array, sigma: float) -> Array:
    """Apply a Gaussian filter to a field (H, W) along both axes, with zeros around the field."""
    radius = ceil(3 * sigma)  # 99.7 % of the weight
    weights = np.exp(-(np.arange(-radius, radius + 1) ** 2) / (2 * sigma**2))
    for axis in (0, 1):
        field = np.apply_along_axis(np.convolve, axis, field, weights / weights.sum())
        # The convolution is longer than the field by `radius` at each end.
        field = np.take(field, np.arange(radius, field.shape[axis] - radius), axis)
    return field


def _interpolate(image: NDArray[np.uint8], rows: Array, columns: Array) -> Array:
    """Read the image at points `rows` and `columns` (H, W), which may lie between its pixels or outside: (H, W, C).

    A value is the bilinear mean of the four pixels around its point: at row 2.25 and column 7 it is 3/4 of pixel (2, 7)
    and 1/4 of pixel (3, 7). Outside the image all is zero.
    """
    height, width, _ = image.shape
    # A frame of zeros, one pixel wide. Points further outside are moved to it. There all indices are larger by 1.
    framed = np.pad(image.astype(np.float64), ((1, 1), (1, 1), (0, 0)))
    rows, columns = rows.clip(-1, height) + 1, columns.clip(-1, width) + 1
    top, left = np.minimum(rows.astype(int), height), np.minimum(columns.astype(int), width)
    below, right = (rows - top)[..., None], (columns - left)[..., None]  # the weights of the lower and right pixels
    upper = framed[top, left] * (1 - right) + framed[top, left + 1] * right
    lower = framed[top + 1, left] * (1 - right) + framed[top + 1, left + 1] * right
    return np.asarray(upper * (1 - below) + lower * below)
