"""Hold what was read against what is published of a data set, where no digest vouches for it."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from convscope.base.errors import DatasetError
from convscope.data.datasets.named.entries import CatalogueEntry
from convscope.data.datasets.named.entries_mnist import FASHION_MNIST, MNIST
from convscope.data.datasets.readers.idx import idx_sha256

# These come under the same file names and have the same shapes: KMNIST's class counts are Fashion-MNIST's too.
_KNOWN = {
    file.content_sha256: entry.name
    for entry in (MNIST, FASHION_MNIST)
    for file in entry.files
    if file.content_sha256 is not None
}


def check_structure(
    entry: CatalogueEntry,
    split: str,
    images: NDArray[np.uint8],
    labels: NDArray[Any],
    images_from: str,
    labels_from: str,
) -> None:
    """Raise `DatasetError` if images (N, H, W) or labels (N,) cannot be the `split` "train" or "test" of `entry`."""
    place = 0 if split == "train" else 1
    count = (entry.num_train, entry.num_test)[place]
    shape = (count, *entry.image_shape[:2])
    advice = f"it is not {entry.name}'s; remove it, or put the published file there"
    if images.shape != shape:
        raise DatasetError(f"{images_from}: holds images of shape {images.shape}, not {shape}: {advice}")
    if labels.shape != (count,):
        raise DatasetError(f"{labels_from}: holds labels of shape {labels.shape}, not {(count,)}: {advice}")
    lowest, highest = int(labels.min()), int(labels.max())
    if lowest < 0 or highest >= len(entry.class_names):
        raise DatasetError(
            f"{labels_from}: has classes {lowest} to {highest}, counted from 0, but there are "
            f"{len(entry.class_names)}: {advice}"
        )
    counts = entry.class_counts[place]
    if counts is not None and (found := tuple(np.bincount(labels, minlength=len(counts)).tolist())) != counts:
        raise DatasetError(f"{labels_from}: its classes have {found} images, not {counts}: {advice}")
    if (other := _KNOWN.get(idx_sha256(images))) is not None:
        raise DatasetError(f"{images_from}: holds the images of {other}: {advice}")
