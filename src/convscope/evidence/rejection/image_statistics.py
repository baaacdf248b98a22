"""Score images by their brightness, contrast and roughness, compared with those of training images.

No network takes part, so even images that fool a network, such as noise and blank images, get low scores: noise is far
rougher than any digit, and a blank image has no contrast. Shifts and rotations hardly change the statistics.
"""

from typing import Annotated

import numpy as np
from msgspec import Meta
from numpy.typing import NDArray

from convscope.base.records import Finite, Record, to_tuple
from convscope.data.datasets import Dataset, evenly

_MAX_IMAGES = 10_000  # images of the fit
_BLOCK_VALUES = 1 << 22  # pixel values that are processed together
_MAX_NUMBERS = 3 * 16  # statistics, of sixteen channels
# Standard deviations of the mean (grey levels) and of the two logarithms, as large as rounding to levels may hide.
_MIN_SPREAD = 0.5, 0.01, 0.01

_Row = Annotated[tuple[Finite, ...], Meta(max_length=_MAX_NUMBERS)]


class ImageStatistics(Record):
    """The mean and the inverse covariance of the F = 3 C statistics of training images; see `image_statistics`.

    Attributes:
        centre: (F,).
        precision: (F, F), the inverse of the covariance.

    Raises:
        ValueError: if the shapes do not fit together.
    """

    centre: _Row
    precision: Annotated[tuple[_Row, ...], Meta(max_length=_MAX_NUMBERS)]

    def __post_init__(self) -> None:
        size = len(self.centre)
        if size % 3 or not size or [len(row) for row in self.precision] != [size] * size:
            raise ValueError(f"centre has {size} numbers, and precision {len(self.precision)} rows that do not fit")

    def scores(self, images: NDArray[np.uint8]) -> NDArray[np.float64]:
        """Compute (N,), minus the squared Mahalanobis distance of each image's statistics: 0 at most.

        Raises:
            ValueError: if the images (N, H, W, C) have another number of channels.
        """
        if 3 * images.shape[3] != len(self.centre):
            raise ValueError(f"images have {images.shape[3]} channels; the statistics are of {len(self.centre) // 3}")
        centred = image_statistics(images) - np.array(self.centre)
        return np.asarray(-((centred @ np.array(self.precision)) * centred).sum(axis=1))


def image_statistics(images: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Compute (N, 3 C) for images (N, H, W, C): by channel the mean, log(1 + contrast) and log(1 + roughness).

    Contrast is the standard deviation over the pixels, roughness the mean absolute difference between neighbours along
    both axes, all in grey levels. The logarithms set blank images apart from all others.
    """
    height, width, channels = images.shape[1:]
    statistics = np.empty((len(images), 3 * channels))
    step = max(1, _BLOCK_VALUES // max(1, height * width * channels))
    for start in range(0, len(images), step):
        block = images[start : start + step].astype(np.float32)
        # Roughness: the mean difference of neighbours, along rows and columns together.
        differences = sum(
            np.abs(np.diff(block, axis=axis)).sum(axis=(1, 2), dtype=np.float64) for axis in (1, 2)
        ) / max(1, (height - 1) * width + height * (width - 1))
        statistics[start : start + step] = np.concatenate(
            [
                block.mean(axis=(1, 2), dtype=np.float64),
                # Logarithms, since contrast and roughness are spread over orders of magnitude.
                np.log1p(block.std(axis=(1, 2), dtype=np.float64)),
                np.log1p(differences),
            ],
            axis=1,
        )
    return statistics


def fit_statistics(dataset: Dataset) -> ImageStatistics:
    """Fit the statistics to at most 10,000 images of `dataset`, sampled evenly."""
    statistics = image_statistics(dataset.take(evenly(len(dataset), _MAX_IMAGES)).images)
    centre = statistics.mean(axis=0)
    centred = statistics - centre
    # Added to the variances: a statistic that hardly varies must not refuse an image for its rounding.
    min_spread = np.repeat(_MIN_SPREAD, dataset.image_shape[2])
    precision = np.linalg.inv(centred.T @ centred / len(statistics) + np.diag(min_spread**2))
    return ImageStatistics(to_tuple(centre), to_tuple(precision))
