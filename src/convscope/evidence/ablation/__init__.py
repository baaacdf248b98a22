"""What a network is worth without a part: filters, parts of its input, and parts of its design."""

from convscope.evidence.ablation.filters import Ablation, FilterAblation, ablate
from convscope.evidence.ablation.inputs import InputAblation, PartAblation, ablate_inputs
from convscope.evidence.ablation.parts import Replaced, filter_means
from convscope.evidence.ablation.significance import Marking
from convscope.evidence.ablation.variants import LeftOut, Variant, variants, variants_left_out

__all__ = [
    "Ablation",
    "FilterAblation",
    "InputAblation",
    "LeftOut",
    "Marking",
    "PartAblation",
    "Replaced",
    "Variant",
    "ablate",
    "ablate_inputs",
    "filter_means",
    "variants",
    "variants_left_out",
]
