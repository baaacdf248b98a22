"""The rule by which a model refuses images of none of its classes: scores with thresholds.

A score tells how similar an image is to any of the known classes; it is no probability. The rule is stored with the
model as plain JSON and works without a data set.
"""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, get_args

import numpy as np
from msgspec import UNSET, Meta, UnsetType
from numpy.typing import NDArray

from convscope.base.metrics import Floats, softmax
from convscope.base.records import Count, Finite, Fraction, Positive, Record, from_attributes, from_json
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


def energy(logits: Floats) -> NDArray[np.float64]:
    """Compute (N,), log Σ exp(logit) of each row of `logits` (N, K): the negative free energy at temperature 1.

    Source: Liu, Wang, Owens and Li 2020, equation 4, its sign turned so that known images score higher.

    >>> energy(np.zeros((1, 4))).round(6).tolist()  # log 4
    [1.386294]
    """
    numbers = np.asarray(logits, np.float64)
    # The largest logit is taken out of the sum, so that no exponential overflows.
    largest = numbers.max(axis=1)
    return np.asarray(largest + np.log(np.exp(numbers - largest[:, None]).sum(axis=1)))


def max_logit(logits: Floats) -> NDArray[np.float64]:
    """Compute (N,), the largest of each row of `logits` (N, K).

    Source: Hendrycks and others 2022, "Scaling out-of-distribution detection for real-world settings", section 3.
    """
    return np.asarray(np.asarray(logits, np.float64).max(axis=1))


def max_probability(logits: Floats) -> NDArray[np.float64]:
    """Compute (N,), the largest softmax probability of each row of `logits` (N, K): the baseline.

    Source: Hendrycks and Gimpel 2017.
    """
    return np.asarray(softmax(logits).max(axis=1))


class RuleNumbers(Record):
    """The numbers of a rule.

    Attributes:
        thresholds: the lowest accepted value of each score, by the score's name, one of `SCORES`.
        medians: the median of each score over the held-out images, by name; see `RejectionRule.combine`.
        keep: the share of new images like the held-out ones to accept.
        num_held_out: images to which the thresholds were fitted.
        num_kept: the accepted ones among them.
        num_made_up, made_up: earlier versions chose the scores by synthetic images: their number, and the refused share
            by kind.
    """

    thresholds: Annotated[dict[ScoreName, Finite], Meta(min_length=1)]
    medians: dict[ScoreName, Finite]
    keep: Fraction
    num_held_out: Positive
    num_kept: Count
    num_made_up: Count | UnsetType = UNSET
    made_up: dict[str, Fraction] | UnsetType = UNSET

    @property
    def max_refused_share(self) -> float:
        """Upper bound for the refused share of new images like the held-out ones, on average over held-out images.

        With `keep` 0.99 and 9,999 held-out images it is 100 / 10,000.
        """
        total = self.num_held_out + 1
        # At least one image for each score, since each threshold is a score of a held-out image. The 1e-9 undoes
        # rounding, as (1 - 0.9) * 10 is 0.9999999999999998.
        return max(int((1 - self.keep) * total + 1e-9), len(self.thresholds)) / total

    @property
    def refusal_range(self) -> tuple[float, float]:
        """(low, high), the 95 % range of the refused share of new images, by the choice of the held-out images.

        The share below the k-th lowest of n scores has the distribution Beta(k, n + 1 - k). If 9 of 999 held-out images
        are refused by one score, the threshold is the 10th lowest, and Beta(10, 990) lies between 0.5 and 1.7 %. With J
        scores, the images at the thresholds may be one image or J different ones: k is 10 for the low end, and 9 + J
        for the high end.
        """
        from scipy.special import betaincinv

        total, refused = self.num_held_out + 1, self.num_held_out - max(self.num_kept, 1)
        max_refused = min(refused + len(self.thresholds), self.num_held_out)
        low, high = betaincinv((refused + 1, max_refused), (total - refused - 1, total - max_refused), (0.025, 0.975))
        return float(low), float(high)


class RuleRecord(RuleNumbers, kw_only=True):
    """A rule without its distance and statistics; the attributes are those of `RejectionRule`."""

    name: str
    title: str
    mean_made_up: Fraction | UnsetType = UNSET


class RejectionRule(RuleNumbers):
    """An image is refused if one of its scores is below that score's threshold.

    Attributes:
        distance: computes the score `mahalanobis`; None if that is not used.
        statistics: compute the score `image_statistics`; None if that is not used.

    Raises:
        ValueError: if medians, distance or statistics do not fit the thresholds.
    """

    distance: HiddenDistance | None = None
    statistics: ImageStatistics | None = None

    def __post_init__(self) -> None:
        # Rules are read from files, which may have been edited.
        if set(self.medians) != set(self.thresholds):
            raise ValueError(f"medians are for {list(self.medians)!r:.60}, but thresholds for {list(self.thresholds)}")
        if self.num_kept > self.num_held_out:
            raise ValueError(f"num_kept is {self.num_kept} of {self.num_held_out} held-out images")
        for score, needed in (("mahalanobis", self.distance), ("image_statistics", self.statistics)):
            if (score in self.thresholds) != (needed is not None):
                lack = "no values" if needed is None else "values that no threshold uses"
                raise ValueError(f"thresholds are for {', '.join(self.thresholds)}, but the rule has {lack} of {score}")

    def __repr__(self) -> str:
        return f"RejectionRule({self.name!r}, keep={self.keep}, num_held_out={self.num_held_out})"

    @property
    def name(self) -> str:
        """The names of the scores with a plus between them, such as "energy+image_statistics"."""
        return "+".join(self.thresholds)

    @property
    def title(self) -> str:
        """The same in words."""
        return " + ".join(TITLES[score] for score in self.thresholds)

    def to_record(self) -> RuleRecord:
        return from_attributes(RuleRecord, self, mean_made_up=UNSET)

    def combine(self, scores: Mapping[ScoreName, NDArray[np.float64]]) -> NDArray[np.float64]:
        """Compute (N,), the lowest of each image's scores (N,), scaled so that the threshold is 0.

        A score x becomes (x - threshold) / (median - threshold), so it is 1 for the median held-out image. With a
        threshold of 5 and a median of 15, the largest logits 15, 10 and 4 become 1, 0.5 and -0.1, which is refused.
        """
        lowest: NDArray[np.float64] | None = None
        for score, threshold in self.thresholds.items():
            # Scores have different units. Scaled, 0 is a score's threshold and 1 its median, so the image is most
            # unusual by the lowest one.
            width = self.medians[score] - threshold
            scaled = (scores[score] - threshold) / (width if width > 0 else 1.0)
            lowest = scaled if lowest is None else np.minimum(lowest, scaled)
        assert lowest is not None, "a rule needs at least one score"
        return lowest

    def scores(
        self, model: Model, images: NDArray[np.uint8], logits: NDArray[np.floating[Any]] | None = None
    ) -> NDArray[np.float64]:
        """Compute the combined scores (N,) of images (N, H, W, C) uint8; below 0 is refused.

        Args:
            logits: (N, K) of the images, if they are known already.

        Raises:
            ValueError: if the images are not of the size the model reads, or the rule is of another architecture.
        """
        logits = model.logits(images) if logits is None else logits
        return self.combine(
            compute_scores(model, images, logits, list(self.thresholds), self.distance, self.statistics)
        )

    def refuses(self, model: Model, images: NDArray[np.uint8]) -> NDArray[np.bool_]:
        """Decide which images are refused as none of the classes: (N,), true for these; raises as `scores` does."""
        # Not `< 0`: a score that is NaN is refused, too.
        return np.asarray(~(self.scores(model, images) >= 0))

    @classmethod
    def from_dict(cls, value: Any) -> "RejectionRule":
        """Read a rule that `to_dict` wrote.

        Raises:
            RunError: if it is no such object; the message names the field.
        """
        return from_json(value, cls, "rejection")


def compute_scores(
    model: Model,
    images: NDArray[np.uint8],
    logits: NDArray[np.floating[Any]],
    names: Sequence[ScoreName],
    distance: HiddenDistance | None,
    statistics: ImageStatistics | None,
) -> dict[ScoreName, NDArray[np.float64]]:
    """Compute the scores `names` (N,), by name, of images (N, H, W, C) with these logits (N, K)."""
    scores: dict[ScoreName, NDArray[np.float64]] = {}
    for name in names:
        if name == "mahalanobis":
            assert distance is not None, "mahalanobis needs a distance"
            scores[name] = distance.scores(model, images)
        elif name == "image_statistics":
            assert statistics is not None, "image_statistics needs statistics"
            scores[name] = statistics.scores(images)
        else:
            scores[name] = {"energy": energy, "max_logit": max_logit, "max_probability": max_probability}[name](logits)
    return scores
