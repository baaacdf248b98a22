"""Experiments as records: experiment.json and seeds.json, what commands print of them, and what pages show."""

from typing import Literal

from msgspec import UNSET, UnsetType

from convscope.base.records import Count, Digest, Fraction, Interval, Record, Seconds, Sha256
from convscope.evidence.comparison.records import GroupComparisonRecord
from convscope.training.records import HistoryRecord


class DivergedRun(Record, kw_only=True):
    """A run that gave numbers that are not finite, so that there is no model.

    Attributes:
        architecture, recipe, seed, name: as of a `RunResult`.
        reason: what happened, in words.
    """

    architecture: str
    recipe: str
    seed: Count
    name: str
    reason: str

    @property
    def title(self) -> str:
        """The run in words."""
        return ", ".join(filter(None, (self.architecture, self.recipe, self.name, f"seed {self.seed}")))


class RunRecord(Record, kw_only=True):
    """A finished run without its predictions; the attributes are those of `RunResult`."""

    architecture: str
    recipe: str
    name: str
    seed: Count
    accuracy: Fraction
    loss: float
    seconds: Seconds
    num_images: Count
    parameters: Count
    macs: Count
    weights_sha256: Sha256
    digest: Digest
    history: HistoryRecord


class GroupRecord(Record, kw_only=True):
    """Runs that differ in the seed alone; the attributes are those of `Group`."""

    architecture: str
    recipe: str
    name: str
    num_runs: Count
    mean: Fraction
    sd: float | None
    interval: Interval | None
    interval_with_images: Interval | None
    minimum: Fraction
    maximum: Fraction


class Lead(Record, kw_only=True):
    """How the group with the highest mean compares with the next; the attributes are those of `GroupComparison`."""

    names: tuple[str, str]
    accuracy_difference: float
    accuracy_difference_interval: Interval
    p_value: Fraction
    adjusted_p_value: Fraction | None
    is_distinguishable: bool
    verdict: str

    @property
    def decisive_p_value(self) -> float:
        """The p-value that the verdict goes by."""
        return self.p_value if self.adjusted_p_value is None else self.adjusted_p_value


class RunsRecord(Record, kw_only=True):
    """Runs over seeds and what they come to; the attributes are those of `Experiment`."""

    dataset: str
    split: str
    num_images: Count
    num_training_images: Count
    runs: tuple[RunRecord, ...]
    table: tuple[GroupRecord, ...]
    lead: Lead | None
    diverged: tuple[DivergedRun, ...]

    def __post_init__(self) -> None:
        known = {(run.architecture, run.recipe, run.name) for run in self.runs}
        groups = {(group.architecture, group.recipe, group.name) for group in self.table}
        if groups != known:
            raise ValueError("table has not the groups of the runs")
        if self.lead is not None and len(groups) < 2:
            raise ValueError("lead is of one group")


class ExperimentRecord(RunsRecord, kw_only=True):
    """An experiment, as a file of its own."""

    format: Literal[1]
    version: str


class ExperimentOutput(ExperimentRecord, kw_only=True):
    """An experiment with the path of its folder."""

    experiment: str


class SeedsRecord(RunsRecord, kw_only=True):
    """The seeds of a run.

    Attributes:
        weights_sha256: of the run's model; the run folder adds it.
        why: in words, why there are so many.
        comparison: of the run's network with the one that it is compared with, over their seeds.
    """

    weights_sha256: Sha256 | UnsetType = UNSET
    why: str
    comparison: GroupComparisonRecord | None
