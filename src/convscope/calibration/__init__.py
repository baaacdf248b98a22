"""What probabilities are worth: whether answers given 90 % are right nine times in ten, and what refusing buys."""

from convscope.calibration.calibration import Calibration, Figures, measure_calibration
from convscope.calibration.intervals import Estimate
from convscope.calibration.reliability import Binning, Reliability, measure_reliability
from convscope.calibration.risk_coverage import Refusal, RiskCoverage, measure_risk_coverage
from convscope.calibration.temperature import (
    HIGHEST_TEMPERATURE,
    LOWEST_TEMPERATURE,
    fit_temperature,
    temperature_interval,
)

__all__ = [
    "HIGHEST_TEMPERATURE",
    "LOWEST_TEMPERATURE",
    "Binning",
    "Calibration",
    "Estimate",
    "Figures",
    "Refusal",
    "Reliability",
    "RiskCoverage",
    "fit_temperature",
    "measure_calibration",
    "measure_reliability",
    "measure_risk_coverage",
    "temperature_interval",
]
