"""The seeds that a comparison needs, beside simulated comparisons."""

from math import inf

import numpy as np
import pytest

import convscope as cs
from convscope.base.statistics import group_difference
from convscope.evidence.comparison.power import POWER, DifferenceVariances

from .conftest import draw_correct, make_group

SD = 0.0007
"""Standard deviation of accuracies between seeds, about that of `cnn` with `fast`."""


def make_variances(images=0.0, chance=0.7, freedom=inf, spreads=(SD**2, SD**2)):
    """Make the variances of a difference; `spreads` between the runs of each network, of which `chance` is a share."""
    return DifferenceVariances(10_000, images, spreads, (chance * spreads[0], chance * spreads[1]), (freedom, freedom))


def draw_wrong(stream, seeds, rates, images=2000):
    """Draw the errors of two networks, (seeds, images) each, on the same easier and harder images."""
    difficulty = stream.beta(0.3, 2.7, images) * 10  # mean 1
    return tuple(
        stream.random((seeds, images)) < rate * difficulty * (1 + stream.normal(0, 0.1, (seeds, 1))) for rate in rates
    )


@pytest.mark.parametrize("seeds", [(2, 2), (2, 30), (3, 3), (3, 30), (4, 30), (5, 5), (10, 30), (30, 30)])
@pytest.mark.parametrize("ratio", [0.01, 0.3, 1, 10])
def test_equal_networks_differ_significantly_in_at_most_5_5_percent(seeds, ratio):
    for chance in (0.1, 0.3, 0.8):
        for images_to_seeds in (0.0, 0.3, 3.0):  # the variance that images cause, to that which seeds cause
            spreads = (SD**2, ratio * SD**2)
            images = images_to_seeds * (spreads[0] / seeds[0] + spreads[1] / seeds[1])
            # At most 5.5 %, and 0.2 points for the error of 4,000 simulated experiments.
            assert make_variances(images, chance, spreads=spreads).power(seeds, 0.0) < 0.057


@pytest.mark.slow
def test_the_power_equals_simulated_comparisons():
    stream, rates = np.random.default_rng(5), (0.05, 0.065)  # error rates: they differ by 0.015
    pilots = [DifferenceVariances.from_flags(*draw_wrong(stream, 40, rates)) for _ in range(20)]
    known = DifferenceVariances(
        2000,
        float(np.mean([pilot.images for pilot in pilots])),
        tuple(np.mean([pilot.runs for pilot in pilots], axis=0)),
        tuple(np.mean([pilot.chance for pilot in pilots], axis=0)),
        (inf, inf),
    )
    for seeds in (5, 12):
        is_significant = [group_difference(*draw_wrong(stream, seeds, rates)).p_value < 0.05 for _ in range(300)]
        assert known.power(seeds, 0.015) == pytest.approx(np.mean(is_significant), abs=0.08)  # a standard error is 0.03


def test_power_rises_with_seeds_up_to_that_of_the_images():
    known = make_variances(images=(0.5 * SD) ** 2)
    powers = [known.power(seeds, 2 * SD) for seeds in (2, 3, 5, 10, 30, 100, 1000)]
    assert powers == sorted(powers)
    assert known.power(1000, known.floor) == pytest.approx(POWER, abs=0.02)
    assert (
        known.equivalence_power(10, 2 * SD) < known.equivalence_power(30, 2 * SD) < known.equivalence_power(30, 3 * SD)
    )


def test_the_uncertainty_of_a_pilot_costs_seeds():
    known, estimated = make_variances(), make_variances(freedom=4)
    assert estimated.power(10, 1.5 * SD) < known.power(10, 1.5 * SD)
    low, high = estimated.ends()
    assert high.power(10, 1.5 * SD) < estimated.power(10, 1.5 * SD) < low.power(10, 1.5 * SD)


@pytest.fixture
def pilot():
    """Four runs of each of two networks on 3,000 images, about 97 % and 95 % correct."""
    return make_group("cnn", draw_correct(1, 4, 3000, 0.97)), make_group("ann", draw_correct(2, 4, 3000, 0.95))


def test_more_looks_need_more_seeds_in_equal_steps(pilot):
    plans = [cs.plan(*pilot, difference=0.01, looks=looks) for looks in (1, 2, 3)]
    seeds = [plan.seeds for plan in plans]
    assert seeds == sorted(seeds)
    assert all(plan.seeds % plan.looks == 0 and plan.seeds >= 2 * plan.looks for plan in plans)
    assert [plan.level for plan in plans] == [0.05, 0.0294, 0.0221]  # Pocock 1977
    assert f"They are compared 3 times, after {seeds[2] // 3} more seeds of each" in " ".join(str(plans[2]).split())
    with pytest.raises(ValueError, match="looks is 4"):
        cs.plan(*pilot, looks=4)


def test_a_plan_gives_the_fewest_seeds_that_suffice(pilot):
    plan = cs.plan(*pilot, difference=0.01)
    assert plan.seeds is not None
    assert plan.power >= POWER
    assert plan.power_interval[0] < plan.power < plan.power_interval[1]
    larger = cs.plan(*pilot, difference=0.05)
    assert larger.seeds is not None
    assert larger.seeds < plan.seeds
    text = " ".join(str(plan).split())
    assert f"{plan.seeds} seeds of each network show a difference of 1 point with a probability of" in text
    assert f"{plan.margin_seeds} seeds of each show that equally good networks differ by less than 1 point." in text


def test_a_difference_too_small_to_detect_has_no_plan(pilot):
    plan = cs.plan(*pilot, difference=0.0005, margin=0.02)
    assert plan.seeds is None
    assert plan.floor > 0.0005
    assert plan.margin_seeds is not None
    assert "Even 1,000 seeds of each network show a difference of 0.05 points" in " ".join(str(plan).split())


def test_to_dict_is_plain_json(pilot):
    value = cs.plan(*pilot).to_dict()
    assert (value["names"], value["pilot_seeds"], value["margin"]) == (["cnn", "ann"], [4, 4], 0.001)


def test_a_plan_rejects_invalid_arguments(pilot):
    a, b = pilot
    with pytest.raises(ValueError, match="one run of cnn; train at least two seeds"):
        cs.plan(make_group("cnn", draw_correct(1, 1, 3000, 0.9)), b)
    with pytest.raises(ValueError, match=r"difference is 1\.5; it must lie between 0 and 1"):
        cs.plan(a, b, difference=1.5)
    with pytest.raises(ValueError, match="margin is 0"):
        cs.plan(a, b, margin=0.0)
    with pytest.raises(ValueError, match="different images"):
        cs.plan(a, make_group("ann", draw_correct(2, 4, 2000, 0.95)))
