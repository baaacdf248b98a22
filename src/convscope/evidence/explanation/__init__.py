"""Explain a trained network: kernels, outputs of layers, activations of filters, and attributions of predictions."""

from convscope.evidence.explanation.attributions import Method as Method, attribute as attribute
from convscope.evidence.explanation.embedding import (
    MIN_EMBEDDED_IMAGES as MIN_EMBEDDED_IMAGES,
    Embedding as Embedding,
    embed as embed,
)
from convscope.evidence.explanation.explanation import Explanation as Explanation, explain as explain
from convscope.evidence.explanation.filter_cards import FilterCards as FilterCards
from convscope.evidence.explanation.filters import filter_cards as filter_cards
from convscope.evidence.explanation.gradients import gradients as gradients
from convscope.evidence.explanation.kernels_and_maps import KernelBank as KernelBank, kernel_banks as kernel_banks
