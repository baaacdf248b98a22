"""Early stopping as data: a rule on the history of the validation images."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from convscope.base.arguments import check_flag, check_range, check_whole
from convscope.base.errors import RecipeError

Monitor = Literal["val_loss", "val_accuracy"]
_MONITORS: tuple[Monitor, ...] = get_args(Monitor)


@dataclass(frozen=True)
class EarlyStopping:
    """Stop after `patience` epochs without improvement on the validation images, as Keras's callback does.

    An epoch is an improvement if its value is better than that of the last improvement by more than `min_delta`: lower
    for `val_loss`, higher for `val_accuracy`. The first epoch is one. The arguments are Keras's; their defaults too,
    except that the best weights are restored.

    The value of the chosen epoch is slightly optimistic, because it was chosen: quote the test images.

    Attributes:
        monitor: the column of the history that decides.
        patience: epochs in a row without improvement after which training stops, from 1 (to Keras, 0 means the same).
        min_delta: by how much a value must be better to count.
        restore_best_weights: whether the model has the weights of the last improvement, even if training reached its
            last epoch; else those of the last epoch.

    Raises:
        RecipeError: for a value out of its range.
    """

    monitor: Monitor = "val_loss"
    patience: int = 1
    min_delta: float = 0.0
    restore_best_weights: bool = True

    def __post_init__(self) -> None:
        if self.monitor not in _MONITORS:
            raise RecipeError(f"recipe: monitor is {self.monitor!r}; it must be one of {', '.join(_MONITORS)}")
        check_whole("patience", self.patience, 1, 100_000)
        check_range("min_delta", self.min_delta, 0, 1e6)
        check_flag("restore_best_weights", self.restore_best_weights)

    def best_epoch(self, values: Sequence[float]) -> int:
        """Find the epoch, from 1, of the last improvement among `values`, one for each epoch; 0 without epochs.

        >>> EarlyStopping(min_delta=0.1).best_epoch([0.9, 0.5, 0.45, 0.6])
        2
        """
        # Times -1, a better accuracy is the smaller number, as a better loss is.
        best, sign = 0, 1 if self.monitor == "val_loss" else -1
        for epoch, value in enumerate(values, 1):
            # Compared with the last improvement, not with the best value: small steps must not add up unnoticed.
            if best == 0 or sign * value + self.min_delta < sign * values[best - 1]:
                best = epoch
        return best

    def is_reached(self, values: Sequence[float]) -> bool:
        """True if training stops after the epochs with these values.

        >>> stopping = EarlyStopping(patience=2)
        >>> stopping.is_reached([0.9, 0.5, 0.6]), stopping.is_reached([0.9, 0.5, 0.6, 0.5])
        (False, True)
        """
        return len(values) - self.best_epoch(values) >= self.patience
