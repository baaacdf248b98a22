"""Recognise kernels whose weights are multiples of a step, and pack several of these multiples into a byte.

Training in few bits (`Recipe.weight_bits`) leaves kernels like these. Folding a batch normalisation multiplies each
output channel by a number of its own, so the step is searched for each channel, in the folded kernel.
"""

import re

import numpy as np
from numpy.typing import NDArray

from convscope.export.c_header.c_text import read_function
from convscope.export.c_header.fixed_point import HIGHEST, Array, Integers

_MIN_WEIGHTS = 4  # fewer may be multiples of a common step by chance
_TOLERANCE = 2.0**-22  # relative to the largest weight; float32 rounds each weight by up to 2^-24
_IN_FLOAT = (
    (r"const int8_t \*kernel", "const float *kernel"),
    (r"const int32_t \*bias", "const float *bias"),
    (r"const int32_t \*multiplier, const uint8_t \*shift,\s|const float \*scale,\s+", ""),
    (r"int32_t sum = ", "float sum = "),
    (r"sum \+= \(", "sum += (float)("),
    (r"requantize\(sum, multiplier\[\w\], shift\[\w\], ", "round(sum, "),
    (r"\(float\)sum \* scale\[k\]", "sum"),
)
"""Patterns of the C functions of linear layers, and what they become with a float kernel."""
_MAX_LEVELS = {2: 1, 4: 7}  # the largest multiple, by the bits of a weight


def find_grid(channels: Array) -> tuple[Integers, Array] | None:
    """Find a step for each column of `channels` (n, F) and the weights as its multiples, from -127 to 127.

    Returns the multiples (n, F) and the coarsest steps (F,), or None if a column has no step. A column of zeros has the
    step 1.

    >>> levels, steps = find_grid(np.array([[0.5, 3], [-1, 0], [0, -3], [1, 3]]))
    >>> levels.tolist(), steps.tolist()
    ([[1, 1], [-2, 0], [0, -1], [2, 1]], [0.5, 3.0])
    """
    if len(channels) < _MIN_WEIGHTS:
        return None
    largest = np.abs(channels).max(axis=0)
    shares = channels / np.where(largest > 0, largest, 1)
    # If the largest weight is `level` steps, all weights divided by it and times `level` are whole numbers. For the
    # weights 0.5, -1 and 1, level 1 leaves 0.5, and level 2 gives 1, -2 and 2. So the step is 1 / 2.
    highest = np.zeros(channels.shape[1], np.int64)  # the level of each column's largest weight; 0 until it is known
    for level in range(1, HIGHEST + 1):
        distance = np.abs(level * shares - np.rint(level * shares)).max(axis=0)
        highest = np.where((highest == 0) & (distance <= _TOLERANCE * level), level, highest)
    if not highest.all():
        return None
    return np.rint(highest * shares).astype(np.int64), np.where(largest > 0, largest / highest, 1.0)


def count_bits(levels: Integers) -> int:
    """Count the bits that each of `levels` needs when it is packed: 2, 4 or 8."""
    highest = np.abs(levels).max()
    return next((bits for bits, maximum in _MAX_LEVELS.items() if highest <= maximum), 8)


def pack(levels: Integers, bits: int) -> NDArray[np.int8] | NDArray[np.uint8]:
    """Pack levels into bytes, the first of each byte in its lowest bits; levels of 8 bits stay as they are.

    >>> pack(np.array([-7, 0, 7]), 4).tolist(), pack(np.array([-1, 0, 1]), 2).tolist()
    ([112, 14], [36])
    """
    if bits == 8:
        return levels.astype(np.int8)
    per_byte = 8 // bits
    flat = levels.reshape(-1) + _MAX_LEVELS[bits]  # none is negative now; `unpack` in C subtracts the same number
    padded = np.pad(flat, (0, -len(flat) % per_byte)).reshape(-1, per_byte)
    return np.asarray((padded << (bits * np.arange(per_byte))).sum(axis=1), np.uint8)


def make_int8_function(name: str) -> str:
    """Read the C function `name` from int8.c; for NAME_4bit and NAME_2bit, NAME with an unpacking of each weight.

    Example: in conv2d_4bit, `kernel[first + c]` of conv2d is `PREFIX_unpack_4(kernel, first + c)`. NAME_float has float
    weights and sums.
    """
    base, _, bits = name.rpartition("_")
    if bits != "float" and not bits.endswith("bit"):
        return read_function("int8", name)
    comment, end, code = read_function("int8", base).partition("*/")  # the comment may name `kernel[...]` too
    if bits == "float":
        for pattern, replacement in _IN_FLOAT:
            code = re.sub(pattern, replacement, code)
        return comment.replace("requantize", "round") + end + code.replace(f"PREFIX_{base}(", f"PREFIX_{name}(")
    code = code.replace(f"PREFIX_{base}(", f"PREFIX_{name}(").replace("const int8_t *kernel", "const uint8_t *kernel")
    return comment + end + re.sub(r"kernel\[(.*?)\]", rf"PREFIX_unpack_{bits[0]}(kernel, \1)", code)
