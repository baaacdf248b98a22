"""Cut a test split off a data set that comes without one."""

import numpy as np
from numpy.typing import NDArray

from convscope.base.streams import random_stream
from convscope.data.datasets.data_file import Labels

TEST_FRACTION = 0.2
"""The share that is cut off where nobody says how much."""


def cut_test(
    labels: Labels, num_classes: int, fraction: float, seed: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return (train, test): the places of the images of each, in rising order, drawn by the stream "test split".

    Each class gives its share, rounded so that the shares add up to that of the whole; of no class all images are
    taken, so a class of one image is only trained on.

    Raises:
        ValueError: if `fraction` is not between 0 and 1.
    """
    if not 0 < fraction < 1:
        raise ValueError(f"fraction is {fraction}; it must lie between 0 and 1")
    stream = random_stream(seed, "test split")
    counts = np.bincount(labels, minlength=num_classes)
    most = np.maximum(counts - 1, 0)
    share = fraction * counts
    wanted = np.minimum(np.floor(share).astype(np.int64), most)
    missing = max(round(fraction * len(labels)), 1) - int(wanted.sum())
    # What rounding down has left over goes to the largest remainders; chance decides between equal ones.
    order = np.lexsort((stream.permutation(num_classes), -np.round(share - np.floor(share), 9)))
    for label in order:
        if missing > 0 and wanted[label] < most[label]:
            wanted[label] += 1
            missing -= 1
    is_test = np.zeros(len(labels), dtype=bool)
    by_class = np.argsort(labels, kind="stable")
    starts = np.concatenate([[0], np.cumsum(counts)])
    for label in range(num_classes):
        members = by_class[starts[label] : starts[label + 1]]
        is_test[stream.permutation(members)[: wanted[label]]] = True
    return np.flatnonzero(~is_test), np.flatnonzero(is_test)
