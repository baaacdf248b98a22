"""Records of comparisons, for comparison.json, commands and the page."""

from typing import Literal

from convscope.base.records import (
    Count,
    Fraction,
    FractionInterval,
    Interval,
    NonNegative,
    OpenInterval,
    Record,
    Seconds,
)
from convscope.evidence.records import check_lengths


class CandidateRecord(Record, kw_only=True):
    """A model's accuracy and costs; the attributes are those of a `RunGroup` of that model alone."""

    name: str
    accuracy: Fraction
    accuracy_interval: Interval
    num_errors: Count | NonNegative
    parameters: Count
    macs: Count
    weights_bytes: Count
    training_seconds: Seconds | None
    latency_seconds: Seconds | None
    latency_1000_seconds: Seconds | None


class RunGroupRecord(CandidateRecord, kw_only=True):
    """Models that differ in their seed alone; the attributes are those of `RunGroup`."""

    num_models: Count
    seeds: tuple[Count, ...]
    accuracies: tuple[Fraction, ...]
    sd: NonNegative | None
    next_run_interval: FractionInterval | None

    def __post_init__(self) -> None:
        check_lengths(seeds=self.seeds, accuracies=self.accuracies)


class ComparisonRecord(Record, kw_only=True):
    """Two runs on the same images; the attributes are those of `Comparison`. An infinite end is None."""

    dataset: str
    split: str
    num_images: Count
    names: tuple[str, str]
    a: CandidateRecord
    b: CandidateRecord
    accuracy_difference: float
    accuracy_difference_interval: Interval
    error_ratio: NonNegative | None
    error_ratio_interval: OpenInterval
    both_correct: Count | None
    only_a_correct: Count | None
    only_b_correct: Count | None
    both_wrong: Count | None
    p_value: Fraction
    verdict: str
    sentence: str

    @property
    def decisive_p_value(self) -> float:
        """The p-value that decides the verdict."""
        return self.p_value

    @property
    def num_models(self) -> tuple[int, int]:
        """The number of models on each side."""
        return 1, 1


Equivalence = Literal["equivalent", "different", "first not worse", "second not worse", "undecided"]
"""The result of comparing the interval of a difference with a margin."""


class GroupComparisonRecord(ComparisonRecord, kw_only=True):
    """Two groups on the same images; the attributes are those of `GroupComparison`."""

    a: RunGroupRecord
    b: RunGroupRecord
    adjusted_p_value: Fraction | None
    degrees_of_freedom: float | None
    margin: Fraction | None
    equivalence: Equivalence | None
    is_distinguishable: bool
    limits: str

    @property
    def decisive_p_value(self) -> float:
        return self.p_value if self.adjusted_p_value is None else self.adjusted_p_value

    @property
    def num_models(self) -> tuple[int, int]:
        return self.a.num_models, self.b.num_models


class GroupComparisonsRecord(Record, kw_only=True):
    """Several groups and comparisons of pairs of them; the attributes are those of `GroupComparisons`."""

    dataset: str
    split: str
    num_images: Count
    groups: tuple[RunGroupRecord, ...]
    best_groups: tuple[str, ...] | None
    comparisons: tuple[GroupComparisonRecord, ...]
