"""Load the network that a run started from, and find the training images that it holds out."""

import numpy as np
from numpy.typing import NDArray

from convscope.data.datasets import Dataset, Splits
from convscope.experiment.start import Start, open_start
from convscope.storage import RunFolder
from convscope.training import hold_out


def load_run_start(folder: RunFolder, splits: Splits) -> Start | None:
    """Load the network that the run in `folder` started from; None if it started from random weights."""
    start = folder.record.start
    if not start:
        return None
    return open_start(folder.start_path, splits, folder.seed, new_output=start.new_output)


def split_held_out(folder: RunFolder, splits: Splits, start: Start | None) -> tuple[Dataset, Dataset | None]:
    """Divide the data of the run in `folder` into training and held-out images, see `hold_out`."""
    return hold_out(splits, folder.recipe, folder.seed, unseen=find_unseen(start, folder, splits))


def find_unseen(start: Start | None, folder: RunFolder, splits: Splits) -> NDArray[np.bool_] | None:
    """Find the training images that the run in `folder` may hold out; None if all, or if it holds none out."""
    if start is None or folder.recipe.validation_fraction == 0:
        return None
    # Images that the start was trained on would make the validation accuracy too high.
    return start.unseen(splits.train)
