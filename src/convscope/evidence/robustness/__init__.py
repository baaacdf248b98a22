"""Measure a network on corrupted pictures, and on pictures that were made to fool it."""

from convscope.evidence.robustness.attacks import Attacks as Attacks, measure_attacks as measure_attacks
from convscope.evidence.robustness.corruptions import (
    CORRUPTIONS as CORRUPTIONS,
    STRENGTHS as STRENGTHS,
    corrupt as corrupt,
)
from convscope.evidence.robustness.gradients import pgd as pgd, random_signs as random_signs
from convscope.evidence.robustness.measurement import Robustness as Robustness, measure_robustness as measure_robustness
