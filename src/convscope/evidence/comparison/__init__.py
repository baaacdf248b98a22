"""Compare models and groups of models on the same images: fewer errors, by how much, and whether chance explains it."""

from convscope.evidence.comparison.candidate import Candidate, weights_bytes
from convscope.evidence.comparison.counts import PairedCounts
from convscope.evidence.comparison.planning import Plan, plan
from convscope.evidence.comparison.run_group import RunGroup
from convscope.evidence.comparison.several_groups import GroupComparisons, compare_all
from convscope.evidence.comparison.two_groups import GroupComparison, compare_groups
from convscope.evidence.comparison.two_models import Comparison, compare

__all__ = [
    "Candidate",
    "Comparison",
    "GroupComparison",
    "GroupComparisons",
    "PairedCounts",
    "Plan",
    "RunGroup",
    "compare",
    "compare_all",
    "compare_groups",
    "plan",
    "weights_bytes",
]
