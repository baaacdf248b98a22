"""What the run in a folder started from, and which training images it holds out."""

import numpy as np
from numpy.typing import NDArray

from convscope.data.datasets import Dataset, Splits
from convscope.experiment.start import Start, open_start
from convscope.storage import RunFolder
from convscope.training import hold_out


def start_of(folder: RunFolder, splits: Splits) -> Start | None:
    """Return what the run in `folder` started from; None stands for random weights."""
    start = folder.record.start
    if not start:
        return None
    return open_start(folder.start_path, splits, folder.seed, new_output=start.new_output)


def held_out_by(folder: RunFolder, splits: Splits, start: Start | None) -> tuple[Dataset, Dataset | None]:
    """Return what the run in `folder` trains on, and what it measures after each epoch, see `hold_out`."""
    return hold_out(splits, folder.recipe, folder.seed, unseen=unseen_by(start, folder, splits))


def unseen_by(start: Start | None, folder: RunFolder, splits: Splits) -> NDArray[np.bool_] | None:
    """Return which training images the run in `folder` may hold out; None stands for all, or for holding none out."""
    if start is None or folder.recipe.validation_fraction == 0:
        return None
    return start.unseen(splits.train)
