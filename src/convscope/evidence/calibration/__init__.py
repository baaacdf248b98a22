"""Calibration: whether 90 % of the predictions with a probability of 90 % are correct, and what refusals improve."""

from convscope.evidence.calibration.calibration import MIN_CALIBRATED_IMAGES, Calibration, measure_calibration
from convscope.evidence.calibration.intervals import Estimate
from convscope.evidence.calibration.reliability import measure_reliability
from convscope.evidence.calibration.risk_coverage import measure_risk_coverage
from convscope.evidence.calibration.temperature import (
    HIGHEST_TEMPERATURE,
    LOWEST_TEMPERATURE,
    fit_temperature,
    temperature_interval,
)

__all__ = [
    "HIGHEST_TEMPERATURE",
    "LOWEST_TEMPERATURE",
    "MIN_CALIBRATED_IMAGES",
    "Calibration",
    "Estimate",
    "fit_temperature",
    "measure_calibration",
    "measure_reliability",
    "measure_risk_coverage",
    "temperature_interval",
]
