"""The accuracies of runs that differ in their seed alone, and what they come to."""

from dataclasses import dataclass, field
from statistics import mean, stdev

from convscope.base.records import Recorded, from_attributes
from convscope.base.statistics import mean_share_interval
from convscope.experiment.records import GroupRecord


@dataclass(frozen=True)
class Group(Recorded):
    """The runs of one architecture with one recipe, which differ in the seed alone.

    Attributes:
        values: the accuracies, 0 to 1, in the order of the runs.
        name: of the variant, if it has one.
        interval_with_images: (low, high), the 95 % interval of the mean over seeds and images, see
            `statistics.group_accuracy_interval`; of one run over images alone.

    Raises:
        ValueError: if there is no value.
    """

    architecture: str
    recipe: str
    values: tuple[float, ...] = field(repr=False)
    name: str = ""
    interval_with_images: tuple[float, float] | None = None

    def __post_init__(self) -> None:
        if not self.values:
            raise ValueError(f"{self.architecture} with {self.recipe} has no values; there must be at least one run")

    @property
    def title(self) -> str:
        """The group in words."""
        return ", ".join(filter(None, (self.architecture, self.recipe, self.name)))

    @property
    def num_runs(self) -> int:
        return len(self.values)

    @property
    def mean(self) -> float:
        return mean(self.values)

    @property
    def sd(self) -> float | None:
        """The standard deviation of a single run, with n - 1 in its denominator; None for one run."""
        return stdev(self.values) if self.num_runs > 1 else None

    @property
    def interval(self) -> tuple[float, float] | None:
        """(low, high), the 95 % interval of the mean over seeds alone, on these test images (`mean_share_interval`).

        None for one run, and for runs of one and the same accuracy.
        """
        return mean_share_interval(self.values)

    @property
    def minimum(self) -> float:
        return min(self.values)

    @property
    def maximum(self) -> float:
        return max(self.values)

    def to_record(self) -> GroupRecord:
        return from_attributes(GroupRecord, self)
