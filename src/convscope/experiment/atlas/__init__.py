"""What hundreds or thousands of networks that differ in the seed alone show together."""

from convscope.experiment.atlas.atlas import FEWEST_RUNS, Atlas
from convscope.experiment.atlas.counts import AnswerCounts
from convscope.experiment.atlas.crossed import CrossedSeeds
from convscope.experiment.atlas.estimate import Estimate
from convscope.experiment.atlas.images import Agreement, HardImage
from convscope.experiment.atlas.power import PowerRow
from convscope.experiment.atlas.spread import Spread

__all__ = [
    "FEWEST_RUNS",
    "Agreement",
    "AnswerCounts",
    "Atlas",
    "CrossedSeeds",
    "Estimate",
    "HardImage",
    "PowerRow",
    "Spread",
]
