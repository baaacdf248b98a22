"""Simulate experiments with a known truth: how often intervals cover it, and how often a difference is claimed wrongly.

python benchmarks/claims.py [--repeats 300] [--only coverage|claims|titles|real] [--groups 40] [--real EXPERIMENT]

Seed s of group g misclassifies image i with the probability 1 / (1 + exp(ease - d_i - o_gi - e_gs)): d_i is how
difficult the image is for all groups, o_gi how difficult for this group alone, and e_gs how much worse this seed is;
all are normal. The true error rate is that over all seeds and images. "Hard images" has some images that nearly every
model gets wrong, as MNIST has.

With --real, groups are drawn from the runs of one architecture and recipe, which an experiment left in a folder: those
are equally good, so that each claim is wrong. Tables are Markdown; in brackets is the standard error of a share.
"""

import argparse
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from convscope.evidence.ablation import FilterAblation
from convscope.evidence.ablation.significance import mark, p_values
from convscope.evidence.comparison import RunGroup, compare_all, compare_groups
from convscope.experiment.architectures import judge_variant
from convscope.report.findings import ablation_finding
from convscope.storage import StoredRuns

Flags = NDArray[np.bool_]
SEEDS = (2, 3, 5, 10, 30)


@dataclass(frozen=True)
class Share:
    """A share of `count` experiments; its text is in percent, with its standard error."""

    value: float
    count: int

    def __str__(self) -> str:
        error = np.sqrt(max(self.value * (1 - self.value), 1 / self.count) / self.count)
        return f"{100 * self.value:.1f} ({100 * error:.1f})"


@dataclass(frozen=True)
class World:
    """A distribution of experiments.

    Attributes:
        name: the world's name in the tables.
        rate: the true error rate.
        num_images: the number of test images.
        hard, own, seed: the standard deviations of d_i, of o_gi and of e_gs above, in log-odds.
    """

    name: str
    rate: float
    num_images: int
    hard: float
    own: float
    seed: float

    def draw_groups(self, stream: np.random.Generator, rates: list[float], num_seeds: int) -> list[Flags]:
        """Draw groups with these true error rates: for each, which predictions are wrong, (n, N)."""
        difficulty = stream.normal(0, self.hard, self.num_images)
        return [
            stream.random((num_seeds, self.num_images))
            < expit(
                difficulty
                + stream.normal(0, self.own, self.num_images)
                + stream.normal(0, self.seed, (num_seeds, 1))
                - self._ease(rate)
            )
            for rate in rates
        ]

    def _ease(self, rate: float) -> float:
        """Find the ease at which the mean over images and seeds is `rate`, by bisection and quadrature."""
        nodes, weights = np.polynomial.hermite_e.hermegauss(80)
        sd, low, high = np.sqrt(self.hard**2 + self.own**2 + self.seed**2), -20.0, 60.0
        for _ in range(60):
            ease = (low + high) / 2
            is_harder = (expit(sd * nodes - ease) * weights).sum() / weights.sum() > rate
            low, high = (ease, high) if is_harder else (low, ease)
        return low


WORLDS = (
    World("equal seeds, hard images", 0.01, 5000, 3.0, 1.5, 0.02),
    World("like MNIST", 0.01, 5000, 3.0, 1.5, 0.12),
    World("unequal seeds", 0.03, 1000, 2.0, 1.0, 0.4),
    World("few images", 0.1, 300, 1.5, 1.0, 0.15),
)


def make_group(name: str, wrong: Flags) -> RunGroup:
    """Make a group of models that predict 0, the label of each image, and 1 where they are wrong."""
    costs = {"parameters": 1, "macs": 1, "weights_bytes": 4}
    labels = np.zeros(wrong.shape[1], np.int64)
    return RunGroup(name, tuple(range(len(wrong))), labels, wrong.astype(np.int64), "drawn", "test", **costs)


def measure_coverage(world: World, num_seeds: int, repeats: int) -> list["Share"]:
    """Measure how often the intervals of a mean, a difference and a ratio contain the truth, and equal groups differ.

    Every second experiment compares two equal groups; in the others the second group has 2.5 times the errors.
    """
    stream, held = np.random.default_rng([7, num_seeds]), []
    for number in range(repeats):
        times = 2.5 if number % 2 else 1.0
        rates = [world.rate, world.rate * times]
        comparison = compare_groups(*map(make_group, "ab", world.draw_groups(stream, rates, num_seeds)))
        held.append(
            [
                is_within(1 - world.rate, comparison.a.accuracy_interval),
                is_within(rates[1] - rates[0], comparison.accuracy_difference_interval),
                is_within(times, comparison.error_ratio_interval),
                np.nan if number % 2 else comparison.is_distinguishable,
            ]
        )
    columns = np.array(held, float).T
    return [Share(float(np.nanmean(column)), int(np.isfinite(column).sum())) for column in columns]


def is_within(value: float, interval: tuple[float, float]) -> bool:
    return interval[0] <= value <= interval[1]


def measure_false_claims(draw: Callable[[int], list[Flags]], num_groups: int, repeats: int) -> list["Share"]:
    """Measure how often anything is claimed of equally good groups: by pairs, by the title, and by variants."""
    claims = []
    for _ in range(repeats):
        wrong = draw(num_groups)
        groups = [make_group(f"{number}", flags) for number, flags in enumerate(wrong)]
        first, second = sorted(groups, key=lambda group: group.num_errors)[:2]
        pairs = num_groups * (num_groups - 1) // 2
        lead = compare_groups(first, second)
        lead = replace(lead, adjusted_p_value=min(pairs * lead.p_value, 1.0))
        marked, _ = mark(np.array([judge_variant(flags, wrong[0])[1] for flags in wrong[1:]]))
        all_pairs = any(comparison.is_distinguishable for comparison in compare_all(groups).comparisons)
        claims.append([all_pairs, lead.is_distinguishable, marked.any()])
    return [Share(float(share), repeats) for share in np.mean(claims, axis=0)]


def measure_filters_without_effect(num_filters: int, changed: float, repeats: int) -> "Share":
    """Measure how often the title names a filter although each changes predictions at random, `changed` on average."""
    stream, named = np.random.default_rng(3), 0
    for _ in range(repeats):
        lost, gained = stream.poisson(changed / 2, (2, 2 * num_filters))
        marked, _ = mark(p_values(gained, lost))
        filters = [
            FilterAblation(
                layer="conv2d", filter=number // 2, replacement="mean" if number % 2 else "zero",
                accuracy_change=float(change) / 10_000, accuracy_change_by_class=(), interval=(-1.0, 1.0), p_value=1.0,
                is_significant=bool(is_marked),
            )
            for number, (change, is_marked) in enumerate(zip(gained - lost, marked, strict=True))
        ]  # fmt: skip
        named += not ablation_finding(filters, "filter").startswith("None")
    return Share(named / repeats, repeats)


def read_real_runs(folder: Path) -> Flags:
    """Read which predictions of each run in an experiment's folder are wrong, (n, N)."""
    stored = StoredRuns(folder / "runs")
    return np.array([run.y_pred != stored.y_true for run in stored.runs(print)])


def print_table(header: list[str], rows: Iterable[list[Any]]) -> None:
    """Print rows as Markdown, each as it comes."""
    print("| " + " | ".join(header) + " |\n|" + " --- |" * len(header))
    for row in rows:
        print("| " + " | ".join(map(str, row)) + " |", flush=True)
    print(flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=300)
    parser.add_argument("--only", choices=("coverage", "claims", "titles", "real"))
    parser.add_argument("--groups", type=int, nargs="+", default=[5, 17, 40], help="numbers of equally good groups")
    parser.add_argument("--real", type=Path, help="the folder of an experiment, all of whose runs are alike")
    arguments = parser.parse_args()
    repeats = arguments.repeats

    tables = {
        "coverage": lambda: print_coverage(repeats),
        "claims": lambda: print_false_claims(repeats, arguments.groups),
        "titles": lambda: print_titles(repeats),
    }
    if arguments.real is not None:
        tables["real"] = lambda: print_real(read_real_runs(arguments.real), repeats)
    for name, print_it in tables.items():
        if arguments.only in (None, name):
            print_it()


def print_coverage(repeats: int) -> None:
    print("Coverage of 95 % intervals, and claims of a difference between two equal groups, in percent\n")
    rows = ([world.name, n, *measure_coverage(world, n, repeats)] for world in WORLDS for n in SEEDS)
    print_table(["world", "seeds", "mean accuracy", "difference", "ratio of errors", "false claims"], rows)


CLAIMS = ["pairs of compare", "title", "ablate --architectures"]


def print_false_claims(repeats: int, groups: list[int]) -> None:
    print("Experiments with any false claim among equally good groups, of 1,000 images at most, in percent\n")
    print_table(["world", "groups", "seeds", "experiments", *CLAIMS], false_claim_rows(repeats, groups))


def false_claim_rows(repeats: int, groups: list[int]) -> Iterator[list[Any]]:
    for world in WORLDS[1:3]:
        small_world = replace(world, num_images=min(world.num_images, 1000), rate=0.03)
        for num_groups in groups:
            for n in SEEDS:
                stream = np.random.default_rng([num_groups, n])

                def draw(count: int, world: World = small_world, n: int = n, stream: Any = stream) -> list[Flags]:
                    return world.draw_groups(stream, [world.rate] * count, n)

                few = max(10, round(repeats * min(1, 60 / num_groups**2)))
                yield [world.name, num_groups, n, few, *measure_false_claims(draw, num_groups, few)]


def print_titles(repeats: int) -> None:
    print("Titles that name one of many filters without effect, in percent\n")
    rows = [
        [filters, f"{changed:.0f}", measure_filters_without_effect(filters, changed, repeats)]
        for filters in (16, 48, 256)
        for changed in (4.0, 20.0, 80.0)
    ]
    print_table(["filters", "answers changed by each", "titles"], rows)


def print_real(wrong: Flags, repeats: int) -> None:
    stream = np.random.default_rng(5)

    def draw_real(count: int, n: int) -> list[Flags]:
        order = stream.permutation(len(wrong))
        return [wrong[order[number * n : (number + 1) * n]] for number in range(count)]

    print(f"False claims about groups of {len(wrong)} real runs of one recipe, in percent\n")
    rows = []
    for count, n in ((2, 1), (2, 2), (2, 3), (2, 5), (2, 10), (2, 30), (5, 5), (12, 5), (20, 3), (30, 2)):
        if count * n <= len(wrong):
            few = max(10, round(repeats * min(1, 10 / count**2 * 4)))
            rows.append([count, n, few, *measure_false_claims(lambda count, n=n: draw_real(count, n), count, few)])
    print_table(["groups", "seeds", "experiments", *CLAIMS], rows)


if __name__ == "__main__":
    main()
