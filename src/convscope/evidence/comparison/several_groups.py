"""Compare pairs of several groups of models, with a correction for the number of pairs.

Of 20 pairs of equally good groups, about one has a p-value below 0.05 by luck. Holm's rule multiplies the smallest
p-value by the number of pairs, the next by one less, and so on: 0.01, 0.02 and 0.04 of three pairs become 0.03, 0.04
and 0.04. A pair differs significantly if its product is below 0.05.
"""

from dataclasses import dataclass, replace
from html import escape
from itertools import combinations
from textwrap import fill
from typing import Literal

from convscope.base.arguments import checked
from convscope.base.metrics import holm
from convscope.base.records import Recorded, from_attributes
from convscope.base.tables import clip, html_table, printable, text_table
from convscope.evidence.comparison import words
from convscope.evidence.comparison.candidate import format_latencies
from convscope.evidence.comparison.records import GroupComparisonsRecord
from convscope.evidence.comparison.run_group import GroupArguments, RunGroup
from convscope.evidence.comparison.two_groups import GROUP_HEADER, GroupComparison, compare_groups, format_group

Pairs = Literal["all", "first"]
"""The pairs to compare: every two groups, or each group with the first."""

MAX_PAIRS = 1000  # a pair of groups of 30 models on 10,000 images takes some hundredths of a second


@dataclass(frozen=True, eq=False)
class GroupComparisons(Recorded):
    """Groups on the same images, and comparisons of pairs of them, decided by Holm's corrected p-values.

    The intervals are not corrected.
    """

    groups: tuple[RunGroup, ...]
    comparisons: tuple[GroupComparison, ...]

    @property
    def best_groups(self) -> tuple[str, ...] | None:
        """The group with the highest mean, and groups that do not differ from it significantly.

        None unless all pairs are compared. The truly best group is missing with a probability below 5 %.
        """
        # With pairs="first", groups other than the first are not compared with the best one.
        if len(self.comparisons) < len(self.groups) * (len(self.groups) - 1) // 2:
            return None
        best = max(self.groups, key=lambda group: group.accuracy)
        worse = {
            group.name
            for pair in self.comparisons
            for group in (pair.a, pair.b)
            if best in (pair.a, pair.b) and pair.is_distinguishable
        }
        return tuple(group.name for group in self.groups if group is best or group.name not in worse)

    def to_record(self) -> GroupComparisonsRecord:
        first = self.groups[0]
        data = {"dataset": first.dataset_name, "split": first.split, "num_images": first.num_images}
        return from_attributes(GroupComparisonsRecord, self, **data)

    def __str__(self) -> str:
        if len(self.comparisons) == 1:
            return str(self.comparisons[0])
        parts = [printable(self._headline()), text_table(GROUP_HEADER, self._group_rows())]
        if lines := format_latencies(tuple(group.name for group in self.groups), self.groups):
            parts.append("\n".join(map(printable, lines)))
        parts += [text_table(self._header(), self._rows()), fill(self._note(), 100)]
        return "\n\n".join(parts)

    def _repr_html_(self) -> str:
        if len(self.comparisons) == 1:
            return self.comparisons[0]._repr_html_()
        return (
            f"<p>{escape(self._headline())}</p>{html_table(GROUP_HEADER, self._group_rows())}"
            f"{html_table(self._header(), self._rows())}<p>{escape(self._note())}</p>"
        )

    def _headline(self) -> str:
        first = self.groups[0]
        images = words.format_image_count(first.num_images, first.split, first.dataset_name)
        return f"{len(self.groups)} groups on the {images}"

    def _group_rows(self) -> list[tuple[str, ...]]:
        return [format_group(group.name, group) for group in self.groups]

    def _header(self) -> tuple[str, ...]:
        # The last column is the equivalence, which needs a margin.
        return words.PAIR_HEADER[: -1 if self.comparisons[0].margin is None else None]

    def _rows(self) -> list[tuple[str, ...]]:
        return [words.format_pair(pair.to_record()) for pair in self.comparisons]

    def _note(self) -> str:
        note = (
            "Difference: accuracy of the first minus accuracy of the second. Error ratio: errors of the second divided "
            f"by errors of the first. Holm's p-values are corrected for {len(self.comparisons)} comparisons, the "
            "intervals are not."
        )
        if (margin := self.comparisons[0].margin) is not None:
            note += f" Equivalence is that within {words.format_points(margin)}."
        if self.best_groups is not None:
            note += f" Possibly the best: {', '.join(clip(printable(name), 32) for name in self.best_groups)}."
        # Pairs of equally many runs have the same sentence, which is printed once; at most three are printed.
        limits = dict.fromkeys(comparison.limits for comparison in self.comparisons)
        return " ".join([note, *list(limits)[:3]])


@checked
def compare_all(
    groups: GroupArguments, *, pairs: Pairs = "all", margin: float | None = None, level: float = 0.05
) -> GroupComparisons:
    """Compare `groups` on the same images, pair by pair.

    Args:
        pairs: "all" compares every two groups, "first" each group with the first, which needs less correction.
        margin: a difference of accuracies, as a fraction, within which two groups count as equivalent.
        level: below which the p-value of two groups is significant, see `compare_groups`.

    Raises:
        ValueError: if there are fewer than two groups, two have the same name, `pairs` is neither "all" nor "first" or
            makes more than 1,000 pairs, `margin` is not between 0 and 1, or two groups are of different images.
    """
    if len(groups) < 2:
        raise ValueError(f"there are {len(groups)} groups; give at least two")
    if pairs not in ("all", "first"):
        raise ValueError(f'pairs is {pairs!r}; it must be "all" or "first"')
    if margin is not None and not 0 < margin < 1:
        raise ValueError(f"margin is {margin}; it must lie between 0 and 1, such as 0.001 for a tenth of a point")
    names = [group.name for group in groups]
    if duplicates := [name for name in names if names.count(name) > 1]:
        raise ValueError(f"two groups are called {duplicates[0]!r}; give each group its own name")
    chosen = list(combinations(groups, 2)) if pairs == "all" else [(groups[0], group) for group in groups[1:]]
    if len(chosen) > MAX_PAIRS:
        raise ValueError(f'there are {len(chosen)} pairs, and the limit is {MAX_PAIRS}; use pairs="first"')
    comparisons = [replace(compare_groups(a, b, level=level), margin=margin) for a, b in chosen]
    if len(comparisons) > 1:
        adjusted = holm([comparison.p_value for comparison in comparisons]).tolist()
        comparisons = [replace(pair, adjusted_p_value=p) for pair, p in zip(comparisons, adjusted, strict=True)]
    return GroupComparisons(tuple(groups), tuple(comparisons))
