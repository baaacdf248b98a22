"""Sweeps as records: sweep.json, the output of `convscope sweep --json`, and the data of the page."""

from collections.abc import Callable

from convscope.base.records import Count, FileRecord, Fraction, FractionInterval, JsonObject, Record, Seconds
from convscope.evidence.calibration.intervals import Estimate
from convscope.experiment.records import DivergedRun
from convscope.experiment.sweep.space import Value


class Trial(Record, kw_only=True):
    """One combination of values.

    Attributes:
        number: from 0, in the order of drawing.
        num_images: the number of images that it was trained on.
        choice: the accuracy on the choosing images, the mean over seeds; None if every training diverged.
        seconds: the training time, the mean over seeds.
        num_diverged: how many of its runs diverged and are in no mean.
    """

    number: Count
    values: dict[str, Value]  # the chosen values by the names of their dimensions
    num_images: Count
    choice: Fraction | None
    seconds: Seconds
    parameters: Count
    num_diverged: Count

    def format_choice(self, chance: float, number: Callable[[float], str]) -> str:
        """Format the accuracy on the choosing images, with remarks on diverged runs and chance."""
        if self.choice is None:
            return "diverged"
        remarks = [f"{self.num_diverged} diverged"] if self.num_diverged else []
        remarks += ["no better than chance"] if self.choice <= chance else []
        return f"{number(self.choice)} ({', '.join(remarks)})" if remarks else number(self.choice)


class FreshRuns(Record, kw_only=True):
    """Runs with seeds and images that took no part in the choice.

    Attributes:
        accuracies: by seed.
        accuracy: their mean.
        interval: (low, high), 95 %, over seeds and images.
    """

    seeds: tuple[Count, ...]
    accuracies: tuple[Fraction, ...]
    accuracy: Fraction
    interval: FractionInterval


class SweepRecord(FileRecord, kw_only=True):
    """A sweep; the attributes are those of `Sweep`."""

    dataset: str
    num_choice: Count
    num_check: Count
    chance: Fraction
    best: FreshRuns | None
    default: FreshRuns | None
    difference: Estimate | None
    p_value: Fraction | None
    contenders: tuple[Count, ...]
    conclusion: str
    architecture: JsonObject
    recipe: JsonObject
    trials: tuple[Trial, ...]
    diverged: tuple[DivergedRun, ...]


class SweepOutput(SweepRecord, kw_only=True):
    """A sweep with the paths of its folder and its page."""

    sweep: str
    page: str
