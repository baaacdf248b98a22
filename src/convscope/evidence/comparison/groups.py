"""Two groups of models on the same images: `compare_groups` takes them to a `GroupComparison`.

Several seeds of each side tell what is due to the architecture and recipe and what to the choice of a seed. One model
of each is compared as `compare` does, by images alone.
"""

from dataclasses import dataclass
from functools import cached_property
from html import escape
from textwrap import fill

from msgspec import structs

from convscope.base.arguments import checked
from convscope.base.records import Recorded, from_attributes
from convscope.base.statistics import group_difference
from convscope.base.tables import clip, html_table, percent_with_interval, printable, text_table
from convscope.evidence.comparison import words
from convscope.evidence.comparison.candidate import check_same_images, cost_cells, latency_lines
from convscope.evidence.comparison.counts import PairedCounts, open_interval
from convscope.evidence.comparison.group import GroupArgument, RunGroup
from convscope.evidence.comparison.pair import mcnemar_rows
from convscope.evidence.comparison.records import Equivalence, GroupComparisonRecord
from convscope.texts import sentences

GROUP_HEADER = (
    "Models", "Seeds", "Accuracy (95 %)", "SD", "Next run (95 %)", "Parameters", "Weights", "MACs", "Training",
)  # fmt: skip
"""Over the rows that `group_row` gives. SD is that of the accuracies between seeds, in points; the next run is one of
another seed on the same images."""


@dataclass(frozen=True, eq=False)
class GroupComparison(Recorded):
    """Groups `a` and `b` on the same images.

    Attributes:
        accuracy_difference_interval: (low, high), 95 %, of `accuracy_difference`.
        error_ratio_interval: (low, high), 95 %, of `error_ratio`; `high` is infinite where `a` makes too few errors.
        p_value: two-sided, of no difference.
        degrees_of_freedom: of Student's distribution behind `p_value`; None for one model each.
        counts: of one model each, how many images both, one of them, or neither gets right; else None.
        adjusted_p_value: the p-value corrected for several comparisons, by which the verdict then goes; else None.
        margin: within which the two count as equivalent; None where nobody asked.
    """

    a: RunGroup
    b: RunGroup
    accuracy_difference_interval: tuple[float, float]
    error_ratio_interval: tuple[float, float]
    p_value: float
    degrees_of_freedom: float | None
    counts: PairedCounts | None = None
    adjusted_p_value: float | None = None
    margin: float | None = None

    @property
    def names(self) -> tuple[str, str]:
        """What the two are called here: their names, told apart where they are the same."""
        return words.tell_apart(self.a.name, self.b.name)

    @property
    def num_images(self) -> int:
        return self.a.num_images

    @property
    def accuracy_difference(self) -> float:
        """The mean accuracy of `a` less that of `b`."""
        return (self.b.num_errors - self.a.num_errors) / self.num_images

    @property
    def error_ratio(self) -> float | None:
        """How many errors `b` makes on average for each of `a`; None if `a` makes none."""
        return self.b.num_errors / self.a.num_errors if self.a.num_errors else None

    @property
    def is_distinguishable(self) -> bool:
        """Whether chance would seldom make them differ so: p below 0.05, corrected where there are several."""
        return self._decisive_p < words.SIGNIFICANCE

    @property
    def verdict(self) -> str:
        """Who makes fewer errors and by how much, or that the two do not differ significantly."""
        return words.format_verdict(self._numbers)

    @property
    def equivalence(self) -> Equivalence | None:
        """Whether the accuracies differ by less than `margin`, by the 95 % interval of their difference."""
        if self.margin is None:
            return None
        low, high = self.accuracy_difference_interval
        if max(-low, high) < self.margin:
            return "equivalent"
        if low > self.margin or high < -self.margin:
            return "different"
        if low > -self.margin:
            return "first not worse"
        return "second not worse" if high < self.margin else "undecided"

    @property
    def limits(self) -> str:
        """What it does not show, in words."""
        return words.format_limits(self.names, (self.a.num_models, self.b.num_models))

    @property
    def sentence(self) -> str:
        """What the comparison says and what it cannot say, in words."""
        if self.counts is not None:
            return sentences(*words.format_counts(self._numbers))
        images = words.image_count(self.num_images, self.a.split, self.a.dataset_name)
        sides = [
            f"{words.count(group.num_models, 'model')} of {printable(name)} {_make(group)} {group.num_errors:,.1f}"
            for name, group in zip(self.names, (self.a, self.b), strict=True)
        ]
        change = words.format_points(self.accuracy_difference, self.accuracy_difference_interval)
        return (
            f"On the {images}, {sides[0]} errors and {sides[1]}. The accuracies differ by {change} "
            f"({words.format_p_value(self.p_value)}, over seeds and images). {self.limits}"
        )

    def to_record(self) -> GroupComparisonRecord:
        return structs.replace(self._numbers, verdict=self.verdict, sentence=self.sentence)

    @cached_property
    def _numbers(self) -> GroupComparisonRecord:
        """The record without its verdict and its sentence, which are made from it."""
        counts = ("both_correct", "only_a_correct", "only_b_correct", "both_wrong")
        return from_attributes(
            GroupComparisonRecord,
            self,
            dataset=self.a.dataset_name,
            split=self.a.split,
            error_ratio_interval=open_interval(self.error_ratio_interval),
            verdict="",
            sentence="",
            **{name: getattr(self.counts, name, None) for name in counts},
        )

    def __str__(self) -> str:
        verdict = f"{self.verdict}."
        if self.equivalence is not None and self.margin is not None:
            verdict += f" {words.format_equivalence(self.names, self.margin, self.equivalence)}"
        parts = [fill(verdict, 100), fill(self.sentence, 100)]
        parts.append(text_table(GROUP_HEADER, self._rows()))
        if lines := latency_lines(self.names, (self.a, self.b)):
            parts.append("\n".join(map(printable, lines)))
        if self.counts is not None:
            parts.append(text_table(*mcnemar_rows(self.names, self.counts)))
        return "\n\n".join(parts)

    def _repr_html_(self) -> str:
        lines = [f"{self.verdict}.", self.sentence, *latency_lines(self.names, (self.a, self.b))]
        text = "".join(f"<p>{escape(line)}</p>" for line in lines)
        counts = "" if self.counts is None else html_table(*mcnemar_rows(self.names, self.counts))
        return f"{text}{html_table(GROUP_HEADER, self._rows())}{counts}"

    def _rows(self) -> list[tuple[str, ...]]:
        return [group_row(name, group) for name, group in zip(self.names, (self.a, self.b), strict=True)]

    @property
    def _decisive_p(self) -> float:
        return self.p_value if self.adjusted_p_value is None else self.adjusted_p_value


def _make(group: RunGroup) -> str:
    return "makes" if group.num_models == 1 else "make on average"


def group_row(name: str, group: RunGroup) -> tuple[str, ...]:
    """Return a group as a row under `GROUP_HEADER`."""
    return (
        clip(name, 20),
        f"{group.num_models}",
        percent_with_interval(group.accuracy, group.accuracy_interval),
        "none" if group.sd is None else f"{100 * group.sd:.2f}",
        "none" if (ends := group.next_run_interval) is None else f"[{100 * ends[0]:.2f}, {100 * ends[1]:.2f}]",
        *cost_cells(group),
    )


@checked
def compare_groups(a: GroupArgument, b: GroupArgument, *, level: float = 0.05) -> GroupComparison:
    """Return how `a` and `b` compare on the images that all their models answered.

    One model each is compared by images alone, exactly. Otherwise both seeds and images are taken as drawn by chance
    (`statistics.group_difference`); runs are not paired by their seeds.

    Args:
        level: of the test, less than 0.05 at one of several looks of a plan. The verdict then goes by the p-value times
            0.05 / level, and the intervals hold at all looks together with 95 %.

    Raises:
        ValueError: if the two answered different data sets, splits or images.
    """
    check_same_images((a.name, b.name), (a, b))
    wrong_a, wrong_b = a.wrong, b.wrong
    if a.num_models == b.num_models == 1:
        counts = PairedCounts.of(wrong_a[0], wrong_b[0])
        return GroupComparison(
            a,
            b,
            accuracy_difference_interval=counts.accuracy_difference_interval,
            error_ratio_interval=counts.error_ratio_interval,
            p_value=counts.p_value,
            degrees_of_freedom=None,
            counts=counts,
        )
    apart = group_difference(wrong_a, wrong_b, confidence=1 - level)
    adjusted = None if level == words.SIGNIFICANCE else min(apart.p_value * words.SIGNIFICANCE / level, 1.0)
    return GroupComparison(
        a,
        b,
        apart.interval,
        apart.ratio_interval,
        apart.p_value,
        apart.degrees_of_freedom,
        adjusted_p_value=adjusted,
    )
