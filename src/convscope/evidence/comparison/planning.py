"""Plan the number of seeds that a comparison needs, from a few runs of each network.

The runs show how far seeds and images spread. From that follows a plan such as this: 25 seeds of each network show a
difference of 0.1 points with a probability of 80 %, and no number of seeds shows one below 0.05 points.
"""

from collections.abc import Callable
from dataclasses import dataclass
from textwrap import fill

from convscope.base.arguments import checked
from convscope.base.records import Count, Fraction, Positive, Record, Recorded, Seconds, from_attributes
from convscope.base.tables import printable
from convscope.evidence.comparison import words
from convscope.evidence.comparison.candidate import check_same_images
from convscope.evidence.comparison.power import LEVELS, MAX_SEEDS, POWER, DifferenceVariances
from convscope.evidence.comparison.run_group import GroupArgument, RunGroup


class PlanRecord(Record, kw_only=True):
    """A plan; the attributes are those of `Plan`."""

    names: tuple[str, str]
    dataset: str
    num_images: Positive
    pilot_seeds: tuple[Positive, Positive]
    difference: Fraction
    seeds: Count | None
    power: Fraction
    power_interval: tuple[Fraction, Fraction]
    floor: Fraction
    margin: Fraction
    margin_seeds: Count | None
    looks: Positive
    level: Fraction
    seconds: Seconds | None


@dataclass(frozen=True, eq=False)
class Plan(Recorded):
    """The number of runs of two networks that a comparison on their test images needs, with a power of 80 %.

    Attributes:
        a, b: the pilot, a few runs of each.
        difference: the difference of the mean accuracies that the comparison is to show.
        seeds: runs of each network that show it; None if a thousand do not.
        power: the probability of that with `seeds` runs, or with a thousand.
        power_interval: (low, high), the power if the spreads between seeds are those at the ends of their 95 %
            intervals: the uncertainty of the plan.
        floor: the smallest difference that any number of seeds shows on these images.
        margin: the difference within which equally good networks are to be shown equivalent.
        margin_seeds: runs of each network that show that; None as for `seeds`.
        looks: number of comparisons, after equal steps up to `seeds`; `power` is that of the last one.
        level: the significance level of each look, see `LEVELS`.
        seconds: the training time of all runs of both networks, one after another; None if the pilot does not say.
    """

    a: RunGroup
    b: RunGroup
    difference: float
    seeds: int | None
    power: float
    power_interval: tuple[float, float]
    floor: float
    margin: float
    margin_seeds: int | None
    looks: int = 1

    @property
    def level(self) -> float:
        return LEVELS[self.looks - 1]

    @property
    def names(self) -> tuple[str, str]:
        return words.make_unique(self.a.name, self.b.name)

    @property
    def seconds(self) -> float | None:
        times = self.a.training_seconds, self.b.training_seconds
        return None if self.seeds is None or None in times else self.seeds * sum(time for time in times if time)

    def to_record(self) -> PlanRecord:
        return from_attributes(
            PlanRecord,
            self,
            dataset=self.a.dataset_name,
            num_images=self.a.num_images,
            pilot_seeds=(self.a.num_models, self.b.num_models),
        )

    def __str__(self) -> str:
        first, second = map(printable, self.names)
        images = words.format_image_count(self.a.num_images, self.a.split, self.a.dataset_name)
        low, high = (f"{100 * end:.0f}" for end in self.power_interval)
        lines = [f"{first} and {second} on the {images}, planned from {self.a.num_models} and {self.b.num_models} runs"]
        if self.seeds is None:
            lines.append(
                f"Even {MAX_SEEDS:,} seeds of each network show a difference of {words.format_points(self.difference)} "
                f"with a probability of only {100 * self.power:.0f} %."
            )
        else:
            lines.append(
                f"{self.seeds:,} seeds of each network show a difference of {words.format_points(self.difference)} "
                f"with a probability of {100 * self.power:.0f} %. It may be {low} to {high} %, since so few runs tell "
                "only roughly how much seeds differ."
            )
        if self.seeds is not None and self.looks > 1:
            lines.append(
                f"They are compared {self.looks} times, after {self.seeds // self.looks} more seeds of each, and "
                f"differ if p is below {self.level} once."
            )
        lines.append(
            f"On these images no number of seeds shows a difference below {words.format_points(self.floor)} with a "
            f"probability of {100 * POWER:.0f} %; more test images do."
        )
        if self.margin_seeds is None:
            equal = f"No number of seeds up to {MAX_SEEDS:,} shows"
        else:
            equal = f"{self.margin_seeds:,} seeds of each show"
        lines.append(f"{equal} that equally good networks differ by less than {words.format_points(self.margin)}.")
        if self.seconds is not None:
            lines.append(f"Training takes about {_format_duration(self.seconds)} on the pilot's machine.")
        return "\n".join(fill(line, 100) for line in lines)


@checked
def plan(
    a: GroupArgument, b: GroupArgument, *, difference: float = 0.001, margin: float | None = None, looks: int = 1
) -> Plan:
    """Plan how many seeds of each network show a difference by the test of `compare_groups`, from a few runs.

    Args:
        a, b: at least two runs of each network on the same images; three to five are a good start.
        difference: the difference of the mean accuracies to show, as a fraction: 0.001 is a tenth of a point.
        margin: difference within which equally good networks are to be shown equivalent; None stands for `difference`.
        looks: number of comparisons while seeds are added, 1 to 3; more looks need more seeds.

    Raises:
        ValueError: if a group has a single run, the images differ, or a number is not in its range.
    """
    margin = difference if margin is None else margin
    for name, value in (("difference", difference), ("margin", margin)):
        if not 0 < value < 1:
            raise ValueError(f"{name} is {value}; it must lie between 0 and 1, such as 0.001 for a tenth of a point")
    if not 1 <= looks <= len(LEVELS):
        raise ValueError(f"looks is {looks}; it must be 1 to {len(LEVELS)}")
    level = LEVELS[looks - 1]
    check_same_images((a.name, b.name), (a, b))
    if min(a.num_models, b.num_models) < 2:
        too_few = a if a.num_models < 2 else b
        raise ValueError(f"there is one run of {too_few.name}; train at least two seeds, better five, of each network")
    variances = DifferenceVariances.from_flags(a.wrong, b.wrong)
    seeds = _find_fewest(lambda count: variances.power(count, difference, level), looks)
    # With few runs, the spread between seeds is uncertain: the power at both ends of its interval.
    ends = [exact.power(seeds or MAX_SEEDS, difference, level) for exact in variances.ends()]
    return Plan(
        a,
        b,
        difference=difference,
        seeds=seeds,
        power=variances.power(seeds or MAX_SEEDS, difference, level),
        power_interval=(min(ends), max(ends)),
        floor=variances.floor,
        margin=margin,
        margin_seeds=_find_fewest(lambda count: variances.equivalence_power(count, margin, level), looks),
        looks=looks,
    )


def _find_fewest(power: Callable[[int], float], looks: int) -> int | None:
    """Find the fewest runs that reach `POWER` in equal steps of at least two; None above `MAX_SEEDS`."""
    if power(MAX_SEEDS) < POWER:
        return None
    # Bisection, as the power rises with the runs: `high` always reaches it, `low` never does.
    low, high = 1, MAX_SEEDS
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if power(middle) >= POWER else (middle, high)
    # Rounded up to a multiple of the looks, so that each look adds equally many seeds: 25 seeds in 3 looks become 27.
    # With several looks, the first needs two seeds, since one has no spread.
    return looks * max(-(-high // looks), 2 if looks > 1 else 1)


def _format_duration(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} seconds"
    return f"{seconds / 60:.0f} minutes" if seconds < 7200 else f"{seconds / 3600:.0f} hours"
