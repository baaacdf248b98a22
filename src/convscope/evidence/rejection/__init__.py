""" "None of these": a score and a threshold by which a model may refuse an image, and how well that works."""

from convscope.evidence.rejection.fitting import fit_rejection
from convscope.evidence.rejection.measure import measure_rejection
from convscope.evidence.rejection.result import Rejection
from convscope.evidence.rejection.rule import SCORES, RejectionRule

__all__ = ["SCORES", "Rejection", "RejectionRule", "fit_rejection", "measure_rejection"]
