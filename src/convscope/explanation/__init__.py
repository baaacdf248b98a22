"""Looking inside a trained network: its kernels, its layers' outputs for an image, and what its answers rest on."""

from convscope.explanation.attribution_checks import AttributionChecks, MethodCheck, check_attributions
from convscope.explanation.attributions import METHODS, Method, attribute
from convscope.explanation.explanation import Explanation, explain
from convscope.explanation.feature_maps import LayerSummary
from convscope.explanation.kernels import KernelBank, kernel_banks

__all__ = [
    "METHODS",
    "AttributionChecks",
    "Explanation",
    "KernelBank",
    "LayerSummary",
    "Method",
    "MethodCheck",
    "attribute",
    "check_attributions",
    "explain",
    "kernel_banks",
]
