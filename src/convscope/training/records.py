"""Trainings as records."""

from typing import Literal

from convscope.base.records import Count, Fraction, NonNegative, Positive, Record, Seconds


class HistoryRecord(Record, kw_only=True):
    """A `History` as a record, with the same attributes."""

    loss: tuple[float, ...]
    accuracy: tuple[Fraction, ...]
    val_loss: tuple[float, ...]
    val_accuracy: tuple[Fraction, ...]
    seconds: tuple[Seconds, ...]
    val_split: Literal["validation", "test"]
    best_epoch: int | None


class Checkpoint(Record, kw_only=True, order=True):
    """A point of a training whose weights are kept.

    Attributes:
        epoch: the epochs trained so far, such as 30 / 469 within the first; 0 is untrained.
        step: the steps so far; None in runs of earlier versions, which kept ends of epochs only.
        loss, accuracy: of `num_images` images of those measured after each epoch, evenly spaced within an epoch; None
            without any.
    """

    epoch: NonNegative
    step: Count | None = None
    loss: NonNegative | None = None
    accuracy: Fraction | None = None
    num_images: Count = 0


class TrialRecord(Record, kw_only=True):
    """A training by which the recipe `auto` chose.

    Attributes:
        network: the name of the architecture.
        augmentation: "none", "shift", "bend", "flip", "cutout" or "bend and flip".
        share: the fraction of the budget.
        num_images: the images that it was trained on.
        loss, accuracy: those of the held-out images; None if the training diverged.
    """

    network: str
    augmentation: str
    share: Fraction
    epochs: Positive
    num_images: Positive
    loss: NonNegative | None
    accuracy: Fraction | None


class SearchRecord(Record, kw_only=True):
    """The trials of the recipe `auto`, none if there are too few images.

    Attributes:
        budget: multiply-adds of all trials and of the training.
        augmentation: the one that was chosen.
        num_held_out: the training images that measured them; each trial was trained on others.
    """

    budget: float
    augmentation: str
    num_held_out: Count
    trials: tuple[TrialRecord, ...]
