"""The rule by which a model may answer "none of these": scores with their thresholds, and what the scores need.

A score says how much an image is like one of the known classes, and not like which; none is a probability of being
known. The rule is stored with the model as plain JSON and works without any data set.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from convscope.base.errors import RunError
from convscope.base.metrics import Floats, softmax
from convscope.base.plain import PlainFields, from_plain
from convscope.base.records import Count, Fraction, Positive, Record, from_attributes
from convscope.evidence.rejection.distance import HiddenDistance
from convscope.evidence.rejection.image_statistics import ImageStatistics
from convscope.training.model import Model

ScoreName = Literal["energy", "max_logit", "mahalanobis", "max_probability", "image_statistics"]
SCORES: tuple[ScoreName, ...] = get_args(ScoreName)
"""`mahalanobis` is computed in the module `distance`, and `image_statistics` in a module of its own."""

TITLES: dict[ScoreName, str] = {
    "energy": "energy",
    "max_logit": "largest logit",
    "mahalanobis": "hidden-layer distance",
    "max_probability": "largest probability",
    "image_statistics": "image statistics",
}


def score_of_logits(name: ScoreName, logits: Floats) -> NDArray[np.float64]:
    """Return (N,), the score of that name of each row of `logits` (N, K): one of the three that need no more."""
    return {"energy": energy, "max_logit": max_logit, "max_probability": max_probability}[name](logits)


def energy(logits: Floats) -> NDArray[np.float64]:
    """Return (N,), log Σ exp(logit) of each row of `logits` (N, K): the negative free energy at temperature 1.

    Source: Liu, Wang, Owens and Li 2020, equation 4, its sign turned so that known images score higher.

    >>> energy(np.zeros((1, 4))).round(6).tolist()  # log 4
    [1.386294]
    """
    numbers = np.asarray(logits, np.float64)
    largest = numbers.max(axis=1)
    return np.asarray(largest + np.log(np.exp(numbers - largest[:, None]).sum(axis=1)))


def max_logit(logits: Floats) -> NDArray[np.float64]:
    """Return (N,), the largest of each row of `logits` (N, K).

    Source: Hendrycks and others 2022, "Scaling out-of-distribution detection for real-world settings", section 3.
    """
    return np.asarray(np.asarray(logits, np.float64).max(axis=1))


def max_probability(logits: Floats) -> NDArray[np.float64]:
    """Return (N,), the largest softmax probability of each row of `logits` (N, K): the baseline.

    Source: Hendrycks and Gimpel 2017.
    """
    return np.asarray(softmax(logits).max(axis=1))


_LARGEST = 1e300  # of numbers, so that none is infinite; also those that no float holds are compared rightly


class RuleRecord(Record, kw_only=True):
    """A rule without the arrays that it computes with; the attributes are those of `RejectionRule`."""

    name: str
    title: str
    thresholds: dict[ScoreName, float]
    medians: dict[ScoreName, float]
    keep: Fraction
    num_held_out: Positive
    num_kept: Count
    num_made_up: Count
    made_up: dict[str, Fraction]
    mean_made_up: Fraction


@dataclass(frozen=True, eq=False)
class RejectionRule(PlainFields):
    """An image is refused if one of its scores is below that score's threshold.

    Attributes:
        thresholds: by the score's name, one of `SCORES`, the lowest score that is let through.
        medians: by the score's name, its median over the held-out images; see `combine`.
        keep: the share of held-out training images that was to be let through.
        num_held_out: images by which the thresholds were set.
        num_kept: how many of them the rule lets through.
        num_made_up: synthetic out-of-distribution images by which the scores were chosen.
        made_up: by their kind, the share of them that the rule refuses.
        distance: what `mahalanobis` is computed with; None where it is not among the scores.
        statistics: what `image_statistics` is computed with; None where it is not among the scores.

    Raises:
        ValueError: for a value out of its range.
    """

    thresholds: Mapping[ScoreName, float]
    medians: Mapping[ScoreName, float]
    keep: float
    num_held_out: int
    num_kept: int
    num_made_up: int
    made_up: Mapping[str, float]
    distance: HiddenDistance | None = field(default=None, repr=False)
    statistics: ImageStatistics | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        for name in ("thresholds", "medians", "made_up"):
            if not isinstance(getattr(self, name), Mapping):
                raise ValueError(f"{name} is {getattr(self, name)!r:.60}; it must be numbers by name")
        if not self.thresholds or not set(self.thresholds) <= set(SCORES):
            raise ValueError(f"thresholds are for {list(self.thresholds)!r:.60}; they must be for {', '.join(SCORES)}")
        if set(self.medians) != set(self.thresholds):
            raise ValueError(f"medians are for {list(self.medians)!r:.60}, but thresholds for {list(self.thresholds)}")
        for score in self.thresholds:
            _check_number(f"threshold of {score}", self.thresholds[score], -_LARGEST, _LARGEST)
            _check_number(f"median of {score}", self.medians[score], -_LARGEST, _LARGEST)
        _check_number("keep", self.keep, 0, 1)
        for name, lowest, highest in (
            ("num_held_out", 1, _LARGEST),
            ("num_kept", 0, self.num_held_out),
            ("num_made_up", 0, _LARGEST),
        ):
            _check_number(name, getattr(self, name), lowest, highest, int)
        for kind, share in self.made_up.items():
            _check_number(f"made_up {kind!r:.30}", share, 0, 1)
        for score, needed, is_given in (
            ("mahalanobis", self.distance, isinstance(self.distance, HiddenDistance)),
            ("image_statistics", self.statistics, isinstance(self.statistics, ImageStatistics)),
        ):
            if (score in self.thresholds) != is_given:
                raise ValueError(f"thresholds are for {', '.join(self.thresholds)}, but {score} has {needed!r:.60}")
        for name in ("thresholds", "medians"):
            object.__setattr__(self, name, {score: float(value) for score, value in getattr(self, name).items()})

    @property
    def name(self) -> str:
        """The names of the scores with a plus between them, such as "energy+image_statistics"."""
        return "+".join(self.thresholds)

    @property
    def title(self) -> str:
        """The same in words."""
        return " + ".join(TITLES[score] for score in self.thresholds)

    @property
    def mean_made_up(self) -> float:
        """The mean share refused over the kinds of synthetic out-of-distribution images, by which the scores were
        chosen; 0 of none."""
        return float(np.mean(list(self.made_up.values()))) if self.made_up else 0.0

    def to_record(self) -> RuleRecord:
        return from_attributes(RuleRecord, self)

    def combine(self, scores: Mapping[ScoreName, NDArray[np.float64]]) -> NDArray[np.float64]:
        """Return (N,), of each image the lowest of its scores (N,), on a scale where the threshold is 0 and 1 is usual.

        A score x counts as (x - threshold) / (median - threshold), so it is 1 for the median held-out image.
        """
        lowest: NDArray[np.float64] | None = None
        for score, threshold in self.thresholds.items():
            width = self.medians[score] - threshold
            scaled = (scores[score] - threshold) / (width if width > 0 else 1.0)
            lowest = scaled if lowest is None else np.minimum(lowest, scaled)
        assert lowest is not None, "a rule needs at least one score"
        return lowest

    def scores(self, model: Model, images: NDArray[np.uint8]) -> NDArray[np.float64]:
        """Return (N,), what `combine` makes of the scores of images (N, H, W, C) uint8; below 0 is refused.

        Raises:
            ValueError: if the images are not of the size the model reads, or the rule is of another architecture.
        """
        return self.combine(
            scores_of(model, images, model.logits(images), list(self.thresholds), self.distance, self.statistics)
        )

    def refuses(self, model: Model, images: NDArray[np.uint8]) -> NDArray[np.bool_]:
        """Return (N,), whether each image is refused as none of the classes; raises as `scores` does.

        A score that is not a number is refused.
        """
        return np.asarray(~(self.scores(model, images) >= 0))

    @classmethod
    def from_dict(cls, value: Any) -> "RejectionRule":
        """Return the rule that `to_dict` wrote.

        Raises:
            RunError: if it is no such object; the message names the field.
        """
        try:
            if isinstance(value, Mapping) and value.get("distance") is not None:
                value = {**value, "distance": HiddenDistance.from_dict(value["distance"])}
            if isinstance(value, Mapping) and value.get("statistics") is not None:
                value = {**value, "statistics": ImageStatistics.from_dict(value["statistics"])}
            return from_plain(cls, value, "rejection", RunError)
        except ValueError as error:
            raise RunError(f"rejection: {error}") from error


def scores_of(
    model: Model,
    images: NDArray[np.uint8],
    logits: NDArray[np.floating[Any]],
    names: Sequence[ScoreName],
    distance: HiddenDistance | None,
    statistics: ImageStatistics | None,
) -> dict[ScoreName, NDArray[np.float64]]:
    """Return (N,) by name, each of the scores `names` of the images (N, H, W, C) with these logits (N, K)."""
    found: dict[ScoreName, NDArray[np.float64]] = {}
    for name in names:
        if name == "mahalanobis":
            assert distance is not None, "mahalanobis needs a distance"
            found[name] = distance.scores(model, images)
        elif name == "image_statistics":
            assert statistics is not None, "image_statistics needs statistics"
            found[name] = statistics.scores(images)
        else:
            found[name] = score_of_logits(name, logits)
    return found


def _check_number(name: str, value: Any, lowest: float, highest: float, kind: Any = int | float) -> None:
    if not isinstance(value, kind) or isinstance(value, bool) or not lowest <= value <= highest:
        a_number = "a whole number" if kind is int else "a number"
        raise ValueError(f"{name} is {value!r:.60}; it must be {a_number} from {lowest:g} to {highest:g}")
