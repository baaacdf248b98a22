"""Strangers made up from training images, by which a score is chosen: images that belong to none of the classes.

They are of other kinds than the sets that the choice is measured on (`convscope.rejection.strangers`), so that choosing
by them is not choosing by the measurement. Some of them are readable after all: two halves can make a whole.
"""

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from convscope.datasets import Dataset
from convscope.streams import random_stream

Images = NDArray[np.uint8]

_GRID = 4  # patches along each side
_STRETCH, _SMOOTHING = 0.25, 0.07  # of the longer side: the displacements' size, and the length over which they change


def make_up(dataset: Dataset, count: int, seed: int = 0) -> dict[str, Images]:
    """Return by kind at most `count` images (n, H, W, C) made of as many images of `dataset`, evenly taken.

    The kinds: "patches", 4 × 4 patches in another order; "halves", of two images of different classes, one below or
    beside the other; "inverted", bright for dark; "scribbles", drawn out of shape beyond recognition. "halves" is left
    out where all images are of one class.
    """
    sources = dataset.take(np.linspace(0, len(dataset) - 1, min(count, len(dataset))).round().astype(np.int64))
    kinds: Mapping[str, Callable[[Dataset, np.random.Generator], Images]] = {
        "patches": _patches,
        "halves": _halves,
        "inverted": _inverted,
        "scribbles": _scribbles,
    }
    made = {kind: make(sources, random_stream(seed, f"made up {kind}")) for kind, make in kinds.items()}
    return {kind: images for kind, images in made.items() if len(images)}


def _patches(sources: Dataset, stream: np.random.Generator) -> Images:
    images = sources.images.copy()
    height, width, _ = sources.image_shape
    rows, columns = min(_GRID, height), min(_GRID, width)
    high, wide = height // rows, width // columns
    corners = [(high * row, wide * column) for row in range(rows) for column in range(columns)]
    for made, image in zip(images, sources.images, strict=True):
        # A cycle through a random order: no patch stays in its place, if there are two.
        order = stream.permutation(len(corners))
        for to, source in zip(order, np.roll(order, 1), strict=True):
            (top, left), (y, x) = corners[to], corners[source]
            made[top : top + high, left : left + wide] = image[y : y + high, x : x + wide]
    return images


def _halves(sources: Dataset, stream: np.random.Generator) -> Images:
    labels, images = sources.labels, sources.images.copy()
    height, width, _ = sources.image_shape
    glued = list[Images]()
    for place, image in enumerate(images):
        others = np.flatnonzero(labels != labels[place])
        if len(others):
            other = sources.images[stream.choice(others)]
            if len(glued) % 2:
                image[height // 2 :] = other[height // 2 :]
            else:
                image[:, width // 2 :] = other[:, width // 2 :]
            glued.append(image)
    return np.stack(glued) if glued else images[:0]


def _inverted(sources: Dataset, _stream: np.random.Generator) -> Images:
    return 255 - sources.images


def _scribbles(sources: Dataset, stream: np.random.Generator) -> Images:
    """Return images warped by a smooth random field: elastic distortion (Simard and others 2003), but far more."""
    from scipy.ndimage import gaussian_filter, map_coordinates

    height, width, channels = sources.image_shape
    side = max(height, width)
    grid = np.indices((height, width)).astype(np.float64)
    images = np.empty_like(sources.images)
    for made, image in zip(images, sources.images, strict=True):
        field = gaussian_filter(stream.standard_normal((2, height, width)), (0, _SMOOTHING * side, _SMOOTHING * side))
        places = grid + _STRETCH * side * field / max(field.std(), 1e-9)
        for channel in range(channels):
            made[..., channel] = map_coordinates(image[..., channel], places, order=1, mode="nearest")
    return images
