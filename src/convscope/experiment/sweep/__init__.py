"""Sweep over fields of a recipe or an architecture, and choose their values by held-out images."""

from convscope.experiment.sweep.records import Trial
from convscope.experiment.sweep.result import Sweep
from convscope.experiment.sweep.sampler import SEARCHES, Search
from convscope.experiment.sweep.space import Dimension, change, parse_dimension
from convscope.experiment.sweep.sweep import run_sweep

__all__ = ["SEARCHES", "Dimension", "Search", "Sweep", "Trial", "change", "parse_dimension", "run_sweep"]
