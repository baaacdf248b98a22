"""What a network loses on pictures unlike those it learned from: spoiled ones, and ones made to fool it."""

from convscope.evidence.robustness.attacks import Attacked, AttackExamples, Attacks, measure_attacks
from convscope.evidence.robustness.corruptions import CORRUPTIONS, STRENGTHS, Corruption, corrupt
from convscope.evidence.robustness.gradients import fgsm, loss_gradients, pgd, random_signs
from convscope.evidence.robustness.measurement import Corrupted, Example, Robustness, measure_robustness

__all__ = [
    "CORRUPTIONS",
    "STRENGTHS",
    "AttackExamples",
    "Attacked",
    "Attacks",
    "Corrupted",
    "Corruption",
    "Example",
    "Robustness",
    "corrupt",
    "fgsm",
    "loss_gradients",
    "measure_attacks",
    "measure_robustness",
    "pgd",
    "random_signs",
]
