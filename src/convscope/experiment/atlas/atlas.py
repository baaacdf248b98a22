"""The atlas of many networks: one architecture and recipe from hundreds or thousands of seeds, and what they show."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convscope.base.plain import plain_attributes
from convscope.base.run_variation import RunVariation
from convscope.data.datasets import Dataset, evenly
from convscope.evidence.audit import known_errors
from convscope.experiment.atlas.counts import AnswerCounts
from convscope.experiment.atlas.estimate import Estimate, correlate
from convscope.experiment.atlas.images import Agreement, HardImage, hard_images
from convscope.experiment.atlas.power import PowerRow, power_table
from convscope.experiment.atlas.spread import Spread
from convscope.experiment.experiment import Experiment
from convscope.experiment.group import Group

FEWEST_RUNS = 100
"""Of a group that gets an atlas: with fewer, its shares and correlations say little."""

_MOST_IMAGES = 60
_MOST_BINS = 48
_MOST_LEVELS = 101
_MOST_EPOCHS = 12


@dataclass(frozen=True)
class EarlyAccuracy:
    """Whether the accuracy after an epoch tells which networks are the best ones at the end."""

    epoch: int
    correlation: Estimate

    def to_dict(self) -> dict[str, Any]:
        return {"epoch": self.epoch, "correlation": self.correlation.to_dict()}


@dataclass(frozen=True, eq=False)
class Atlas:
    """What the networks of a group, which differ in the seed alone, have in common and where they differ.

    Attributes:
        title: of the group.
        accuracies: (n,), of the networks.
        hard_images: those that most networks get wrong, at most 60.
        num_missed: how many images at least one network gets wrong.
        missed_by: for rising shares of the networks, how many images at least so many get wrong.
        source: of the known label errors, None where nobody has looked at this data set.
        power: how many seeds show a difference.
        early: for epochs before the last one; empty where networks are trained for one epoch, or of the accuracies
            after an epoch one is measured on other images.
    """

    title: str
    num_images: int
    accuracies: NDArray[np.float64] = field(repr=False)
    spread: Spread
    hard_images: tuple[HardImage, ...] = field(repr=False)
    num_missed: int
    missed_by: tuple[dict[str, float], ...] = field(repr=False)
    source: str | None
    agreement: Agreement
    power: tuple[PowerRow, ...]
    early: tuple[EarlyAccuracy, ...]

    @classmethod
    def of(cls, experiment: Experiment, group: Group, test: Dataset) -> "Atlas":
        """Return the atlas of a group of an experiment.

        Raises:
            ValueError: if the runs answered other images than those of `test`, or there are fewer than two.
        """
        answers = experiment.answers_of(group, test).y_pred
        counts = AnswerCounts.of(answers, test.labels, test.num_classes)
        known = known_errors(test)
        errors = None if known is None else {error.index: True for error in known.errors}
        variation = RunVariation.of_counts(counts.wrong_of_runs.sum(axis=1), counts.misses)
        return cls(
            title=group.title,
            num_images=counts.num_images,
            accuracies=counts.accuracies,
            spread=Spread.of(counts),
            hard_images=hard_images(counts, _MOST_IMAGES, errors),
            num_missed=int((counts.misses > 0).sum()),
            missed_by=tuple(_missed_by(counts)),
            source=None if known is None else known.source,
            agreement=Agreement.of(counts),
            power=power_table(variation, counts.accuracies),
            early=tuple(_early([run.history.val_accuracy for run in experiment.runs_of(group)])),
        )

    @property
    def num_runs(self) -> int:
        return len(self.accuracies)

    @property
    def histogram(self) -> list[dict[str, float]]:
        """How many networks have which accuracy: bins as wide as a whole number of images, with their middles."""
        wrong = np.rint((1 - self.accuracies) * self.num_images).astype(np.int64)
        low, high = int(wrong.min()), int(wrong.max())
        width = max(1, -(-(high - low + 1) // _MOST_BINS))
        counts = np.bincount((high - wrong) // width, minlength=1)
        middles = [1 - (high - width * place - (width - 1) / 2) / self.num_images for place in range(len(counts))]
        return [{"accuracy": middle, "count": count} for middle, count in zip(middles, counts.tolist(), strict=True)]

    def to_dict(self) -> dict[str, Any]:
        """Return all but the single answers as plain JSON."""
        sizes, parts = ("title", "num_runs", "num_images"), ("spread", "histogram", "num_missed", "missed_by", "source")
        plain = plain_attributes(self, *sizes, *parts, "agreement", "hard_images", "power")
        return plain | {"early": [one.to_dict() for one in self.early]}


def _missed_by(counts: AnswerCounts) -> list[dict[str, float]]:
    misses = np.sort(counts.misses[counts.misses > 0])
    levels = np.unique(np.ceil(np.linspace(0, 1, _MOST_LEVELS) * counts.num_runs).astype(np.int64).clip(1))
    numbers = len(misses) - np.searchsorted(misses, levels)
    shares = (levels / counts.num_runs).tolist()
    return [{"share": share, "num_images": number} for share, number in zip(shares, numbers.tolist(), strict=True)]


def _early(lines: Sequence[Sequence[float]]) -> list[EarlyAccuracy]:
    """Return how the accuracies after each epoch go with the last ones, of runs that all have as many epochs."""
    if len({len(line) for line in lines}) != 1 or len(lines[0]) < 2:
        return []
    table = np.array(lines)
    found = list[EarlyAccuracy]()
    for place in evenly(table.shape[1] - 1, _MOST_EPOCHS).tolist():
        correlation = correlate(table[:, place], table[:, -1])
        if correlation is not None:
            found.append(EarlyAccuracy(place + 1, correlation))
    return found
