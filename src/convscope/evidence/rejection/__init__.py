"""Rejection: scores and thresholds by which a model refuses images of none of its classes, and their evaluation."""

from convscope.evidence.rejection.fitting import fit_rejection as fit_rejection
from convscope.evidence.rejection.measure import measure_rejection as measure_rejection
from convscope.evidence.rejection.result import Rejection as Rejection
from convscope.evidence.rejection.rule import RejectionRule as RejectionRule
