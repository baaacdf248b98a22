"""How pictures become images for a model, and which pictures already look like its images."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from convscope.data.handwriting import Handwriting
from convscope.training.model import Model

_LIKE_MNIST = ("mnist", "emnist", "qmnist", "digits", "usps")  # beginnings of names of data sets that centre their ink
# A clean border: at least this share of its pixels below this grey level, as in `handwriting_of`.
_MAX_BORDER_GREY, _MIN_CLEAN_SHARE = 16, 0.95
# How far 998 of 1,000 images of MNIST are at most from centre (of the shorter side) and target size (of the target).
_MAX_SHIFT, _MAX_SIZE_ERROR = 1 / 28, 0.1


@dataclass(frozen=True)
class Preparation:
    """The preparation of images for a model.

    Attributes:
        is_assumed: whether it is a guess from the data set's name and the image size, since the model does not say how
            its images were made, as models of earlier versions do not.
    """

    handwriting: Handwriting
    is_assumed: bool


def preparation_of(model: Model) -> Preparation:
    """Get the preparation of images for `model`.

    If the model does not state one, pictures are prepared as MNIST was if the data set's name suggests it; otherwise
    they are only resized.
    """
    if model.handwriting is not None:
        return Preparation(model.handwriting, is_assumed=False)
    image, name = model.architecture.input, str(model.provenance.get("dataset", "")).lower()
    target = max(1, round(min(image.height, image.width) * 20 / 28))
    centre = image.channels == 1 and name.startswith(_LIKE_MNIST)
    return Preparation(Handwriting("light", target, centre=centre), is_assumed=True)


def is_as_made(picture: NDArray[np.uint8], shape: tuple[int, int, int], handwriting: Handwriting) -> bool:
    """True if a picture (h, w, C) uint8 already looks prepared, as a saved image of the data set does.

    It then has the size of the model's images (`shape`), ink on an even ground of the data set's polarity and size, and
    its centre of mass in the middle. Preparing it again would change single pixels and, rarely, the prediction.
    """
    height, width, channels = shape
    if picture.shape[:2] != (height, width) or picture.shape[2] not in (1, channels) or channels not in (1, 3):
        return False
    if not handwriting.centre:
        return True
    # Grey levels in which ink is light, whichever the data set has.
    grey = picture.astype(np.int64).max(axis=2) if handwriting.ink == "light" else 255 - picture.min(axis=2).astype(int)
    is_border = np.ones(grey.shape, bool)
    is_border[1:-1, 1:-1] = False
    is_ink = grey > handwriting.threshold * grey.max()
    if not is_ink.any() or np.mean(grey[is_border] < _MAX_BORDER_GREY) < _MIN_CLEAN_SHARE:
        return False
    rows, columns = np.flatnonzero(is_ink.any(axis=1)), np.flatnonzero(is_ink.any(axis=0))
    longer_side = max(np.ptp(rows), np.ptp(columns)) + 1
    if abs(longer_side - handwriting.target) > max(1, _MAX_SIZE_ERROR * handwriting.target):
        return False
    # `prepare` centres so that row i counts as i and the middle of 28 rows is 14; the same is measured here.
    off_rows = (grey.sum(axis=1) * np.arange(height)).sum() / grey.sum() - height / 2
    off_columns = (grey.sum(axis=0) * np.arange(width)).sum() / grey.sum() - width / 2
    return bool(max(abs(off_rows), abs(off_columns)) <= max(1, _MAX_SHIFT * min(height, width)))
