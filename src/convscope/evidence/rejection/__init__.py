"""Rejection: scores and thresholds by which a model refuses images of none of its classes, and their evaluation."""

from convscope.evidence.rejection.fitting import fit_rejection
from convscope.evidence.rejection.measure import measure_rejection
from convscope.evidence.rejection.result import Rejection
from convscope.evidence.rejection.rule import RejectionRule

__all__ = ["Rejection", "RejectionRule", "fit_rejection", "measure_rejection"]
