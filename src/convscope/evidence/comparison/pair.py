"""Two models on the same images: `compare` takes two candidates to a `Comparison`.

Both answered every image, so they are compared image by image and not by two separate accuracies. One run of each is
compared: it does not show what other seeds would give.
"""

from dataclasses import dataclass
from functools import cached_property
from html import escape
from textwrap import fill

import numpy as np
from msgspec import structs
from numpy.typing import NDArray

from convscope.base.arguments import checked
from convscope.base.records import Recorded, from_attributes
from convscope.base.tables import html_table, percent_with_interval, printable, text_table
from convscope.evidence.comparison import words
from convscope.evidence.comparison.candidate import (
    Candidate,
    CandidateArgument,
    check_same_images,
    cost_cells,
    latency_lines,
)
from convscope.evidence.comparison.counts import PairedCounts, open_interval
from convscope.evidence.comparison.records import ComparisonRecord
from convscope.texts import sentences

_HEADER = ("Model", "Accuracy (95 % interval)", "Errors", "Parameters", "Weights", "MACs", "Training")


@dataclass(frozen=True, eq=False)
class Comparison(Recorded):
    """Candidates `a` and `b` on the same images.

    Raises:
        ValueError: if the two were evaluated on different data sets, splits, classes or labels.
    """

    a: Candidate
    b: Candidate

    def __post_init__(self) -> None:
        check_same_images((self.a.name, self.b.name), (self.a.evaluation, self.b.evaluation))

    @property
    def num_images(self) -> int:
        return self.a.evaluation.num_images

    @property
    def names(self) -> tuple[str, str]:
        """What the two are called here: their names, told apart where they are the same."""
        return words.tell_apart(self.a.name, self.b.name)

    @cached_property
    def counts(self) -> PairedCounts:
        """How many images both, one of them, or neither gets right."""
        wrong_a, wrong_b = (c.evaluation.y_true != c.evaluation.y_pred for c in (self.a, self.b))
        return PairedCounts.of(wrong_a, wrong_b)

    @property
    def accuracy_difference(self) -> float:
        """The accuracy of `a` less that of `b`."""
        return self.counts.accuracy_difference

    @property
    def accuracy_difference_interval(self) -> tuple[float, float]:
        """(low, high), its 95 % interval, see `PairedCounts`."""
        return self.counts.accuracy_difference_interval

    @property
    def error_ratio(self) -> float | None:
        """How many errors `b` makes for each error of `a`; None if `a` makes none."""
        return self.counts.error_ratio

    @property
    def error_ratio_interval(self) -> tuple[float, float]:
        """(low, high), its 95 % interval, see `PairedCounts`; `high` is infinite if `a` makes no error."""
        return self.counts.error_ratio_interval

    @property
    def mcnemar_table(self) -> NDArray[np.int64]:
        """McNemar's (2, 2) table of images; rows are `a` right and wrong, columns `b` right and wrong."""
        return np.array([[self.both_correct, self.only_a_correct], [self.only_b_correct, self.both_wrong]], np.int64)

    @property
    def both_correct(self) -> int:
        return self.counts.both_correct

    @property
    def only_a_correct(self) -> int:
        return self.counts.only_a_correct

    @property
    def only_b_correct(self) -> int:
        return self.counts.only_b_correct

    @property
    def both_wrong(self) -> int:
        return self.counts.both_wrong

    @property
    def p_value(self) -> float:
        """Of McNemar's exact test, two-sided: whether these two networks differ on images of this kind."""
        return self.counts.p_value

    @property
    def verdict(self) -> str:
        """Which of the two runs makes fewer errors and by how much, or that they do not differ significantly."""
        return words.format_verdict(self._numbers)

    @property
    def sentence(self) -> str:
        """What the comparison says and what it cannot say, in words."""
        return sentences(*words.format_counts(self._numbers))

    def to_record(self) -> ComparisonRecord:
        return structs.replace(self._numbers, verdict=self.verdict, sentence=self.sentence)

    @cached_property
    def _numbers(self) -> ComparisonRecord:
        """The record without its sentences, which are made from it."""
        return from_attributes(
            ComparisonRecord,
            self,
            dataset=self.a.evaluation.dataset_name,
            split=self.a.evaluation.split,
            error_ratio_interval=open_interval(self.error_ratio_interval),
            verdict="",
            sentence="",
        )

    @property
    def summary(self) -> str:
        """The verdict, and a row for each of the two, as text."""
        return f"{fill(self.verdict, 100)}.\n\n{text_table(_HEADER, self._candidate_rows())}"

    def __str__(self) -> str:
        header, counts = mcnemar_rows(self.names, self.counts)
        parts = [fill(self.sentence, 100), fill(f"{self.verdict}.", 100), text_table(_HEADER, self._candidate_rows())]
        if lines := latency_lines(self.names, (self.a, self.b)):
            parts.append("\n".join(map(printable, lines)))
        return "\n\n".join([*parts, text_table(header, counts)])

    def _repr_html_(self) -> str:
        header, counts = mcnemar_rows(self.names, self.counts)
        lines = [self.sentence, f"{self.verdict}.", *latency_lines(self.names, (self.a, self.b))]
        text = "".join(f"<p>{escape(line)}</p>" for line in lines)
        return f"{text}{html_table(_HEADER, self._candidate_rows())}{html_table(header, counts)}"

    def _candidate_rows(self) -> list[tuple[str, ...]]:
        return [
            (
                name,
                percent_with_interval(candidate.evaluation.accuracy, candidate.evaluation.accuracy_interval),
                f"{candidate.num_errors:,}",
                *cost_cells(candidate),
            )
            for name, candidate in zip(self.names, (self.a, self.b), strict=True)
        ]


def mcnemar_rows(names: tuple[str, str], counts: PairedCounts) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Return McNemar's table as a header and rows."""
    first, second = names
    return ("Images", f"{second} correct", f"{second} wrong"), [
        (f"{first} correct", f"{counts.both_correct:,}", f"{counts.only_a_correct:,}"),
        (f"{first} wrong", f"{counts.only_b_correct:,}", f"{counts.both_wrong:,}"),
    ]


@checked
def compare(a: CandidateArgument, b: CandidateArgument) -> Comparison:
    """Return how `a` and `b` compare on the images that both were evaluated on.

    Raises:
        ValueError: if they were evaluated on different data sets, splits, classes or labels.
    """
    return Comparison(a, b)
