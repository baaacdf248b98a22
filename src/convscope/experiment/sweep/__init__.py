"""Sweep over fields of a recipe or an architecture, and choose their values by held-out images."""

from convscope.experiment.sweep.records import Trial as Trial
from convscope.experiment.sweep.result import Sweep as Sweep
from convscope.experiment.sweep.sampler import SEARCHES as SEARCHES, Search as Search
from convscope.experiment.sweep.space import (
    Dimension as Dimension,
    change as change,
    parse_dimension as parse_dimension,
)
from convscope.experiment.sweep.sweep import run_sweep as run_sweep
