"""Kernels that lie on a grid of few levels: found from their numbers, and packed several to a byte.

Training in few bits leaves such kernels (`Recipe.weight_bits`), and folding a batch normalisation multiplies each
output channel by one number. So the grid is looked for channel by channel, in what is to be exported.
"""

import re

import numpy as np
from numpy.typing import NDArray

from convscope.interchange.c_header.c_text import function_text
from convscope.interchange.c_header.fixed_point import HIGHEST, Array, Integers

_FEWEST_WEIGHTS = 4  # a channel of fewer may lie on a grid by chance
_TOLERANCE = 2.0**-22  # of a level, times their number: each weight was rounded to 24 binary places
_MAX_LEVELS = {2: 1, 4: 7}  # above zero


def grid_of(channels: Array) -> tuple[Integers, Array] | None:
    """Return the levels, -127 to 127, and the step of each column of `channels` (n, F), if all columns lie on grids.

    Of several grids it is the coarsest. A column of zeros has the step 1.

    >>> levels, steps = grid_of(np.array([[0.5, 3], [-1, 0], [0, -3], [1, 3]]))
    >>> levels.tolist(), steps.tolist()
    ([[1, 1], [-2, 0], [0, -1], [2, 1]], [0.5, 3.0])
    """
    if len(channels) < _FEWEST_WEIGHTS:
        return None
    largest = np.abs(channels).max(axis=0)
    shares = channels / np.where(largest > 0, largest, 1)
    highest = np.zeros(channels.shape[1], np.int64)  # of each column's levels; 0 is not found yet
    for level in range(1, HIGHEST + 1):
        distance = np.abs(level * shares - np.rint(level * shares)).max(axis=0)
        highest = np.where((highest == 0) & (distance <= _TOLERANCE * level), level, highest)
    if not highest.all():
        return None
    return np.rint(highest * shares).astype(np.int64), np.where(largest > 0, largest / highest, 1.0)


def bits_of(levels: Integers) -> int:
    """Return in how many bits each of `levels` is packed: 2, 4 or 8."""
    highest = np.abs(levels).max()
    return next((bits for bits, maximum in _MAX_LEVELS.items() if highest <= maximum), 8)


def packed(levels: Integers, bits: int) -> NDArray[np.int8] | NDArray[np.uint8]:
    """Return levels as bytes, the first of each byte in its lowest bits; 8 bits are the levels themselves.

    >>> packed(np.array([-7, 0, 7]), 4).tolist(), packed(np.array([-1, 0, 1]), 2).tolist()
    ([112, 14], [36])
    """
    if bits == 8:
        return levels.astype(np.int8)
    per_byte = 8 // bits
    flat = levels.reshape(-1) + _MAX_LEVELS[bits]
    padded = np.pad(flat, (0, -len(flat) % per_byte)).reshape(-1, per_byte)
    return np.asarray((padded << (bits * np.arange(per_byte))).sum(axis=1), np.uint8)


def int8_function_text(name: str) -> str:
    """Return the C function `name` of int8.c; `NAME_4bit` and `NAME_2bit` are `NAME` with weights unpacked as read."""
    base, _, bits = name.rpartition("_")
    if not bits.endswith("bit"):
        return function_text("int8", name)
    comment, end, code = function_text("int8", base).partition("*/")
    code = code.replace(f"PREFIX_{base}(", f"PREFIX_{name}(").replace("const int8_t *kernel", "const uint8_t *kernel")
    return comment + end + re.sub(r"kernel\[(.*?)\]", rf"PREFIX_unpack_{bits[0]}(kernel, \1)", code)
