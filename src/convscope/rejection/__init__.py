""" "None of these": a score and a threshold by which a model may refuse an image, and how well that works."""

from convscope.rejection.fitting import fit_rejection, fit_rules
from convscope.rejection.measure import measure_rejection
from convscope.rejection.result import Rejection
from convscope.rejection.rule import RejectionRule
from convscope.rejection.scores import SCORES

__all__ = ["SCORES", "Rejection", "RejectionRule", "fit_rejection", "fit_rules", "measure_rejection"]
