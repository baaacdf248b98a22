"""Looking inside a trained network: its kernels, and its layers' outputs for an image."""

from convscope.explanation.explanation import Explanation, explain
from convscope.explanation.feature_maps import LayerSummary
from convscope.explanation.kernels import KernelBank, kernel_banks

__all__ = ["Explanation", "KernelBank", "LayerSummary", "explain", "kernel_banks"]
