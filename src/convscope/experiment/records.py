"""Experiments as records: experiment.json, seeds.json, and the output of commands and pages.

Two networks with five seeds each are ten `RunRecord`s, two `GroupRecord`s with their means, and a `Lead`, the
comparison of the two. `RunsRecord` has all of these.
"""

from collections.abc import Sequence
from statistics import mean, stdev
from typing import Literal

from msgspec import UNSET, UnsetType

from convscope.base.records import Count, Digest, Fraction, Interval, Record, Seconds, Sha256
from convscope.base.statistics import mean_share_interval
from convscope.evidence.comparison.records import GroupComparisonRecord
from convscope.training.records import HistoryRecord


class DivergedRun(Record, kw_only=True):
    """A run whose numbers became infinite or NaN, so that there is no model; attributes as of a `RunResult`."""

    architecture: str
    recipe: str
    seed: Count
    name: str
    reason: str  # the text of the `DivergedError`

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
    """The runs of one architecture with one recipe, which differ only in the seed.

    Attributes:
        name: the name of the variant, if it has one.
        mean, minimum, maximum: those of the accuracies.
        sd: the standard deviation of a single run, with the denominator n - 1; None for one run.
        interval: (low, high), the 95 % interval of the mean over seeds, on these test images (`mean_share_interval`);
            None for one run, and if all accuracies are equal.
        interval_with_images: (low, high), the 95 % interval of the mean over seeds and images, see
            `statistics.group_accuracy_interval`; for one run over images only.
    """

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

    @classmethod
    def of(
        cls, key: tuple[str, str, str], values: Sequence[float], interval_with_images: Interval | None
    ) -> "GroupRecord":
        """Describe runs by the names of architecture, recipe and variant, and their accuracies."""
        return cls(
            architecture=key[0],
            recipe=key[1],
            name=key[2],
            num_runs=len(values),
            mean=mean(values),
            sd=stdev(values) if len(values) > 1 else None,
            interval=mean_share_interval(values),
            interval_with_images=interval_with_images,
            minimum=min(values),
            maximum=max(values),
        )

    @property
    def key(self) -> tuple[str, str, str]:
        """The names of architecture, recipe and variant."""
        return self.architecture, self.recipe, self.name

    @property
    def title(self) -> str:
        """The group in words."""
        return ", ".join(filter(None, self.key))


class Lead(Record, kw_only=True):
    """The comparison of the two groups with the highest means; the attributes are those of `GroupComparison`."""

    names: tuple[str, str]
    accuracy_difference: float
    accuracy_difference_interval: Interval
    p_value: Fraction
    adjusted_p_value: Fraction | None
    is_distinguishable: bool
    verdict: str  # the conclusion as a sentence

    @property
    def decisive_p_value(self) -> float:
        """The p-value that decides the verdict."""
        # Corrected for all pairs of groups, if there are several.
        return self.p_value if self.adjusted_p_value is None else self.adjusted_p_value


class RunsRecord(Record, kw_only=True):
    """Runs over seeds and their statistics; the attributes are those of `Experiment`."""

    dataset: str
    split: str
    num_images: Count
    num_training_images: Count
    runs: tuple[RunRecord, ...]
    table: tuple[GroupRecord, ...]
    lead: Lead | None
    diverged: tuple[DivergedRun, ...]

    def __post_init__(self) -> None:
        # Checked when the file is read, since readers look up the runs of a group by these names.
        groups_of_runs = {(run.architecture, run.recipe, run.name) for run in self.runs}
        groups = {(group.architecture, group.recipe, group.name) for group in self.table}
        if groups != groups_of_runs:
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
        weights_sha256: the digest of the run's weights; the run folder adds it.
        why: the reason for the number of seeds, in words.
        comparison: the run's network compared with its baseline, over their seeds.
    """

    weights_sha256: Sha256 | UnsetType = UNSET
    why: str
    comparison: GroupComparisonRecord | None
