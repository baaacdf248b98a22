"""Explain a trained network: kernels, outputs of layers, activations of filters, and attributions of predictions."""

from convscope.evidence.explanation.attributions import Method, attribute
from convscope.evidence.explanation.embedding import MIN_EMBEDDED_IMAGES, Embedding, embed
from convscope.evidence.explanation.explanation import Explanation, explain
from convscope.evidence.explanation.filter_cards import FilterCards
from convscope.evidence.explanation.filters import filter_cards
from convscope.evidence.explanation.gradients import gradients
from convscope.evidence.explanation.kernels_and_maps import KernelBank, kernel_banks

__all__ = [
    "MIN_EMBEDDED_IMAGES",
    "Embedding",
    "Explanation",
    "FilterCards",
    "KernelBank",
    "Method",
    "attribute",
    "embed",
    "explain",
    "filter_cards",
    "gradients",
    "kernel_banks",
]
