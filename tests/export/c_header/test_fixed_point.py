"""Scales and multipliers of integers, as the C code of an 8-bit network has them."""

import numpy as np
import pytest

from convscope.export.c_header.fixed_point import Scale, choose_scale, rescale, to_fixed_point


@pytest.mark.parametrize(("low", "high"), [(-1.0, 3.0), (0.0, 7.0), (-5.0, 0.0), (2.0, 3.0), (-9.0, -8.0), (0.0, 0.0)])
def test_a_scale_holds_its_range_and_zero(low: float, high: float) -> None:
    scale = choose_scale(low, high)
    assert -128 <= scale.zero <= 127
    ends = np.array([low, 0.0, high])
    assert np.abs(scale.to_numbers(scale.to_integers(ends)) - ends).max() <= 0.5001 * scale.scale  # rounded to a step
    assert scale.to_numbers(scale.to_integers(np.zeros(1)))[0] == 0


def test_a_residue_is_added_to_the_numbers() -> None:
    scale = Scale(1 / 127.5, 0, 1 / 255)  # turns bytes minus 128 into -1 to 1, where 0 would miss by half a step
    assert scale.to_numbers(np.array([-128, 127])).round(12).tolist() == [-1, 1]


@pytest.mark.parametrize("factor", [1e-19, 3.1e-10, 0.25, 0.1, 0.49999999999, 0.99999999999, 1.0, 1.7, 12345.6])
def test_a_factor_is_a_multiplier_and_a_shift(factor: float) -> None:
    multiplier, shift = to_fixed_point(factor)  # factor = multiplier / 2^shift
    assert 0 <= multiplier < 2**31
    assert 1 <= shift <= 62
    assert float(multiplier) / 2.0 ** float(shift) == pytest.approx(factor, rel=2**-31, abs=2**-63)


def test_a_factor_beyond_all_multipliers_saturates() -> None:
    multiplier, shift = to_fixed_point([2.0**30, 1e30])
    assert multiplier.tolist() == [2**31 - 1] * 2
    assert rescale(np.array([1, -1]), multiplier, shift, 0).tolist() == [127, -128]


def test_halves_are_rounded_up_on_both_sides_of_zero() -> None:
    assert rescale(np.array([-3, -2, -1, 0, 1, 2, 3]), 1, 1, 0).tolist() == [-1, -1, 0, 0, 1, 1, 2]


def test_the_largest_sums_and_multipliers_stay_within_64_bits() -> None:
    largest = np.array([2**31 - 1, -(2**31)])
    for shift in (1, 31, 62):
        exact = [int(value) * (2**31 - 1) + (1 << (shift - 1)) >> shift for value in largest]  # Python's long integers
        assert rescale(largest, 2**31 - 1, shift, 0).tolist() == [min(max(value, -128), 127) for value in exact]
