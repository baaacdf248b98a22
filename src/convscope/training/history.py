"""The history of a training's epochs, and the state from which it can continue.

After two epochs, a history has two values a column, such as the losses (0.41, 0.12). The state has this history, the
weights after the second epoch and the optimizer's arrays, so the third epoch can follow at any later time.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from math import isfinite
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from convscope.base.arguments import check_fields
from convscope.base.records import Recorded, from_attributes
from convscope.base.tables import html_table, text_table
from convscope.recipes import Recipe
from convscope.training.records import HistoryRecord

HISTORY_COLUMNS = ("loss", "accuracy", "val_loss", "val_accuracy", "seconds")
"""The values that are measured in each epoch, in the order in which `storage` keeps them."""


@dataclass(frozen=True)
class History(Recorded):
    """Loss, accuracy and seconds of a training, one value an epoch.

    Attributes:
        loss, accuracy: means over the training images, each batch measured just before the step that it leads to.
        val_loss, val_accuracy: over the images kept for measuring, with the weights at the end of the epoch; empty when
            there are none.
        seconds: the time of training; measuring is not counted.
        val_split: the split that the `val_` columns measure.
        best_epoch: the epoch, from 1, whose weights early stopping chooses for the model; None without early stopping,
            where the model has the weights of the last epoch.

    Raises:
        ValueError: if the lengths differ, a value is not finite, or there is no such epoch.
    """

    loss: tuple[float, ...] = ()
    accuracy: tuple[float, ...] = ()
    val_loss: tuple[float, ...] = ()
    val_accuracy: tuple[float, ...] = ()
    seconds: tuple[float, ...] = ()
    val_split: Literal["validation", "test"] = "test"
    best_epoch: int | None = None

    def __post_init__(self) -> None:
        check_fields(self)
        for name in HISTORY_COLUMNS:
            values = getattr(self, name)
            # Without measured images both `val_` columns are empty; if only one of them is, the history is damaged.
            is_unmeasured = name.startswith("val_") and not self.val_loss and not self.val_accuracy
            if len(values) != len(self.loss) and not is_unmeasured:
                raise ValueError(f"history has {len(self.loss)} values of loss but {len(values)} of {name}")
            if not all(map(isfinite, values)):  # without a Python loop: a long training checks it after each epoch
                raise ValueError(f"history's {name} holds a value that is not finite: {values}")
        if self.best_epoch is not None and not 1 <= self.best_epoch <= len(self):
            raise ValueError(f"best_epoch is {self.best_epoch}, but history has epochs 1 to {len(self)}")

    def __len__(self) -> int:
        return len(self.loss)

    def rows(self) -> list[dict[str, float]]:
        """Convert the history to one plain dict an epoch, `epoch` counted from 1."""
        return [{"epoch": i + 1, **{name: getattr(self, name)[i] for name in self._columns}} for i in range(len(self))]

    @property
    def _columns(self) -> list[str]:
        """The names of the columns with values; without measured images the `val_` columns have none."""
        return [name for name in HISTORY_COLUMNS if getattr(self, name) or not name.startswith("val_")]

    @classmethod
    def from_rows(cls, rows: list[dict[str, float]]) -> "History":
        """Read a history that `rows` wrote; its images are test images, since the rows do not say which.

        Raises:
            KeyError: if a column is missing.
        """
        # A missing `val_` column means that nothing was measured. Any other one stays in the list, and its absence is
        # an error below.
        columns = [name for name in HISTORY_COLUMNS if not rows or name in rows[0] or not name.startswith("val_")]
        values: dict[str, Any] = {name: tuple(float(row[name]) for row in rows) for name in columns}
        return cls(**values)

    def title(self, column: str) -> str:
        """Name a column for display: `test_loss` for `val_loss` if test images were measured."""
        return column.replace("val_", "test_", 1) if self.val_split == "test" else column

    def to_record(self) -> HistoryRecord:
        return from_attributes(HistoryRecord, self)

    @classmethod
    def from_dict(cls, value: Mapping[str, Any]) -> "History":
        """Read a history that `to_dict` wrote."""
        values: dict[str, Any] = dict(value)
        return cls(**values | {name: tuple(values[name]) for name in HISTORY_COLUMNS})

    def __str__(self) -> str:
        return text_table(*self._table())

    def _repr_html_(self) -> str:
        return html_table(*self._table())

    def _table(self) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
        rows = []
        for row in self.rows():
            epoch = f"{row['epoch']}{' (best)' if row['epoch'] == self.best_epoch else ''}"
            rows.append((epoch, *(f"{row[name]:.{2 if name == 'seconds' else 4}f}" for name in self._columns)))
        return ("epoch", *map(self.title, self._columns)), rows


@dataclass(frozen=True, eq=False)
class TrainingState:
    """The state after an epoch, from which training continues to the same bits as if it had never stopped.

    Attributes:
        weights: float32 arrays by name; the averages if the recipe averages weights.
        optimizer: the optimizer's state, as the engine's `optimizer_state` gives it.
        history: that of the epochs so far; its length is the number of epochs done.
        best_weights: those after `history.best_epoch`; empty without one.
        logits: (N, K) float32, of the images measured after the epoch; None without any, and in a stored state.
    """

    weights: Mapping[str, NDArray[np.float32]]
    optimizer: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    history: History = field(default_factory=History)
    best_weights: Mapping[str, NDArray[np.float32]] = field(default_factory=dict)
    logits: NDArray[np.float32] | None = None

    def __post_init__(self) -> None:
        check_fields(self)


def with_choice(history: History, recipe: Recipe, split: str) -> History:
    """Set the best epoch of a history measured on images of `split`, if the recipe chooses one."""
    stopping = recipe.early_stopping
    best = 0  # epochs count from 1
    if stopping is not None and stopping.restore_best_weights:
        best = stopping.best_epoch(getattr(history, stopping.monitor))
    # Mostly the history has this choice already. It is then returned as it is, since `replace` checks all values again.
    choice: dict[str, Any] = {"val_split": "test" if split == "test" else "validation", "best_epoch": best or None}
    return history if all(getattr(history, name) == choice[name] for name in choice) else replace(history, **choice)


def describe_choice(history: History, recipe: Recipe) -> str:
    """Say after which epoch a training ended and whose epoch's weights it took; "" without early stopping."""
    stopping, done = recipe.early_stopping, len(history)
    if stopping is None:
        return ""
    ended = f"all {done} epochs trained"
    if done < recipe.epochs:
        waited = "1 epoch" if stopping.patience == 1 else f"{stopping.patience} epochs"
        ended = f"stopped after epoch {done} of {recipe.epochs}, {waited} without a better {stopping.monitor}"
    return f"{ended}; weights of epoch {history.best_epoch or done}"
