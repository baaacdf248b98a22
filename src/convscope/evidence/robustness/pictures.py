"""Change many pictures in bounded memory, and pack a few of them into bounded bytes."""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convscope.base.averaging import average
from convscope.base.packing import Packed
from convscope.evidence.robustness.noise import Levels, Pictures, Uniform, uniforms

_BLOCK_VALUES = 1 << 20  # pixel values that are changed at once
_MAX_FIELDS_BYTES = 128  # the JSON around a packed array's data: its type and shape


def in_blocks(
    change: Callable[[Pictures, Uniform], Levels],
    images: Pictures,
    seed: int,
    purpose: str,
    indices: NDArray[np.integer[Any]],
) -> Pictures:
    """Apply `change` to images (N, H, W, C) block by block, and round to grey levels.

    Args:
        indices: (N,), the images' indices in their data set, which set their random numbers for `purpose`.
    """
    result = np.empty_like(images)
    step = max(1, _BLOCK_VALUES // int(np.prod(images.shape[1:])))
    for start in range(0, len(images), step):
        block = slice(start, start + step)
        uniform = partial(uniforms, seed, purpose, indices[block])  # the count is still open
        result[block] = np.clip(np.rint(change(images[block], uniform)), 0, 255).astype(np.uint8)
    return result


def pack_small(pictures: Pictures, max_bytes: int) -> Packed:
    """Pack `pictures` (..., H, W, C) into at most `max_bytes`, averaged to a smaller size if needed."""
    packed, side = Packed.from_array(pictures), max(pictures.shape[-3:-1])
    while (num_bytes := len(packed.data) + _MAX_FIELDS_BYTES) > max_bytes and side > 1:
        # Bytes grow with the square of the side, a little slower; two steps are enough as a rule.
        side = max(1, min(side - 1, int(side * (max_bytes / num_bytes) ** 0.5)))
        packed = Packed.from_array(_shrink(pictures, side))
    return packed


def _shrink(pictures: Pictures, side: int) -> Pictures:
    """Average `pictures` to a longest side of `side` pixels."""
    *before, height, width, channels = pictures.shape
    longest = max(height, width)
    size = max(1, round(height * side / longest)), max(1, round(width * side / longest))
    # `average` takes one picture with any number of channels: (B, H, W, C) to (H, W, B · C), and back.
    flat = np.moveaxis(pictures.reshape(-1, height, width, channels), 0, 2).reshape(height, width, -1)
    small = np.moveaxis(average(np.ascontiguousarray(flat), *size).reshape(*size, -1, channels), 2, 0)
    return np.ascontiguousarray(small).reshape(*before, *size, channels)
