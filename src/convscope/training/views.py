"""Test-time augmentation: the mean of the predictions for an image and for its shifts by one pixel.

The views are fixed and the same for every network, so nothing is drawn at random and nothing is chosen.
"""

from collections.abc import Callable
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray

from convscope.base.arguments import describe
from convscope.base.metrics import log_softmax
from convscope.data.datasets.disk.images import blocks
from convscope.engine import Network
from convscope.engine.network import check_images

SHIFTS = ((0, 0), (-1, 0), (1, 0), (0, -1), (0, 1), (-1, -1), (-1, 1), (1, -1), (1, 1))
"""The shift of each view in pixels (down, right); the first view is the image itself."""
NUM_VIEWS = (1, 5, len(SHIFTS))
"""The image alone; with its four shifts along an axis; with the four diagonal ones too."""


def check_views(value: Any, name: str = "views") -> int:
    """Check a number of views, and convert it to `int`.

    Raises:
        TypeError: if it is not a whole number.
        ValueError: if it is none of `NUM_VIEWS`.
    """
    if isinstance(value, bool) or not isinstance(value, int | np.integer):
        raise TypeError(f"{name} is {describe(value)}; it must be 1, 5 or 9")
    if value not in NUM_VIEWS:
        raise ValueError(f"{name} is {value}; it must be 1, 5 or 9")
    return int(value)


Views = Annotated[int, check_views]
"""The number of `SHIFTS` that are averaged."""


def shift_images(images: NDArray[np.uint8], down: int, right: int) -> NDArray[np.uint8]:
    """Shift images (N, H, W, C) by whole pixels and repeat the border's pixels in the gap.

    Repeating needs no guess about the background, which may be light or dark.
    """
    # The row (column) of the image that each row (column) of the result shows; clipping repeats the border.
    rows, columns = (
        np.clip(np.arange(size) - shift, 0, size - 1)
        for size, shift in zip(images.shape[1:3], (down, right), strict=True)
    )
    return images[:, rows[:, None], columns]


def average_views(network: Network, images: NDArray[np.uint8], views: int) -> NDArray[np.float32]:
    """Compute logits (N, K) whose softmax is the mean of the probabilities of the first `views` of `SHIFTS`.

    Probabilities are averaged, as Krizhevsky, Sutskever and Hinton (2012, section 4.1) do, and not logits: those of
    different views have no common zero or unit. Only one view of one block of images is in memory at a time.

    Raises:
        ValueError: as `Network.logits` does.
    """
    check_images(images, network.architecture.input.shape)
    if views == 1 or not len(images):
        return network.logits(images)
    return np.concatenate([_average_block(network.logits, block, views) for block in blocks(images)])


def _average_block(
    logits: Callable[[NDArray[np.uint8]], NDArray[np.float32]], images: NDArray[np.uint8], views: int
) -> NDArray[np.float32]:
    with np.errstate(invalid="ignore"):  # the logits of a network that diverged stay NaN
        # log(1/V Σ_v p_v) = log Σ_v p_v - log V for V views; the sum by logaddexp, so that no probability underflows.
        total = log_softmax(logits(images))
        for down, right in SHIFTS[1:views]:
            total = np.logaddexp(total, log_softmax(logits(shift_images(images, down, right))))
    return np.asarray(total - np.log(views), np.float32)
