"""What training leaves behind: the history of its epochs, and the state that it goes on from."""

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
"""What is measured in each epoch; `storage` keeps them in this order."""


@dataclass(frozen=True)
class History(Recorded):
    """What was measured in each epoch, one value an epoch.

    Attributes:
        loss, accuracy: means over the training images, each measured just before the step that its batch caused.
        val_loss, val_accuracy: over the images kept for measuring, with the weights at the end of the epoch; empty when
            there are none.
        seconds: of training; measuring is not counted.
        val_split: which images the `val_` columns are of.
        best_epoch: the epoch, from 1, whose weights early stopping gave to the model, or would if it ended here; None
            where nothing is chosen and the model has those of the last epoch.

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
            missing = name.startswith("val_") and not self.val_loss and not self.val_accuracy
            if len(values) != len(self.loss) and not missing:
                raise ValueError(f"history has {len(self.loss)} values of loss but {len(values)} of {name}")
            if not all(map(isfinite, values)):  # at once, as a long training checks it after each epoch
                raise ValueError(f"history's {name} holds a value that is not finite: {values}")
        if self.best_epoch is not None and not 1 <= self.best_epoch <= len(self):
            raise ValueError(f"best_epoch is {self.best_epoch}, but history has epochs 1 to {len(self)}")

    def __len__(self) -> int:
        return len(self.loss)

    def rows(self) -> list[dict[str, float]]:
        """Return one plain dict an epoch, `epoch` counted from 1."""
        columns = [name for name in HISTORY_COLUMNS if getattr(self, name) or not name.startswith("val_")]
        return [{"epoch": i + 1, **{name: getattr(self, name)[i] for name in columns}} for i in range(len(self))]

    @classmethod
    def from_rows(cls, rows: list[dict[str, float]]) -> "History":
        """Return the history that `rows` wrote, of test images and without a best epoch, which the rows do not hold.

        Raises:
            KeyError: if a column is missing.
        """
        columns = [name for name in HISTORY_COLUMNS if not rows or name in rows[0] or not name.startswith("val_")]
        values: dict[str, Any] = {name: tuple(float(row[name]) for row in rows) for name in columns}
        return cls(**values)

    def title(self, column: str) -> str:
        """Return what `column` is called where it is shown: `test_loss` for `val_loss` if test images were measured."""
        return column.replace("val_", "test_", 1) if self.val_split == "test" else column

    def to_record(self) -> HistoryRecord:
        return from_attributes(HistoryRecord, self)

    @classmethod
    def from_dict(cls, value: Mapping[str, Any]) -> "History":
        """Return the history that `to_dict` wrote."""
        values: dict[str, Any] = dict(value)
        return cls(**values | {name: tuple(values[name]) for name in HISTORY_COLUMNS})

    def __str__(self) -> str:
        return text_table(*self._table())

    def _repr_html_(self) -> str:
        return html_table(*self._table())

    def _table(self) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
        names = [name for name in HISTORY_COLUMNS if getattr(self, name) or not name.startswith("val_")]
        digits = [2 if name == "seconds" else 4 for name in names]
        rows = [
            (
                f"{row['epoch']}{' (best)' if row['epoch'] == self.best_epoch else ''}",
                *(f"{row[name]:.{places}f}" for name, places in zip(names, digits, strict=True)),
            )
            for row in self.rows()
        ]
        return ("epoch", *map(self.title, names)), rows


@dataclass(frozen=True, eq=False)
class TrainingState:
    """All that training needs to go on from the end of an epoch, to the same bits as if it had never stopped.

    Attributes:
        weights: float32 arrays by name; the averages where the recipe says so.
        optimizer: what the optimizer remembers, as the engine's `optimizer_state` gives it.
        history: of the epochs so far; its length is the number of epochs done.
        best_weights: those after `history.best_epoch`; empty where there is none.
    """

    weights: Mapping[str, NDArray[np.float32]]
    optimizer: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    history: History = field(default_factory=History)
    best_weights: Mapping[str, NDArray[np.float32]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_fields(self)


def with_choice(history: History, recipe: Recipe, split: str) -> History:
    """Return `history` with the best epoch by `recipe`, if that chooses one, after measuring images of `split`."""
    stopping = recipe.early_stopping
    best = 0
    if stopping is not None and stopping.restore_best_weights:
        best = stopping.best_epoch(getattr(history, stopping.monitor))
    chosen: dict[str, Any] = {"val_split": "test" if split == "test" else "validation", "best_epoch": best or None}
    return history if all(getattr(history, name) == chosen[name] for name in chosen) else replace(history, **chosen)


def describe_choice(history: History, recipe: Recipe) -> str:
    """Return after which epoch a training ended and which epoch's weights it took; "" without early stopping."""
    stopping, done = recipe.early_stopping, len(history)
    if stopping is None:
        return ""
    ended = f"all {done} epochs trained"
    if done < recipe.epochs:
        waited = "1 epoch" if stopping.patience == 1 else f"{stopping.patience} epochs"
        ended = f"stopped after epoch {done} of {recipe.epochs}, {waited} without a better {stopping.monitor}"
    return f"{ended}; weights of epoch {history.best_epoch or done}"
