"""The learning rate over a run, as data: it rises in a warm-up, then stays or falls."""

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from convscope.base.arguments import check_range
from convscope.base.errors import RecipeError

ScheduleKind = Literal["constant", "linear", "cosine", "one_cycle"]
_KINDS: tuple[ScheduleKind, ...] = get_args(ScheduleKind)
_ONE_CYCLE_START = 1 / 25  # Smith and Topin leave it free; PyTorch and fastai have this value by default


@dataclass(frozen=True)
class Schedule:
    """By what factor the optimizer's learning rate is multiplied at each step of the whole run.

    With T steps, of which the first W = round(warmup · T) are the warm-up, step t (from 0) has

    - warm-up: (t + 1) / W, so that its last step has the full rate; for `one_cycle` half a cosine from 1/25 to 1.
    - then, with u = (t - W) / (T - W): `constant` 1, `linear` 1 - u, `cosine` and `one_cycle` (1 + cos πu) / 2.

    So `linear` and `cosine` would reach 0 one step after the last: no step has the rate 0.

    Source: Smith and Topin 2018 for `one_cycle` (its cycle of the momentum is left out); Loshchilov and Hutter 2017,
    equation 5, without restarts for `cosine`.

    Raises:
        RecipeError: for an unknown kind, a warm-up outside 0 to 1, or a `one_cycle` without one.
    """

    kind: ScheduleKind = "constant"
    warmup: float = 0.0

    def __post_init__(self) -> None:
        if self.kind not in _KINDS:
            raise RecipeError(f"recipe: schedule is of kind {self.kind!r}; it must be one of {', '.join(_KINDS)}")
        is_cycle = self.kind == "one_cycle"
        check_range("warmup", self.warmup, 0, 1, open_below=is_cycle, open_above=is_cycle)

    def factors(self, steps: int) -> NDArray[np.float64]:
        """Compute the factor of each step of a run, (steps,).

        >>> Schedule("linear", warmup=0.25).factors(8).tolist()[:4]
        [0.5, 1.0, 1.0, 0.8333333333333334]
        """
        num_warm = round(self.warmup * steps)  # W of the class's docstring, as `progress` is u
        rising = np.arange(1, num_warm + 1) / max(num_warm, 1)
        if self.kind == "one_cycle":
            cosines = np.cos(np.pi * np.arange(num_warm) / max(num_warm, 1))
            rising = _ONE_CYCLE_START + (1 - _ONE_CYCLE_START) * (1 - cosines) / 2
        progress = np.arange(steps - num_warm) / max(steps - num_warm, 1)
        match self.kind:
            case "constant":
                falling = np.ones(steps - num_warm)
            case "linear":
                falling = 1 - progress
            case "cosine" | "one_cycle":
                falling = (1 + np.cos(np.pi * progress)) / 2
        return np.concatenate([rising, falling])
