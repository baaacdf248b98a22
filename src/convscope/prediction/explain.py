"""Which pixels of the prepared images the answers rest on."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from convscope.evidence.explanation.attributions import Method, attribute
from convscope.prediction.prediction import Prediction
from convscope.prediction.preparation import preparation_of
from convscope.training.model import Model

METHOD: Method = "integrated_gradients"
"""Of the attributions, the one that orders pixels well by both of its checks, whose sum is the answer's logit less that
of an empty image, and that every network allows."""

_BATCH = 64  # images whose gradients are held at once


def answer_maps(model: Model, predictions: Sequence[Prediction], *, method: Method = METHOD) -> NDArray[np.float64]:
    """Return (N, H, W) float64, what each pixel of each prepared image counts for the logit of its answer.

    Above zero it speaks for the answer, below against it, measured from an image that is nothing but ground. It says on
    what this answer rests, not why the network is as it is.

    Raises:
        ValueError: as `convscope.evidence.explanation.attributions.attribute` does.
    """
    image = model.architecture.input
    background = 0 if preparation_of(model).handwriting.ink == "light" else 255
    maps = np.empty((len(predictions), image.height, image.width))
    for start in range(0, len(predictions), _BATCH):
        some = predictions[start : start + _BATCH]
        images = np.stack([one.prepared.image for one in some])
        labels = np.array([one.label for one in some])
        maps[start : start + _BATCH] = attribute(model, images, labels, method, background=background)
    return maps
