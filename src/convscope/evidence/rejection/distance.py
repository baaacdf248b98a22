"""How near an image lies to a class in the last hidden layer: training images to class means, and those to a score.

The score is the relative Mahalanobis distance (Ren and others 2021): how much nearer the image is to the nearest class
than to the training images as a whole, each in the standard deviations of its own covariance. The plain distance (Lee
and others 2018) fails here: an out-of-distribution image that hardly moves the layer lies near everything.

Both covariances are diagonal in the axes of linear discriminant analysis, and equal but for the K - 1 axes along which
the class means differ. All the others add the same to both distances, so these few are all that is kept.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convscope.architecture import Architecture
from convscope.base.errors import RunError
from convscope.base.packing import pack, unpack
from convscope.base.plain import from_plain
from convscope.data.datasets import Dataset
from convscope.engine.network import check_images
from convscope.training.model import Model

INPUT = "input"
"""Names the normalised image where the network has no hidden layer."""

MOST_NUMBERS = 36_000
"""Of float32 that a fitted distance keeps at most: 190 kB as packed JSON."""

_ARRAYS = {"centre": 1, "axes": 2, "variances": 1, "means": 2}  # by name, their dimensions
_MOST_READ = 2048  # numbers of a layer, evenly chosen of more
_MOST_IMAGES = 10_000  # that are fitted to: 1,000 a class on MNIST
_MOST_SIZE = 256  # numbers read, beyond which their directions of largest variance stand for them
_MOST_FOR_DIRECTIONS = 600  # images by which these are found
_BLOCK_BYTES = 1 << 26  # of the activations that are held at once
_LEAST_SHARE = 1e-6  # of the mean variance that every direction has: float32 activations have no finer steps


@dataclass(frozen=True, eq=False)
class HiddenDistance:
    """Class means along A axes of one layer's output, of which D numbers are read.

    Attributes:
        layer: whose output is read, of more than 2,048 numbers as many evenly; "input" is the normalised image.
        centre: (D,) float32, the mean of all training images.
        axes: (D, A) float32; along each, the spread about the class means has variance 1, and no two go together.
        variances: (A,) float32, along each axis of all training images, at least 1.
        means: (M, A) float32, of the M classes that have training images, from the centre.

    Raises:
        ValueError: if the shapes do not fit together, a number is not finite, or a variance not above zero.
    """

    layer: str
    centre: NDArray[np.float32] = field(repr=False)
    axes: NDArray[np.float32] = field(repr=False)
    variances: NDArray[np.float32] = field(repr=False)
    means: NDArray[np.float32] = field(repr=False)

    def __post_init__(self) -> None:
        if not isinstance(self.layer, str):
            raise ValueError(f"layer is {self.layer!r:.60}; it must be a name")
        size, count = self.axes.shape
        shapes = {"centre": (size,), "variances": (count,), "means": (len(self.means), count)}
        for name, shape in shapes.items():
            if getattr(self, name).shape != shape:
                raise ValueError(
                    f"{name} has shape {getattr(self, name).shape}; with axes {self.axes.shape} it must be {shape}"
                )
        for name in _ARRAYS:
            if not np.isfinite(getattr(self, name)).all():
                raise ValueError(f"{name} holds a value that is not finite")
        if not len(self.means) or not (self.variances > 0).all():
            raise ValueError("there must be at least one class mean, and variances above zero")

    def scores(self, model: Model, images: NDArray[np.uint8]) -> NDArray[np.float64]:
        """Return (N,), the squared distance to all training images less that to the nearest class: higher for nearer.

        Raises:
            ValueError: if the images are not of the size the model reads, or the layer is not one of the model's.
        """
        size = _layer_size(model.architecture, self.layer)
        read = None if size is None else min(size, _MOST_READ)
        if size is None or read != len(self.centre):
            found = "is missing" if size is None else f"gives {read} numbers"
            raise ValueError(f"layer {self.layer!r} {found}; the distance was fitted to one of {len(self.centre)}")
        axes, means = self.axes.astype(np.float64), self.means.astype(np.float64)
        result = np.empty(len(images))
        step = max(1, _BLOCK_BYTES // (8 * (size + len(means))))
        for start in range(0, len(images), step):
            block = slice(start, start + step)
            along = (hidden_features(model, images[block], self.layer) - self.centre.astype(np.float64)) @ axes
            # |a - b|² = |a|² - 2 a·b + |b|², which needs no array of N × M × A.
            squares = (along**2).sum(axis=1)[:, None] - 2 * along @ means.T + (means**2).sum(axis=1)
            result[block] = (along**2 / self.variances).sum(axis=1) - squares.min(axis=1)
        return result

    def to_dict(self) -> dict[str, Any]:
        """Return all of it as plain JSON, the arrays packed."""
        return {"layer": self.layer, **{name: pack(getattr(self, name)) for name in _ARRAYS}}

    @classmethod
    def from_dict(cls, value: Any) -> "HiddenDistance":
        """Return what `to_dict` gave.

        Raises:
            RunError, ValueError: if it is no such object; the message names the field.
        """
        if isinstance(value, Mapping):
            value = {name: _checked(name, one) if name in _ARRAYS else one for name, one in value.items()}
        return from_plain(cls, value, "distance", RunError)


def distance_layer(architecture: Architecture) -> str:
    """Return the layer that the last layer with weights reads, or "input" where that is the image itself."""
    rows = architecture.table
    last = next((place for place in reversed(range(len(rows))) if rows[place].parameters), 0)
    return rows[last - 1].layer.name if last else INPUT


def hidden_features(model: Model, images: NDArray[np.uint8], layer: str) -> NDArray[np.float32]:
    """Return (N, D) float32, the output of `layer` for each image; of more than 2,048 numbers as many, evenly."""
    if layer == INPUT:
        given = model.architecture.input
        check_images(images, given.shape)
        outputs = (images * given.scale + given.offset).astype(np.float32)
    else:
        outputs = model.activations(images, [layer])[layer]
    rows = outputs.reshape(len(images), -1)
    size = rows.shape[1]
    if size <= _MOST_READ:
        return rows
    return rows[:, np.linspace(0, size - 1, _MOST_READ).round().astype(np.int64)]


def fit_distance(model: Model, dataset: Dataset) -> HiddenDistance:
    """Return the distance to the classes of `dataset`, training images of `model`; 10,000 of them at most are taken.

    The spread about the class means is shrunk towards a sphere by the "oracle approximating" share (Chen, Wiesel, Eldar
    and Hero 2010, equation 23), so that few images, and units that never answer, give finite distances. Of a layer of
    many numbers, only the 256 directions of largest variance are looked at.

    Raises:
        ValueError: if the images are not of the size the model reads.
    """
    from scipy.linalg import eigh

    layer = distance_layer(model.architecture)
    whole = _layer_size(model.architecture, layer)
    assert whole is not None, layer
    size = min(whole, _MOST_READ)
    count = min(len(dataset), _MOST_IMAGES, 2 * _BLOCK_BYTES // (8 * size))
    chosen = dataset.take(np.linspace(0, len(dataset) - 1, count).round().astype(np.int64))
    features = np.empty((count, size))
    step = max(1, _BLOCK_BYTES // (4 * whole))
    for start in range(0, count, step):
        features[start : start + step] = hidden_features(model, chosen.images[start : start + step], layer)
    labels, places = np.unique(chosen.labels, return_inverse=True)
    centre = features.mean(axis=0)
    features -= centre
    basis = _main_directions(features) if size > _MOST_SIZE else np.eye(size)
    along = features @ basis
    counts = np.bincount(places)
    by_class = along[np.argsort(places, kind="stable")]
    means = np.add.reduceat(by_class, np.cumsum([0, *counts[:-1]])) / counts[:, None]
    spread = along - means[places]
    within = _shrunk(spread.T @ spread / count, count)
    between = (means.T * (counts / count)) @ means
    rank = basis.shape[1]
    num_axes = max(1, min(len(labels) - 1, rank, (MOST_NUMBERS - size) // (size + len(labels) + 1)))
    variances, axes = eigh(between, within, subset_by_index=[rank - num_axes, rank - 1])  # the largest
    return HiddenDistance(
        layer,
        centre.astype(np.float32),
        (basis @ axes).astype(np.float32),
        (1 + np.maximum(variances, 0)).astype(np.float32),
        (means @ axes).astype(np.float32),
    )


def _main_directions(centred: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return (D, 256) at most, the orthonormal directions in which 600 of the rows of (N, D) vary most."""
    some = centred[np.linspace(0, len(centred) - 1, min(len(centred), _MOST_FOR_DIRECTIONS)).round().astype(np.int64)]
    # The eigenvectors of the smaller matrix, N × N, lead to those of D × D.
    vectors = np.linalg.eigh(some @ some.T)[1][:, -min(_MOST_SIZE, max(1, len(some) - 1)) :]
    return np.asarray(np.linalg.qr(some.T @ vectors)[0])


def _shrunk(covariance: NDArray[np.float64], count: int) -> NDArray[np.float64]:
    """Return a covariance (D, D) of `count` vectors, shrunk towards its mean variance."""
    size = len(covariance)
    mean = np.trace(covariance) / size or 1.0  # 1 where each class is one point
    square = (covariance**2).mean()
    spread = (count + 1) * (square - mean**2 / size)
    share = 1.0 if spread <= 0 else float(np.clip((square + mean**2) / spread, _LEAST_SHARE, 1.0))
    return np.asarray((1 - share) * covariance + share * mean * np.eye(size))


def _layer_size(architecture: Architecture, layer: str) -> int | None:
    """Return of how many numbers the output of `layer` is, or None where there is no such layer."""
    if layer == INPUT:
        return prod(architecture.input.shape)
    sizes: dict[str, Any] = {row.layer.name: prod(row.output_shape) for row in architecture.table}
    return sizes.get(layer)


def _checked(name: str, block: Any) -> NDArray[np.float32]:
    """Return a packed array, of which nothing is unpacked before its size is known to be right."""
    try:
        if (
            block["dtype"] != "float32"
            or len(block["shape"]) != _ARRAYS[name]
            or set(block) != {"dtype", "shape", "data"}
        ):
            raise ValueError("it is not a packed float32 array of its dimensions")
        if not all(type(length) is int and 1 <= length <= MOST_NUMBERS for length in block["shape"]):
            raise ValueError("a length is out of range")
        if prod(block["shape"]) > MOST_NUMBERS:
            raise ValueError("it is larger than any valid array")
        return np.asarray(unpack(block), np.float32)
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"distance: {name} cannot be read ({error})") from error
