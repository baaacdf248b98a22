"""Trainings as records."""

from typing import Literal

from convscope.base.records import Fraction, Record, Seconds


class HistoryRecord(Record, kw_only=True):
    """A `History` as a record, with the same attributes."""

    loss: tuple[float, ...]
    accuracy: tuple[Fraction, ...]
    val_loss: tuple[float, ...]
    val_accuracy: tuple[Fraction, ...]
    seconds: tuple[Seconds, ...]
    val_split: Literal["validation", "test"]
    best_epoch: int | None
