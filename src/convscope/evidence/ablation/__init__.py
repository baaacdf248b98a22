"""Ablation: the accuracy of a network without a filter, or without a part of its design."""

from convscope.evidence.ablation.filters import Ablation as Ablation, FilterAblation as FilterAblation, ablate as ablate
from convscope.evidence.ablation.parts import Replaced as Replaced, filter_means as filter_means
from convscope.evidence.ablation.significance import Marking as Marking
from convscope.evidence.ablation.variants import (
    LeftOut as LeftOut,
    variants as variants,
    variants_left_out as variants_left_out,
)
