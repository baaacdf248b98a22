"""Compare models and groups of models on the same images: fewer errors, by how much, and whether chance explains it."""

from convscope.evidence.comparison.candidate import Candidate as Candidate, weights_bytes as weights_bytes
from convscope.evidence.comparison.counts import PairedCounts as PairedCounts
from convscope.evidence.comparison.planning import Plan as Plan, plan as plan
from convscope.evidence.comparison.run_group import RunGroup as RunGroup
from convscope.evidence.comparison.several_groups import (
    GroupComparisons as GroupComparisons,
    compare_all as compare_all,
)
from convscope.evidence.comparison.two_groups import (
    GroupComparison as GroupComparison,
    compare_groups as compare_groups,
)
from convscope.evidence.comparison.two_models import Comparison as Comparison, compare as compare
