"""Calibration: whether 90 % of the predictions with a probability of 90 % are correct, and what refusals improve."""

from convscope.evidence.calibration.calibration import (
    MIN_CALIBRATED_IMAGES as MIN_CALIBRATED_IMAGES,
    Calibration as Calibration,
    measure_calibration as measure_calibration,
)
from convscope.evidence.calibration.intervals import Estimate as Estimate
from convscope.evidence.calibration.reliability import measure_reliability as measure_reliability
from convscope.evidence.calibration.risk_coverage import measure_risk_coverage as measure_risk_coverage
from convscope.evidence.calibration.temperature import (
    HIGHEST_TEMPERATURE as HIGHEST_TEMPERATURE,
    LOWEST_TEMPERATURE as LOWEST_TEMPERATURE,
    fit_temperature as fit_temperature,
    temperature_interval as temperature_interval,
)
