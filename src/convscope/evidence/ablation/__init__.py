"""Ablation: the accuracy of a network without a filter, or without a part of its design."""

from convscope.evidence.ablation.filters import Ablation, FilterAblation, ablate
from convscope.evidence.ablation.parts import Replaced, filter_means
from convscope.evidence.ablation.significance import Marking
from convscope.evidence.ablation.variants import LeftOut, variants, variants_left_out

__all__ = [
    "Ablation",
    "FilterAblation",
    "LeftOut",
    "Marking",
    "Replaced",
    "ablate",
    "filter_means",
    "variants",
    "variants_left_out",
]
