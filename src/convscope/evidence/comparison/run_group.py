"""The value `RunGroup`: models of one architecture and recipe from several seeds, with their predictions.

The comparisons of this folder and the plans of `planning.py` take such groups.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import mean, stdev
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray

from convscope.base.arguments import check_fields
from convscope.base.metrics import wilson_interval
from convscope.base.records import from_attributes
from convscope.base.statistics import group_accuracy_interval, prediction_interval
from convscope.evidence.comparison.candidate import Candidate, check_costs, check_same_images
from convscope.evidence.comparison.records import RunGroupRecord


@dataclass(frozen=True, eq=False)
class RunGroup:
    """The predictions of one or more models that differ only in their seed, and the costs of such a model.

    Attributes:
        seeds: (n,), each once.
        y_true: (N,) whole numbers, the labels.
        y_pred: (n, N) whole numbers, each model's predictions.
        parameters: number of trainable weights.
        macs: multiply-adds for one image, forward.
        weights_bytes: the size of the stored weights, see `weights_bytes`.
        training_seconds: the time of one training, the mean over the models; None if it is unknown.
        latency_seconds: time for one image, as measured by the caller; None if it is unknown.
        latency_1000_seconds: time for a thousand images at once, likewise.

    Raises:
        ValueError: if there is no model or no image, the lengths differ, a seed comes twice, or a cost is negative or
            not finite.
    """

    name: str
    seeds: tuple[int, ...]
    y_true: NDArray[np.integer[Any]] = field(repr=False)
    y_pred: NDArray[np.integer[Any]] = field(repr=False)
    dataset_name: str
    split: str
    parameters: int
    macs: int
    weights_bytes: int
    training_seconds: float | None = None
    latency_seconds: float | None = None
    latency_1000_seconds: float | None = None

    def __post_init__(self) -> None:
        check_fields(self)
        expected = (len(self.seeds), len(self.y_true))
        if self.y_pred.shape != expected or min(expected) < 1:
            raise ValueError(
                f"y_pred of {self.name} is {self.y_pred.shape}; it must be {expected}: a row per seed and a column per "
                "image, at least one of each"
            )
        if len(set(self.seeds)) < len(self.seeds):
            raise ValueError(f"seeds of {self.name} are {list(self.seeds)}; give each seed once")
        check_costs(self)

    @classmethod
    def from_candidates(
        cls, candidates: Sequence[Candidate], seeds: Sequence[int], name: str | None = None
    ) -> "RunGroup":
        """Make a group of `candidates` with the name and size of the first and the mean of the times.

        Raises:
            ValueError: if there is none, they are not as many as the seeds, or were evaluated on different images.
        """
        if not candidates:
            raise ValueError("candidates is empty; a group needs at least one")
        first = candidates[0]
        for candidate in candidates[1:]:
            check_same_images((first.name, f"another {candidate.name}"), (first.evaluation, candidate.evaluation))

        def average(cost: str) -> float | None:
            known = [getattr(candidate, cost) for candidate in candidates]
            # A mean over some of the models would be that of another group.
            return None if None in known else mean(known)

        return cls(
            name or first.name,
            tuple(seeds),
            first.evaluation.y_true,
            np.stack([candidate.evaluation.y_pred for candidate in candidates]),
            first.evaluation.dataset_name,
            first.evaluation.split,
            first.parameters,
            first.macs,
            first.weights_bytes,
            average("training_seconds"),
            average("latency_seconds"),
            average("latency_1000_seconds"),
        )

    @property
    def num_models(self) -> int:
        return len(self.seeds)

    @property
    def num_images(self) -> int:
        return len(self.y_true)

    @property
    def wrong(self) -> NDArray[np.bool_]:
        """(n, N), true where a model classifies an image wrongly."""
        return np.asarray(self.y_pred != self.y_true)

    @property
    def errors(self) -> tuple[int, ...]:
        """(n,), the number of images that each model classifies wrongly."""
        return tuple(np.count_nonzero(self.y_pred != self.y_true, axis=1).tolist())

    @property
    def num_errors(self) -> float:
        """The mean of `errors`; for a single model a whole number."""
        errors = self.errors
        # An int prints without a decimal point.
        return errors[0] if len(errors) == 1 else mean(errors)

    @property
    def accuracies(self) -> tuple[float, ...]:
        """(n,), by model."""
        return tuple((self.num_images - errors) / self.num_images for errors in self.errors)

    @property
    def accuracy(self) -> float:
        """The mean of `accuracies`."""
        return mean(self.accuracies)

    @property
    def sd(self) -> float | None:
        """The standard deviation of `accuracies` between seeds (with n - 1); None for one model."""
        return stdev(self.accuracies) if self.num_models > 1 else None

    @property
    def accuracy_interval(self) -> tuple[float, float]:
        """(low, high), the 95 % interval: over seeds and images, or for a single model Wilson's, over images alone."""
        if self.num_models == 1:
            return wilson_interval(self.num_images - self.errors[0], self.num_images)
        return group_accuracy_interval(self.wrong)

    @property
    def next_run_interval(self) -> tuple[float, float] | None:
        """(low, high), the 95 % prediction interval of a further run's accuracy on these images; None for one model."""
        # Accuracies are whole images apart, so equal ones may differ by half an image.
        interval = prediction_interval(self.accuracies, min_sd=0.5 / self.num_images)
        return None if interval is None else (max(interval[0], 0.0), min(interval[1], 1.0))

    def to_record(self) -> RunGroupRecord:
        return from_attributes(RunGroupRecord, self)


GroupArgument = Annotated[RunGroup, "a RunGroup, such as experiment.predictions_of(group, splits.test)"]
GroupArguments = Annotated[
    Sequence[RunGroup],
    "a list of RunGroups, such as [experiment.predictions_of(group, splits.test) for group in experiment.table]",
]
"""The arguments of `compare_groups` and `compare_all`; a group of a table alone has no predictions."""
