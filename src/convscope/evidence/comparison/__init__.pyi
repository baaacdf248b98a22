"""Compare models and groups of models on the same images: fewer errors, by how much, and whether chance explains it."""

from .candidate import Candidate as Candidate, weights_bytes as weights_bytes
from .counts import PairedCounts as PairedCounts
from .planning import Plan as Plan, plan as plan
from .run_group import RunGroup as RunGroup
from .several_groups import (
    GroupComparisons as GroupComparisons,
    compare_all as compare_all,
)
from .two_groups import (
    GroupComparison as GroupComparison,
    compare_groups as compare_groups,
)
from .two_models import Comparison as Comparison, compare as compare
