"""Score images by their distance to the nearest class in the last hidden layer.

The score is the relative Mahalanobis distance (Ren and others 2021): the distance to all training images less that to
the nearest class, each in the standard deviations of its own covariance. The plain distance (Lee and others 2018) fails
here: an out-of-distribution image that hardly activates the layer is near everything.

Both covariances are diagonal in the axes of linear discriminant analysis, and equal except for the K - 1 axes along
which the class means differ. All other axes add the same to both distances, so only these few are kept.

An example with two classes and so one axis: the means are at -3 and 3, and each class has the variance 1 about its own.
All images together have the variance 1 + 3² = 10 about 0.

    image at    to all images     to the nearest class    score
        3        3² / 10 = 0.9         0² = 0               0.9   a usual image
        0        0² / 10 = 0           3² = 9              -9     between the classes
       10       10² / 10 = 10          7² = 49            -39     beyond them
"""

from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convscope.architecture import Architecture
from convscope.base.packing import Packed
from convscope.base.records import Record
from convscope.data.datasets import Dataset, evenly
from convscope.engine.network import check_images
from convscope.evidence.records import check_packed
from convscope.training.model import Model

INPUT = "input"
"""Name of the normalised image, if the network has no hidden layer."""

MAX_NUMBERS = 36_000
"""Limit for the float32 numbers of a fitted distance: 190 kB as packed JSON."""

_MAX_READ = 2048  # outputs of a layer, chosen evenly if there are more
_MAX_IMAGES = 10_000  # images of the fit: 1,000 of each class of MNIST
_MAX_SIZE = 256  # outputs; if there are more, as many directions of largest variance replace them
_MAX_FOR_DIRECTIONS = 600  # images from which these directions are computed
_BLOCK_BYTES = 1 << 26  # activations in memory at once
# The least share of the mean variance that is added to every direction: float32 activations have no finer steps.
_MIN_SHARE = 1e-6


class HiddenDistance(Record, kw_only=True):
    """Class means along A axes of one layer's output, of which D numbers are read. All arrays are float32.

    Attributes:
        layer: the layer whose output is read, at most 2,048 numbers, chosen evenly; "input" is the normalised image.
        centre: (D,), the mean of all training images.
        axes: (D, A); along each, the spread about the class means has variance 1, uncorrelated with the others.
        variances: (A,), along each axis of all training images, at least 1.
        means: (M, A), of the M classes that have training images, from the centre.

    Raises:
        ValueError: if the shapes do not fit together, a number is not finite, or a variance not above zero.
    """

    layer: str
    centre: Packed
    axes: Packed
    variances: Packed
    means: Packed

    def __post_init__(self) -> None:
        check_packed("axes", self.axes, "float32", None, None)
        size, count = self.axes.shape
        check_packed("centre", self.centre, "float32", size)
        check_packed("variances", self.variances, "float32", count)
        check_packed("means", self.means, "float32", None, count)
        for name in ("centre", "axes", "variances", "means"):
            if not np.isfinite(getattr(self, name).unpack()).all():
                raise ValueError(f"{name} holds a value that is not finite")
        if not (self.variances.unpack() > 0).all():
            raise ValueError("there must be variances above zero")

    def scores(self, model: Model, images: NDArray[np.uint8]) -> NDArray[np.float64]:
        """Compute (N,), the squared distance to all training images less that to the nearest class: higher is nearer.

        Raises:
            ValueError: if the images are not of the size the model reads, or the layer is not one of the model's.
        """
        size = _layer_size(model.architecture, self.layer)
        num_read = None if size is None else min(size, _MAX_READ)
        if size is None or num_read != self.centre.shape[0]:
            problem = "is missing" if size is None else f"gives {num_read} numbers"
            raise ValueError(
                f"layer {self.layer!r} {problem}; the distance was fitted to one of {self.centre.shape[0]}"
            )
        centre, axes, means = (array.unpack().astype(np.float64) for array in (self.centre, self.axes, self.means))
        variances = self.variances.unpack()
        result = np.empty(len(images))
        step = max(1, _BLOCK_BYTES // (8 * (size + len(means))))
        for start in range(0, len(images), step):
            block = slice(start, start + step)
            along = (hidden_features(model, images[block], self.layer) - centre) @ axes
            # |a - b|² = |a|² - 2 a·b + |b|², which needs no array of N × M × A.
            squares = (along**2).sum(axis=1)[:, None] - 2 * along @ means.T + (means**2).sum(axis=1)
            result[block] = (along**2 / variances).sum(axis=1) - squares.min(axis=1)
        return result


def distance_layer(architecture: Architecture) -> str:
    """Find the layer that the last layer with weights reads, or "input" if that is the image itself."""
    rows = architecture.table
    # The last layer that has weights gives the logits.
    last = next((index for index in reversed(range(len(rows))) if rows[index].parameters), 0)
    return rows[last - 1].layer.name if last else INPUT


def hidden_features(model: Model, images: NDArray[np.uint8], layer: str) -> NDArray[np.float32]:
    """Compute (N, D) float32, the output of `layer` for each image, at most 2,048 numbers, chosen evenly."""
    if layer == INPUT:
        image = model.architecture.input
        check_images(images, image.shape)
        outputs = (images * image.scale + image.offset).astype(np.float32)
    else:
        outputs = model.activations(images, [layer])[layer]
    rows = outputs.reshape(len(images), -1)
    size = rows.shape[1]
    return rows if size <= _MAX_READ else rows[:, evenly(size, _MAX_READ)]


def fit_distance(model: Model, dataset: Dataset) -> HiddenDistance:
    """Fit the distance to the classes of `dataset`, training images of `model`, of which at most 10,000 are used.

    The spread about the class means is shrunk towards a sphere by the "oracle approximating" share (Chen, Wiesel, Eldar
    and Hero 2010, equation 23), so that few images, and units that are never active, give finite distances. Of a layer
    with more than 256 numbers, only the 256 directions of largest variance are used.

    Raises:
        ValueError: if the images are not of the size the model reads.
    """
    from scipy.linalg import eigh

    layer = distance_layer(model.architecture)
    features, image_labels = _read_features(model, dataset, layer)
    count, size = features.shape
    # Each image is described by its coordinates `along` R directions (D, R).
    centre = features.mean(axis=0)
    features -= centre
    basis = _main_directions(features) if size > _MAX_SIZE else np.eye(size)
    along = features @ basis
    # The class means (K, R). Rows are sorted by class: reduceat sums from the first row of a class to that of the next.
    labels, inverse = np.unique(image_labels, return_inverse=True)
    counts = np.bincount(inverse)
    by_class = along[np.argsort(inverse, kind="stable")]
    means = np.add.reduceat(by_class, np.cumsum([0, *counts[:-1]])) / counts[:, None]
    # Two covariances (R, R): of the images about the means of their classes, and of the class means about the centre,
    # which is 0, each with the weight of its class.
    spread = along - means[inverse]
    within = _shrink_covariance(spread.T @ spread / count, count)
    between = (means.T * (counts / count)) @ means
    # The axes in which the class means lie farthest apart, measured by the spread within classes: generalised
    # eigenvectors, between · axis = variance · within · axis, scaled to axis' · within · axis = 1. K classes differ in
    # K - 1 axes at most; and a model file keeps at most MAX_NUMBERS: D of the centre, and D + M + 1 of each axis, its
    # direction, the M class means along it and its variance.
    rank = basis.shape[1]
    num_axes = max(1, min(len(labels) - 1, rank, (MAX_NUMBERS - size) // (size + len(labels) + 1)))
    variances, axes = eigh(between, within, subset_by_index=[rank - num_axes, rank - 1])  # the largest
    # Along an axis, all images vary by 1 within their classes, and by `variances` between them.
    arrays = {"centre": centre, "axes": basis @ axes, "variances": 1 + np.maximum(variances, 0), "means": means @ axes}
    packed = {name: Packed.from_array(array.astype(np.float32)) for name, array in arrays.items()}
    return HiddenDistance(layer=layer, **packed)


def _read_features(model: Model, dataset: Dataset, layer: str) -> tuple[NDArray[np.float64], NDArray[Any]]:
    """Compute the features (N, D) of N images, sampled evenly, and their labels (N,)."""
    num_outputs = _layer_size(model.architecture, layer)
    assert num_outputs is not None, layer
    size = min(num_outputs, _MAX_READ)
    # Fewer images of a wide layer, so that the features in float64 take at most 128 MB.
    chosen = dataset.take(evenly(len(dataset), min(_MAX_IMAGES, 2 * _BLOCK_BYTES // (8 * size))))
    features = np.empty((len(chosen), size))
    step = max(1, _BLOCK_BYTES // (4 * num_outputs))
    for start in range(0, len(chosen), step):
        features[start : start + step] = hidden_features(model, chosen.images[start : start + step], layer)
    return features, chosen.labels


def _main_directions(centred: NDArray[np.float64]) -> NDArray[np.float64]:
    """Compute at most (D, 256), the orthonormal directions in which 600 of the rows of (N, D) vary most."""
    sample = centred[evenly(len(centred), _MAX_FOR_DIRECTIONS)]
    # If v is an eigenvector of X X' (N, N), X' v is one of X' X (D, D), which is larger.
    vectors = np.linalg.eigh(sample @ sample.T)[1][:, -min(_MAX_SIZE, max(1, len(sample) - 1)) :]
    return np.asarray(np.linalg.qr(sample.T @ vectors)[0])


def _shrink_covariance(covariance: NDArray[np.float64], count: int) -> NDArray[np.float64]:
    """Shrink a covariance (D, D) of `count` vectors towards its mean variance."""
    size = len(covariance)
    mean = np.trace(covariance) / size or 1.0  # 1 if each class is a single point, so that variances are above 0
    # Equation 23 of Chen and others 2010: the share falls with the number of vectors, and rises as the covariance gets
    # rounder. For a sphere, `mean` times the identity, the mean square is mean² / size, so `spread` is 0.
    square = (covariance**2).mean()
    spread = (count + 1) * (square - mean**2 / size)
    share = 1.0 if spread <= 0 else float(np.clip((square + mean**2) / spread, _MIN_SHARE, 1.0))
    return np.asarray((1 - share) * covariance + share * mean * np.eye(size))


def _layer_size(architecture: Architecture, layer: str) -> int | None:
    """Count the outputs of `layer`; None if there is no such layer."""
    if layer == INPUT:
        return prod(architecture.input.shape)
    sizes: dict[str, Any] = {row.layer.name: prod(row.output_shape) for row in architecture.table}
    return sizes.get(layer)
