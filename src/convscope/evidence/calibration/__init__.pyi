"""Calibration: whether 90 % of the predictions with a probability of 90 % are correct, and what refusals improve."""

from .calibration import (
    MIN_CALIBRATED_IMAGES as MIN_CALIBRATED_IMAGES,
    Calibration as Calibration,
    measure_calibration as measure_calibration,
)
from .intervals import Estimate as Estimate
from .reliability import measure_reliability as measure_reliability
from .risk_coverage import measure_risk_coverage as measure_risk_coverage
from .temperature import (
    HIGHEST_TEMPERATURE as HIGHEST_TEMPERATURE,
    LOWEST_TEMPERATURE as LOWEST_TEMPERATURE,
    fit_temperature as fit_temperature,
    temperature_interval as temperature_interval,
)
