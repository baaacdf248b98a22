"""Measure a network on corrupted pictures, and on pictures that were made to fool it."""

from convscope.evidence.robustness.attacks import Attacks, measure_attacks
from convscope.evidence.robustness.corruptions import CORRUPTIONS, STRENGTHS, corrupt
from convscope.evidence.robustness.gradients import pgd, random_signs
from convscope.evidence.robustness.measurement import Robustness, measure_robustness

__all__ = [
    "CORRUPTIONS",
    "STRENGTHS",
    "Attacks",
    "Robustness",
    "corrupt",
    "measure_attacks",
    "measure_robustness",
    "pgd",
    "random_signs",
]
