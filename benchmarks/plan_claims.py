"""Simulate what plans and looks promise: levels from 2 to 30 seeds, powers, pilots, the next run, and the best groups.

python benchmarks/plan_claims.py [--repeats 20000] [--only level|looks|power|pilots|next|best|real] [--real FOLDER ...]

"Level" and "looks" draw accuracies from a normal distribution around those of endless seeds and images; the luck of
single images is a known part of their variance. The others draw predictions for images, as claims.py
does. With --real, two networks at a time are compared whose runs stand in experiments with one network each: images are
drawn with replacement and seeds without, so that the truth is what all runs on all images say.
"""

import argparse
from collections.abc import Iterator, Sequence
from itertools import combinations, combinations_with_replacement, product
from math import inf
from pathlib import Path

import numpy as np
from claims import WORLDS, Flags, Share, make_group
from numpy.typing import NDArray
from scipy.special import stdtr

import convscope as cs
from convscope.base.statistics import degrees_of_freedom, group_difference
from convscope.evidence.comparison.power import LEVELS, DifferenceVariances
from convscope.storage import StoredRuns

Floats = NDArray[np.float64]
NUM_IMAGES = 10_000
SPREADS = (0.01, 0.1, 1.0, 10.0, 100.0)  # the variance of the second network's runs as a multiple of the first's
IMAGES = (0.0, 0.3, 1.0, 3.0)  # the variance over images as a multiple of the variance of the mean over seeds
LUCKS = (0.1, 0.3, 0.7, 0.95)  # the share of a run's variance that is luck on single images; on MNIST 0.72


def draw_p_values(
    stream: np.random.Generator, counts: Sequence[int], spreads: Sequence[float], images: float, luck: float,
    repeats: int, difference: float = 0.0, looks: int = 1,
) -> Floats:  # fmt: skip
    """Draw the p-values (looks, repeats) of experiments whose runs come in equal steps.

    Args:
        counts: the runs of each network after the last look.
        spreads: the variance of each network's runs.
        images: the variance of the difference over images.
        luck: the share of the runs' variance that is luck on single images.
        difference: the true difference of the two networks.
    """
    accuracies = [
        sd * stream.standard_normal((repeats, count)) for sd, count in zip(np.sqrt(spreads), counts, strict=True)
    ]
    shift = difference + np.sqrt(images) * stream.standard_normal(repeats)
    rows = []
    for look in range(1, looks + 1):
        seen = [runs[:, : look * runs.shape[1] // looks] for runs in accuracies]
        sizes = [runs.shape[1] for runs in seen]
        seed_variances = [runs.var(axis=1, ddof=1) / size for runs, size in zip(seen, sizes, strict=True)]
        lucky = luck * sum(spread / size for spread, size in zip(spreads, sizes, strict=True))
        image_variance = images + lucky
        variance = image_variance + np.maximum(sum(seed_variances) - lucky, 0.0)
        parts = [(part, size - 1) for part, size in zip(seed_variances, sizes, strict=True)]
        freedom = degrees_of_freedom(variance, (image_variance, float(NUM_IMAGES)), parts)
        differences = shift + seen[0].mean(axis=1) - seen[1].mean(axis=1)
        rows.append(2 * stdtr(freedom, -np.abs(differences) / np.sqrt(variance)))
    return np.array(rows)


def find_worst_level(counts: tuple[int, int], looks: int, repeats: int) -> tuple[Share, str]:
    """Find the variances at which most experiments tell equal networks apart, and measure that share with new draws."""
    stream = np.random.default_rng([3, *counts, looks])

    def measure(case: tuple[float, float, float], repeats: int) -> float:
        spread, images, luck = case
        of_images = images * (1 / counts[0] + spread / counts[1])
        p = draw_p_values(stream, counts, (1.0, spread), of_images, luck, repeats, looks=looks)
        return float((p < LEVELS[looks - 1]).any(axis=0).mean())

    worst = max(product(SPREADS, IMAGES, LUCKS), key=lambda case: measure(case, repeats))
    share = np.mean([measure(worst, repeats) for _ in range(10)])
    return Share(float(share), 10 * repeats), "spread {:g}, images {:g}, luck {:g}".format(*worst)


def level_table(repeats: int) -> Iterator[str]:
    yield "| seeds | largest share of false findings, % | at |\n| --- | --- | --- |"
    for counts in combinations_with_replacement((2, 3, 5, 10, 30), 2):
        share, where = find_worst_level(counts, 1, repeats)
        yield f"| {counts[0]} and {counts[1]} | {share} | {where} |"


def looks_table(repeats: int) -> Iterator[str]:
    yield "| looks | seeds of each at the last | largest share of false findings, % | at |\n| --- | --- | --- | --- |"
    for looks, count in [(2, 4), (2, 6), (2, 10), (2, 30), (3, 6), (3, 9), (3, 15), (3, 30)]:
        share, where = find_worst_level((count, count), looks, repeats)
        yield f"| {looks} | {count} | {share} | {where} |"


def average_variances(draws: Iterator[tuple[Flags, Flags]]) -> DifferenceVariances:
    """Average the estimates of many large experiments, as if they were known exactly."""
    parts = [DifferenceVariances.from_flags(*draw) for draw in draws]
    return DifferenceVariances(
        parts[0].num_images,
        float(np.mean([part.images for part in parts])),
        tuple(np.mean([part.runs for part in parts], axis=0).tolist()),
        tuple(np.mean([part.chance for part in parts], axis=0).tolist()),
        (inf, inf),
    )


def power_table(repeats: int) -> Iterator[str]:
    yield "| world | errors of the second | seeds | promised, % | reached, % |\n| --- | --- | --- | --- | --- |"
    for world, times in product(WORLDS, (1.15, 1.4, 2.0)):
        stream, rates = np.random.default_rng(1), [world.rate, world.rate * times]
        known = average_variances((a, b) for a, b in (world.draw_groups(stream, rates, 30) for _ in range(60)))
        for count in (3, 5, 15):
            claims = [
                group_difference(*world.draw_groups(stream, rates, count)).p_value < LEVELS[0] for _ in range(repeats)
            ]
            promised, reached = 100 * known.power(count, rates[1] - rates[0]), Share(float(np.mean(claims)), repeats)
            yield f"| {world.name} | x {times} | {count} | {promised:.1f} | {reached} |"


def pilot_table(repeats: int) -> Iterator[str]:
    """Plan from pilots of drawn predictions, and say which power the planned seeds really have."""
    yield "| world | seeds of the pilot | mean power, % | middle 95 % | planned seeds, middle 95 % |"
    yield "| --- | --- | --- | --- | --- |"
    for world, times in zip(WORLDS, (1.3, 1.3, 2.0, 1.8), strict=True):
        rates = [world.rate, world.rate * times]
        stream = np.random.default_rng(4)
        known = average_variances((a, b) for a, b in (world.draw_groups(stream, rates, 30) for _ in range(60)))
        for pilot in (3, 5, 10):
            powers, planned = [], []
            for _ in range(repeats):
                plan = cs.plan(
                    *map(make_group, "ab", world.draw_groups(stream, rates, pilot)), difference=rates[1] - rates[0]
                )
                planned.append(plan.seeds or 1000)
                powers.append(known.power(planned[-1], rates[1] - rates[0]))
            low, high = 100 * np.quantile(powers, [0.025, 0.975])
            few, many = np.quantile(planned, [0.025, 0.975])
            cells = f"{100 * np.mean(powers):.1f} | {low:.0f} to {high:.0f} | {few:.0f} to {many:.0f}"
            yield f"| {world.name} | {pilot} | {cells} |"


def next_run_table(repeats: int) -> Iterator[str]:
    yield "| world | seeds | the next run lies in the interval, % |\n| --- | --- | --- |"
    for world, count in product(WORLDS, (2, 3, 5, 10, 30)):
        stream, held = np.random.default_rng([5, count]), 0
        for _ in range(repeats):
            [runs] = world.draw_groups(stream, [world.rate], count + 1)
            low, high = make_group("a", runs[1:]).next_run_interval or (0.0, 1.0)
            held += low <= 1 - runs[0].mean() <= high
        yield f"| {world.name} | {count} | {Share(held / repeats, repeats)} |"


def best_table(repeats: int) -> Iterator[str]:
    yield "| world | groups | seeds | the best is among the possibly best, % | groups named |"
    yield "| --- | --- | --- | --- | --- |"
    for world, num_groups, count in product(WORLDS, (3, 6), (3, 10)):
        stream, held, named = np.random.default_rng([6, num_groups, count]), 0, 0
        for _ in range(repeats):
            rates = [world.rate, *[world.rate * 1.02] * (num_groups - 1)]
            groups = [make_group(f"{i}", wrong) for i, wrong in enumerate(world.draw_groups(stream, rates, count))]
            best = cs.compare_all(groups).best_groups or ()
            held, named = held + ("0" in best), named + len(best)
        share = Share(held / repeats, repeats)
        yield f"| {world.name} | {num_groups} | {count} | {share} | {named / repeats:.1f} |"


def draw_pair(stream: np.random.Generator, wrong_a: Flags, wrong_b: Flags, count: int) -> tuple[Flags, Flags]:
    """Draw `count` runs of each network without replacement, and images with replacement."""
    images = stream.integers(0, wrong_a.shape[1], wrong_a.shape[1])
    first, second = (wrong[stream.permutation(len(wrong))[:count]] for wrong in (wrong_a, wrong_b))
    return first[:, images], second[:, images]


def real_table(experiments: Sequence[Path], repeats: int) -> Iterator[str]:
    yield "| networks | points apart | seeds | promised, % | reached, % |\n| --- | --- | --- | --- | --- |"
    wrong_by_network = dict[str, Flags]()
    for experiment in experiments:
        stored = StoredRuns(experiment / "runs")
        runs = list(stored.runs(print))
        wrong_by_network[runs[0].folder.architecture.name] = np.array([run.y_pred != stored.y_true for run in runs])
    stream = np.random.default_rng(8)
    for (a, wrong_a), (b, wrong_b) in combinations(wrong_by_network.items(), 2):
        known = average_variances(draw_pair(stream, wrong_a, wrong_b, len(wrong_a)) for _ in range(40))
        apart = abs(float(wrong_a.mean() - wrong_b.mean()))
        for count in (3, 5, 10):
            claims = [
                group_difference(*draw_pair(stream, wrong_a, wrong_b, count)).p_value < LEVELS[0]
                for _ in range(repeats)
            ]
            promised, reached = 100 * known.power(count, apart), Share(float(np.mean(claims)), repeats)
            yield f"| {a}, {b} | {100 * apart:.3f} | {count} | {promised:.1f} | {reached} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--repeats", type=int, default=20_000, help="experiments a row; a tenth where predictions are drawn"
    )
    parser.add_argument("--only", choices=("level", "looks", "power", "pilots", "next", "best", "real"))
    parser.add_argument("--real", type=Path, nargs="+", default=[], help="experiments of one network each")
    options = parser.parse_args()
    tables = {
        "level": lambda: level_table(options.repeats),
        "looks": lambda: looks_table(options.repeats),
        "power": lambda: power_table(options.repeats // 10),
        "pilots": lambda: pilot_table(options.repeats // 40),
        "next": lambda: next_run_table(options.repeats // 10),
        "best": lambda: best_table(options.repeats // 20),
        "real": lambda: real_table(options.real, options.repeats // 10),
    }
    for name, make in tables.items():
        if options.only in (None, name) and (name != "real" or options.real):
            print(f"\n{name}\n")
            for line in make():
                print(line, flush=True)


if __name__ == "__main__":
    main()
