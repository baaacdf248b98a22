"""`RunVariation`, how much runs differ by chance, on simulated runs whose true spread is known."""

import numpy as np
import pytest
from numpy.typing import NDArray
from variation import RunVariation

IMAGES, RATE = 10_000, 0.01


def simulate(
    random: np.random.Generator, runs: int, sd_true: float, difficulty: NDArray[np.float64] | None = None
) -> NDArray[np.bool_]:
    """Draw which images each run misses (n, N), at rates that vary by `sd_true`, times the `difficulty` (N,)."""
    if difficulty is None:
        difficulty = np.ones(IMAGES)
    rates = RATE + sd_true * random.standard_normal(runs)
    return random.random((runs, len(difficulty))) < rates[:, None] * difficulty


@pytest.mark.slow
def test_simulated_variances_are_recovered():
    variation = RunVariation.from_flags(simulate(np.random.default_rng(0), 2000, 0.0008))
    assert variation.mean == pytest.approx(1 - RATE, abs=1e-4)
    assert variation.sd_images == pytest.approx(np.sqrt(RATE * (1 - RATE) / IMAGES), rel=0.02)
    assert variation.sd_true == pytest.approx(0.0008, rel=0.06)
    assert variation.sd_seeds == pytest.approx(np.hypot(0.0008, variation.sd_images), rel=0.06)


def test_chance_on_single_images_is_no_difference_between_seeds():
    variation = RunVariation.from_flags(simulate(np.random.default_rng(1), 500, 0.0))
    assert variation.sd_seeds == pytest.approx(variation.sd_images, rel=0.1)
    assert variation.sd_true < 0.4 * variation.sd_seeds


@pytest.mark.slow
def test_differences_of_two_runs_match_simulated_pairs():
    random = np.random.default_rng(3)
    difficulty = random.exponential(size=IMAGES)  # how difficult each image is
    variation = RunVariation.from_flags(simulate(random, 1000, 0.0006, difficulty))
    on_same_images = np.array([simulate(random, 2, 0.0006, difficulty).mean(axis=1) for _ in range(1000)])
    error_rates = [simulate(random, 1, 0.0006, random.exponential(size=IMAGES)).mean() for _ in range(2000)]
    on_other_images = np.reshape(error_rates, (-1, 2))
    for pairs, sd, chance in (
        (on_same_images, variation.sd_same_images, variation.chance_same_images),
        (on_other_images, variation.sd_other_images, variation.chance_other_images),
    ):
        differences = pairs[:, 0] - pairs[:, 1]
        assert sd == pytest.approx(differences.std(), rel=0.1)
        assert chance(0.001) == pytest.approx((np.abs(differences) >= 0.001).mean(), abs=0.06)
