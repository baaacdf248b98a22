"""The rule by which a model may answer "none of these": a score, its threshold, and what the score needs.

It is stored with the model as plain JSON and works without any data set.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray

from convscope.errors import RunError
from convscope.model import Model
from convscope.plain import from_plain
from convscope.rejection.distance import HiddenDistance
from convscope.rejection.scores import ScoreName, score_of_logits

_LARGEST = 1e300  # of numbers, so that none is infinite; also those that no float holds are compared rightly


@dataclass(frozen=True, eq=False)
class RejectionRule:
    """An image is refused if its score is below the threshold.

    Attributes:
        score: its name, one of `convscope.rejection.SCORES`.
        threshold: the least score that is let through.
        keep: the share of held-out training images that were to be let through.
        num_held_out: images by which the threshold was set.
        num_kept: how many of them it lets through.
        num_made_up: made-up strangers by which the score was chosen.
        made_up: by their kind, the area under the curve of held-out images against them (see `separation.auroc`).
        distance: what `mahalanobis` is computed with; None for the other scores.

    Raises:
        ValueError: for a value out of its range.
    """

    score: ScoreName
    threshold: float
    keep: float
    num_held_out: int
    num_kept: int
    num_made_up: int
    made_up: Mapping[str, float]
    distance: HiddenDistance | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        if self.score not in get_args(ScoreName):
            raise ValueError(f"score is {self.score!r:.60}; it must be one of {', '.join(get_args(ScoreName))}")
        _check_number("threshold", self.threshold, -_LARGEST, _LARGEST)
        _check_number("keep", self.keep, 0, 1)
        for name, least, most in (
            ("num_held_out", 1, _LARGEST),
            ("num_kept", 0, self.num_held_out),
            ("num_made_up", 0, _LARGEST),
        ):
            _check_number(name, getattr(self, name), least, most, int)
        if not isinstance(self.made_up, Mapping):
            raise ValueError(f"made_up is {self.made_up!r:.60}; it must be numbers by name")
        for kind, area in self.made_up.items():
            _check_number(f"made_up {kind!r:.30}", area, 0, 1)
        if (self.score == "mahalanobis") != isinstance(self.distance, HiddenDistance):
            raise ValueError(f"score is {self.score}, but distance is {self.distance!r:.60}")
        object.__setattr__(self, "threshold", float(self.threshold))

    @property
    def mean_made_up(self) -> float:
        """The mean area over the kinds of made-up strangers, by which the score was chosen; 0.5 without any."""
        return float(np.mean(list(self.made_up.values()))) if self.made_up else 0.5

    def scores(self, model: Model, images: NDArray[np.uint8]) -> NDArray[np.float64]:
        """Return (N,), the score of each image (N, H, W, C) uint8: higher for more like a known class.

        Raises:
            ValueError: if the images are not of the size the model reads, or the rule is of another architecture.
        """
        if self.distance is not None:
            return self.distance.scores(model, images)
        return score_of_logits(self.score, model.logits(images))

    def refuses(self, model: Model, images: NDArray[np.uint8]) -> NDArray[np.bool_]:
        """Return (N,), whether each image is taken for none of the classes; raises as `scores` does.

        A score that is no number is refused.
        """
        return np.asarray(~(self.scores(model, images) >= self.threshold))

    def to_dict(self) -> dict[str, Any]:
        """Return all of it as plain JSON, from which `from_dict` makes a rule of the same bits."""
        return {
            "score": self.score,
            "threshold": self.threshold,
            "keep": self.keep,
            "num_held_out": self.num_held_out,
            "num_kept": self.num_kept,
            "num_made_up": self.num_made_up,
            "made_up": dict(self.made_up),
            "distance": self.distance.to_dict() if self.distance else None,
        }

    @classmethod
    def from_dict(cls, value: Any) -> "RejectionRule":
        """Return the rule that `to_dict` wrote.

        Raises:
            RunError: if it is no such object; the message names the field.
        """
        try:
            if isinstance(value, Mapping) and value.get("distance") is not None:
                value = {**value, "distance": HiddenDistance.from_dict(value["distance"])}
            return from_plain(cls, value, "rejection", RunError)
        except ValueError as error:
            raise RunError(f"rejection: {error}") from error


def _check_number(name: str, value: Any, least: float, most: float, kind: Any = int | float) -> None:
    if not isinstance(value, kind) or isinstance(value, bool) or not least <= value <= most:
        a_number = "a whole number" if kind is int else "a number"
        raise ValueError(f"{name} is {value!r:.60}; it must be {a_number} from {least:g} to {most:g}")
