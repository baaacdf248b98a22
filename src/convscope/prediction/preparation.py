"""How pictures are made into images for a model, also for one that does not say it, and which pictures are images."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from convscope.data.handwriting import Handwriting
from convscope.training.model import Model

_LIKE_MNIST = ("mnist", "emnist", "qmnist", "digits", "usps")  # beginnings of names of data sets that centre their ink
_NEAR_GROUND, _CLEAN = 16, 0.95  # as `handwriting_of` takes a border for ground
_SHIFT, _SIZE = 1 / 28, 0.1  # of the shorter side, of the target: what 998 of 1,000 images of MNIST keep to


@dataclass(frozen=True)
class Preparation:
    """How an image for a model is made, and whether the model says so itself.

    Attributes:
        is_assumed: whether the model does not know how its images were made, as those of earlier versions do not, so
            that this is a guess from its data set's name and its image size.
    """

    handwriting: Handwriting
    is_assumed: bool


def preparation_of(model: Model) -> Preparation:
    """Return how an image for `model` is made from a picture.

    A model that does not say it gets MNIST's way if its data set is called so, and else one that only resizes.
    """
    if model.handwriting is not None:
        return Preparation(model.handwriting, is_assumed=False)
    image, name = model.architecture.input, str(model.provenance.get("dataset", "")).lower()
    target = max(1, round(min(image.height, image.width) * 20 / 28))
    centre = image.channels == 1 and name.startswith(_LIKE_MNIST)
    return Preparation(Handwriting("light", target, centre=centre), is_assumed=True)


def is_as_made(picture: NDArray[np.uint8], shape: tuple[int, int, int], handwriting: Handwriting) -> bool:
    """Whether a picture (h, w, C) uint8 is what preparing would make of it, as an image of the data set saved is.

    It then has the size of the model's images (`shape`), ink on an even ground of the data set's own polarity, about as
    large as theirs, and its centre of mass in the middle. Steps would change single pixels of it, and with them, though
    rarely, the answer.
    """
    height, width, channels = shape
    if picture.shape[:2] != (height, width) or picture.shape[2] not in (1, channels) or channels not in (1, 3):
        return False
    if not handwriting.centre:
        return True
    grey = picture.astype(np.int64).max(axis=2) if handwriting.ink == "light" else 255 - picture.min(axis=2).astype(int)
    around = np.ones(grey.shape, bool)
    around[1:-1, 1:-1] = False
    ink = grey > handwriting.threshold * grey.max()
    if not ink.any() or np.mean(grey[around] < _NEAR_GROUND) < _CLEAN:
        return False
    rows, columns = np.flatnonzero(ink.any(axis=1)), np.flatnonzero(ink.any(axis=0))
    longer = max(np.ptp(rows), np.ptp(columns)) + 1
    if abs(longer - handwriting.target) > max(1, _SIZE * handwriting.target):
        return False
    # Row i counts as i, and the middle of 28 rows as 14: so `prepare` centres.
    off_rows = (grey.sum(axis=1) * np.arange(height)).sum() / grey.sum() - height / 2
    off_columns = (grey.sum(axis=0) * np.arange(width)).sum() / grey.sum() - width / 2
    return bool(max(abs(off_rows), abs(off_columns)) <= max(1, _SHIFT * min(height, width)))
