"""Models and groups of models on the same images: who makes fewer errors, by how much, and whether chance would do."""

from convscope.comparison.candidate import Candidate
from convscope.comparison.counts import PairedCounts
from convscope.comparison.group import RunGroup
from convscope.comparison.groups import GroupComparison, compare_groups
from convscope.comparison.pair import Comparison, compare
from convscope.comparison.several import GroupComparisons, compare_all

__all__ = [
    "Candidate",
    "Comparison",
    "GroupComparison",
    "GroupComparisons",
    "PairedCounts",
    "RunGroup",
    "compare",
    "compare_all",
    "compare_groups",
]
