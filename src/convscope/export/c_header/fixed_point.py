"""Convert numbers to 8-bit integers, and factors to a multiplier and a shift, as the exported C does.

Source: Jacob and others 2018, "Quantization and Training of Neural Networks for Efficient Integer-Arithmetic-Only
Inference", equations 1, 5 and 6. Deviation: halves are rounded up, also below zero, and the product has 64 bits.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]
Integers = NDArray[np.int64]

LOWEST, HIGHEST = -128, 127
_SMALLEST_SCALE = 1e-30  # well above where float64 and float32 lose digits
_LARGEST_SHIFT = 62  # a product has 64 bits, and bit 63 is the sign


@dataclass(frozen=True)
class Scale:
    """The number of an 8-bit integer: scale · (integer - zero) + residue.

    Attributes:
        zero: the integer nearest to the number 0, from -128 to 127.
        residue: the number that `zero` stands for, at most half a step; not 0 only for images whose 0 lies between two
            bytes.
    """

    scale: float
    zero: int
    residue: float = 0.0

    @property
    def reach(self) -> int:
        """The largest distance of an integer from `zero`."""
        return max(HIGHEST - self.zero, self.zero - LOWEST)

    def to_integers(self, numbers: Array) -> Integers:
        """Round numbers to integers, limited to -128 to 127."""
        steps = np.floor((numbers - self.residue) / self.scale + 0.5) + self.zero  # np.rint would round halves to even
        return np.asarray(np.clip(steps, LOWEST, HIGHEST), np.int64)

    def to_numbers(self, integers: Integers) -> Array:
        """Convert integers to the numbers that they stand for."""
        return np.asarray(self.scale * (integers - self.zero) + self.residue, np.float64)


def choose_scale(low: float, high: float) -> Scale:
    """Choose the scale of integers that reach from `low` to `high` and include 0, which gets an integer of its own."""
    low, high = min(low, 0.0), max(high, 0.0)
    scale = max((high - low) / (HIGHEST - LOWEST), _SMALLEST_SCALE)
    zero = round(LOWEST - low / scale)
    return Scale(scale, min(max(zero, LOWEST), HIGHEST))


def to_fixed_point(factors: ArrayLike) -> tuple[Integers, Integers]:
    """Approximate non-negative factors by multiplier / 2^shift, with a relative error of at most 2^-31.

    A multiplier has 31 bits, unless the factor is below 2^-32; a shift is from 1 to 62. A factor of 2^30 or more
    becomes the largest possible: its products exceed 8 bits anyway.

    Example: 0.3 = 0.6 · 2^-1 has the exponent -1, so the shift 32 and the multiplier 1,288,490,189 = rint(0.3 · 2^32).
    """
    factors = np.asarray(factors, np.float64)
    # factor = mantissa · 2^exponent with 1/2 ≤ mantissa < 1. So factor · 2^(31 - exponent) is below 2^31: 31 bits.
    _, exponents = np.frexp(factors)
    shifts = np.minimum(31 - exponents.astype(np.int64), _LARGEST_SHIFT)
    # Shifts below 1 belong to factors that are too large; both are replaced at the end.
    multipliers = np.rint(np.ldexp(factors, np.maximum(shifts, 1))).astype(np.float64)
    rounded_up = multipliers >= 2**31  # 0.99999... rounds to 1: one bit too many
    shifts = np.where(rounded_up, shifts - 1, shifts)
    multipliers = np.where(rounded_up, np.rint(np.ldexp(factors, np.maximum(shifts, 1))), multipliers)
    too_large = shifts < 1
    multipliers = np.where(too_large, 2**31 - 1, multipliers)
    return multipliers.astype(np.int64), np.where(too_large, 1, shifts)


def rescale(sums: Integers, multipliers: ArrayLike, shifts: ArrayLike, zero: int) -> Integers:
    """Compute zero + ⌊sum · multiplier / 2^shift + 1/2⌋, limited to -128 to 127, as `requantize` does in C."""
    shifts = np.asarray(shifts, np.int64)
    product = sums * np.asarray(multipliers, np.int64) + (np.int64(1) << (shifts - 1))  # 2^shift · 1/2
    return np.asarray(np.clip((product >> shifts) + zero, LOWEST, HIGHEST), np.int64)
