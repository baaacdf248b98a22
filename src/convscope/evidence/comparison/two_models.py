"""Compare two models on the same images; two_groups.py extends this to the groups of `convscope compare`.

Both classified every image, so they are compared image by image and not by two separate accuracies. A comparison of
single runs does not show what other seeds would give.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from html import escape
from textwrap import fill
from typing import Any, Self, TypeVar

from msgspec import structs

from convscope.base.arguments import checked
from convscope.base.records import Recorded, from_attributes
from convscope.base.tables import html_table, percent_with_interval, printable, text_table
from convscope.evidence.comparison import words
from convscope.evidence.comparison.candidate import CandidateArgument, check_same_images, format_costs, format_latencies
from convscope.evidence.comparison.counts import PairedCounts, open_interval
from convscope.evidence.comparison.records import CandidateRecord, ComparisonRecord
from convscope.evidence.comparison.run_group import RunGroup
from convscope.texts import join_sentences

_Record = TypeVar("_Record", bound=ComparisonRecord)

_HEADER = ("Model", "Accuracy (95 % interval)", "Errors", "Parameters", "Weights", "MACs", "Training")


@dataclass(frozen=True, eq=False)
class Comparison(Recorded):
    """Models `a` and `b` on the same images.

    Attributes:
        a, b: each a group, here of one model.
        accuracy_difference_interval: (low, high), 95 %, of `accuracy_difference`.
        error_ratio_interval: (low, high), 95 %, of `error_ratio`; `high` is infinite where `a` makes too few errors.
        p_value: two-sided, for the hypothesis of no difference; for single models by McNemar's exact test.
        counts: McNemar's table of two single models; else None.
    """

    a: RunGroup
    b: RunGroup
    accuracy_difference_interval: tuple[float, float]
    error_ratio_interval: tuple[float, float]
    p_value: float
    counts: PairedCounts | None = None

    @classmethod
    def of_single_runs(cls, a: RunGroup, b: RunGroup) -> Self:
        """Compare two groups of one model each by images alone, exactly."""
        counts = PairedCounts.from_flags(a.wrong[0], b.wrong[0])
        return cls(a, b, counts.accuracy_difference_interval, counts.error_ratio_interval, counts.p_value, counts)

    @property
    def names(self) -> tuple[str, str]:
        """The names of both, with a suffix if they are equal."""
        return words.make_unique(self.a.name, self.b.name)

    @property
    def num_images(self) -> int:
        return self.a.num_images

    @property
    def accuracy_difference(self) -> float:
        """The (mean) accuracy of `a` less that of `b`."""
        return (self.b.num_errors - self.a.num_errors) / self.num_images

    @property
    def error_ratio(self) -> float | None:
        """The (mean) errors of `b` divided by those of `a`; None if `a` makes none."""
        # Errors of b for each error of a: above 1, a is better, as with the difference.
        return self.b.num_errors / self.a.num_errors if self.a.num_errors else None

    @property
    def verdict(self) -> str:
        """The better model and its share of errors, or a statement that they do not differ significantly."""
        return words.format_verdict(self._numbers)

    @property
    def sentence(self) -> str:
        """The result of the comparison and its limits, in words."""
        return join_sentences(*words.format_counts(self._numbers))

    def to_record(self) -> ComparisonRecord:
        return structs.replace(self._numbers, verdict=self.verdict, sentence=self.sentence)

    @cached_property
    def _numbers(self) -> ComparisonRecord:
        """The record without its verdict and its sentence, which are written from it."""
        # Single runs have records without seeds.
        a, b = (from_attributes(CandidateRecord, group) for group in (self.a, self.b))
        return self._build_record(ComparisonRecord, a=a, b=b)

    def _build_record(self, kind: type[_Record], **changes: Any) -> _Record:
        counts = ("both_correct", "only_a_correct", "only_b_correct", "both_wrong")
        return from_attributes(
            kind,
            self,
            dataset=self.a.dataset_name,
            split=self.a.split,
            error_ratio_interval=open_interval(self.error_ratio_interval),
            # Written into the record later: both are sentences about its numbers.
            verdict="",
            sentence="",
            **{name: getattr(self.counts, name, None) for name in counts},
            **changes,
        )

    @property
    def summary(self) -> str:
        """The verdict, and a row for each of the two, as text."""
        return f"{fill(self._conclusion(), 100)}\n\n{text_table(*self._table())}"

    def __str__(self) -> str:
        parts = [fill(self._conclusion(), 100), fill(self.sentence, 100), text_table(*self._table())]
        if lines := format_latencies(self.names, (self.a, self.b)):
            parts.append("\n".join(map(printable, lines)))
        return "\n\n".join([*parts, *(text_table(*table) for table in self._mcnemar_tables())])

    def _repr_html_(self) -> str:
        lines = [self._conclusion(), self.sentence, *format_latencies(self.names, (self.a, self.b))]
        text = "".join(f"<p>{escape(line)}</p>" for line in lines)
        return text + "".join(html_table(*table) for table in (self._table(), *self._mcnemar_tables()))

    def _conclusion(self) -> str:
        return f"{self.verdict}."

    def _table(self) -> tuple[Sequence[str], list[tuple[str, ...]]]:
        """Make a header and a row for each of the two."""
        return _HEADER, [
            (
                name,
                percent_with_interval(group.accuracy, group.accuracy_interval),
                f"{group.num_errors:,}",
                *format_costs(group),
            )
            for name, group in zip(self.names, (self.a, self.b), strict=True)
        ]

    def _mcnemar_tables(self) -> list[tuple[Sequence[str], list[tuple[str, ...]]]]:
        """Make McNemar's table as a header and rows; an empty list where a group has several models."""
        if (counts := self.counts) is None:
            return []
        first, second = self.names
        rows: list[tuple[str, ...]] = [
            (f"{first} correct", f"{counts.both_correct:,}", f"{counts.only_a_correct:,}"),
            (f"{first} wrong", f"{counts.only_b_correct:,}", f"{counts.both_wrong:,}"),
        ]
        return [(("Images", f"{second} correct", f"{second} wrong"), rows)]


@checked
def compare(a: CandidateArgument, b: CandidateArgument) -> Comparison:
    """Compare `a` and `b` on the images that both were evaluated on.

    Raises:
        ValueError: if they were evaluated on different data sets, splits, classes or labels.
    """
    check_same_images((a.name, b.name), (a.evaluation, b.evaluation))
    return Comparison.of_single_runs(*(RunGroup.from_candidates([candidate], [0]) for candidate in (a, b)))
