"""What a network is worth without a part: filters, several at once, parts of its input, and parts of its design."""

from convscope.evidence.ablation.filters import Ablation, FilterAblation, ablate
from convscope.evidence.ablation.inputs import InputAblation, PartAblation, ablate_inputs
from convscope.evidence.ablation.parts import Replaced, filter_means
from convscope.evidence.ablation.removal import Removal, RemovalCurve, removal_curves
from convscope.evidence.ablation.significance import Marking
from convscope.evidence.ablation.variants import LeftOut, Variant, variants, variants_left_out

__all__ = [
    "Ablation",
    "FilterAblation",
    "InputAblation",
    "LeftOut",
    "Marking",
    "PartAblation",
    "Removal",
    "RemovalCurve",
    "Replaced",
    "Variant",
    "ablate",
    "ablate_inputs",
    "filter_means",
    "removal_curves",
    "variants",
    "variants_left_out",
]
