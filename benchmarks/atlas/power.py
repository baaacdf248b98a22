"""How many seeds show a difference of a given size, by a formula, and by drawing from the accuracies themselves."""

from dataclasses import dataclass

import numpy as np
from estimates import wilson_interval
from numpy.typing import NDArray
from scipy.special import stdtrit
from variation import RunVariation, power_of_t_test

DIFFERENCES = (0.002, 0.001, 0.0005, 0.0002)
"""Of accuracies, which networks are compared for."""

_DRAWS = 1 << 22  # numbers drawn for one row
_MOST_REPEATS = 10_000


@dataclass(frozen=True)
class PowerRow:
    """How many seeds of each of two networks show a true difference of their mean accuracies.

    Attributes:
        difference: of the accuracies.
        num_seeds: of each network, so that a two-sided t-test at 5 % finds it with a probability of 80 %; None for
            more than a million.
        power: that probability, which is a little more where few seeds are needed; None as above.
        simulated_power: how often the test found it where so many accuracies were drawn, with replacement, from those
            that were measured, for one of the networks moved by the difference; None where that was too many.
        simulated_interval: its 95 % interval, by Wilson.
        num_simulated: how often that was done.
    """

    difference: float
    num_seeds: int | None
    power: float | None
    simulated_power: float | None
    simulated_interval: tuple[float, float] | None
    num_simulated: int


def power_table(variation: RunVariation, accuracies: NDArray[np.float64]) -> tuple[PowerRow, ...]:
    """Return a row for each of `DIFFERENCES` on the same test images."""
    return tuple(_row(difference, variation, accuracies) for difference in DIFFERENCES)


def _row(difference: float, variation: RunVariation, accuracies: NDArray[np.float64]) -> PowerRow:
    num_seeds = variation.runs_needed(difference)
    if num_seeds is None:
        return PowerRow(difference, None, None, None, None, 0)
    power = power_of_t_test(num_seeds, difference / variation.sd_seeds, 0.05) if variation.sd_seeds else 1.0
    repeats = min(_MOST_REPEATS, _DRAWS // (2 * num_seeds))
    if repeats < 200:
        return PowerRow(difference, num_seeds, power, None, None, 0)
    found = simulate_power(accuracies, difference, num_seeds, repeats)
    return PowerRow(difference, num_seeds, power, found / repeats, wilson_interval(found, repeats), repeats)


def simulate_power(accuracies: NDArray[np.float64], difference: float, num_seeds: int, repeats: int) -> int:
    """Return in how many of `repeats` experiments a t-test finds `difference` between networks of `num_seeds` each.

    The accuracies of both are drawn from `accuracies`, those of one with the difference added.
    """
    stream = np.random.default_rng(round(1e6 * difference))
    limit = float(stdtrit(2 * num_seeds - 2, 0.975))
    found, step = 0, max(1, (1 << 20) // (2 * num_seeds))
    for start in range(0, repeats, step):
        shape = (min(step, repeats - start), num_seeds)
        first, second = (accuracies[stream.integers(len(accuracies), size=shape)] for _ in range(2))
        error = np.sqrt((first.var(axis=1, ddof=1) + second.var(axis=1, ddof=1)) / num_seeds)
        apart = second.mean(axis=1) + difference - first.mean(axis=1)
        found += int((np.abs(apart) > limit * error).sum())
    return found
