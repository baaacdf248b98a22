"""Compare two groups of models on the same images.

Several seeds on each side separate the effect of architecture and recipe from the choice of a seed. Single models are
compared by images alone, as by `compare`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from msgspec import structs

from convscope.base.arguments import checked
from convscope.base.statistics import group_difference
from convscope.base.tables import clip, percent_with_interval, printable
from convscope.evidence.comparison import words
from convscope.evidence.comparison.candidate import check_same_images, format_costs
from convscope.evidence.comparison.records import Equivalence, GroupComparisonRecord
from convscope.evidence.comparison.run_group import GroupArgument, RunGroup
from convscope.evidence.comparison.two_models import Comparison

GROUP_HEADER = (
    "Models", "Seeds", "Accuracy (95 %)", "SD", "Next run (95 %)", "Parameters", "Weights", "MACs", "Training",
)  # fmt: skip
"""Header over the rows of `format_group`. SD is of the accuracies between seeds, in points; the next run has another
seed and the same images."""


@dataclass(frozen=True, eq=False)
class GroupComparison(Comparison):
    """Groups `a` and `b` on the same images.

    Attributes:
        degrees_of_freedom: those of Student's distribution behind `p_value`; None for single models.
        adjusted_p_value: the p-value corrected for several comparisons, which then decides the verdict; else None.
        margin: difference within which the groups count as equivalent; None if equivalence is not tested.
    """

    degrees_of_freedom: float | None = None
    adjusted_p_value: float | None = None
    margin: float | None = None

    @property
    def is_distinguishable(self) -> bool:
        """True if p < 0.05, corrected for the number of comparisons."""
        return (self.p_value if self.adjusted_p_value is None else self.adjusted_p_value) < words.SIGNIFICANCE

    @property
    def equivalence(self) -> Equivalence | None:
        """Decide whether the accuracies differ by less than `margin`, by the 95 % interval of their difference."""
        if self.margin is None:
            return None
        low, high = self.accuracy_difference_interval
        # The interval is of the first's accuracy less the second's. Inside ±margin they are equivalent, outside they
        # differ. If only one end is inside: above -margin the first is not worse, below margin the second.
        if max(-low, high) < self.margin:
            return "equivalent"
        if low > self.margin or high < -self.margin:
            return "different"
        if low > -self.margin:
            return "first not worse"
        return "second not worse" if high < self.margin else "undecided"

    @property
    def limits(self) -> str:
        """The limits of the comparison, in words."""
        return words.format_limits(self.names, (self.a.num_models, self.b.num_models))

    @property
    def sentence(self) -> str:
        """The result of the comparison and its limits, in words."""
        if self.counts is not None:
            return super().sentence
        images = words.format_image_count(self.num_images, self.a.split, self.a.dataset_name)
        models = [words.format_count(group.num_models, "model") for group in (self.a, self.b)]
        verbs = ["makes" if group.num_models == 1 else "make on average" for group in (self.a, self.b)]
        sides = [
            f"{number} of {printable(name)} {verb} {group.num_errors:,.1f}"
            for number, name, verb, group in zip(models, self.names, verbs, (self.a, self.b), strict=True)
        ]
        change = words.format_difference(self.accuracy_difference, self.accuracy_difference_interval)
        return (
            f"On the {images}, {sides[0]} errors and {sides[1]}. The accuracies differ by {change} "
            f"({words.format_p_value(self.p_value)}, over seeds and images). {self.limits}"
        )

    def to_record(self) -> GroupComparisonRecord:
        return structs.replace(self._numbers, verdict=self.verdict, sentence=self.sentence)

    @cached_property
    def _numbers(self) -> GroupComparisonRecord:
        """The record without its verdict and its sentence, which are written from it."""
        return self._build_record(GroupComparisonRecord)

    def _conclusion(self) -> str:
        if self.equivalence is None or self.margin is None:
            return super()._conclusion()
        return f"{self.verdict}. {words.format_equivalence(self.names, self.margin, self.equivalence)}"

    def _table(self) -> tuple[Sequence[str], list[tuple[str, ...]]]:
        return GROUP_HEADER, [
            format_group(name, group) for name, group in zip(self.names, (self.a, self.b), strict=True)
        ]


def format_group(name: str, group: RunGroup) -> tuple[str, ...]:
    """Format a group as a row under `GROUP_HEADER`."""
    return (
        clip(name, 20),
        f"{group.num_models}",
        percent_with_interval(group.accuracy, group.accuracy_interval),
        "none" if group.sd is None else f"{100 * group.sd:.2f}",
        "none" if (ends := group.next_run_interval) is None else f"[{100 * ends[0]:.2f}, {100 * ends[1]:.2f}]",
        *format_costs(group),
    )


@checked
def compare_groups(a: GroupArgument, b: GroupArgument, *, level: float = 0.05) -> GroupComparison:
    """Compare `a` and `b` on the images that all their models classified.

    Single models are compared by images alone, exactly. Otherwise both seeds and images count as drawn by chance
    (`statistics.group_difference`); runs are not paired by their seeds.

    Args:
        level: below which a p-value is significant; less than 0.05 if a plan compares several times, as seeds are added
            ("looks"). The verdict then uses the p-value times 0.05 / level, and the intervals have a confidence of
            1 - level, so that they hold at all looks together with 95 %.

    Raises:
        ValueError: if the two were evaluated on different data sets, splits or images.
    """
    check_same_images((a.name, b.name), (a, b))
    if a.num_models == b.num_models == 1:
        return GroupComparison.of_single_runs(a, b)
    difference = group_difference(a.wrong, b.wrong, confidence=1 - level)
    # Scaled so that the same limit of 0.05 decides: at a level of 0.0294, a p-value of 0.03 becomes 0.051.
    adjusted = None if level == words.SIGNIFICANCE else min(difference.p_value * words.SIGNIFICANCE / level, 1.0)
    return GroupComparison(
        a,
        b,
        difference.interval,
        difference.ratio_interval,
        difference.p_value,
        degrees_of_freedom=difference.degrees_of_freedom,
        adjusted_p_value=adjusted,
    )
