"""Project the last hidden layer to a plane, with a point for each image.

The input of the last dense layer has many dimensions, of which a picture keeps two. So the separation of the classes is
also measured in all dimensions: if 9 of an image's 10 nearest images are of its class in the layer, and 6 in the
picture, the picture mixes classes that the network separates.
"""

from typing import Annotated, Any

import numpy as np
from msgspec import UNSET, Meta, UnsetType
from numpy.typing import NDArray

from convscope.architecture import Activation, Architecture, Dense
from convscope.base.arguments import checked
from convscope.base.packing import Packed
from convscope.base.records import Count, Fraction, Positive, to_tuple
from convscope.base.tables import Tabular, clip
from convscope.data.datasets import DatasetLike, evenly
from convscope.evidence.records import ClassesRecord, Label, check_labels, check_lengths, check_packed, describe_images
from convscope.training.model import Model, dataset_for

MIN_EMBEDDED_IMAGES = 4  # below, there are hardly neighbours
_NEIGHBOURS = 10  # nearest images whose labels are compared, if there are enough images
_ROWS_AT_ONCE = 128  # points whose distances to all points are in memory together


def neighbours(points: NDArray[np.float64], count: int) -> NDArray[np.int32]:
    """Find for each of `points` (N, D) the indices of its `count` nearest others, (N, count), the nearest first.

    Of equally near points the one with the smaller index comes first.
    """
    lengths, nearest = (points**2).sum(axis=1), []
    for rows in np.array_split(np.arange(len(points)), -(-len(points) // _ROWS_AT_ONCE)):
        # |a - b|² = |a|² + |b|² - 2 a · b, which is a matrix product, rounded. A point is no neighbour of itself.
        distances = lengths[rows, None] + lengths - 2 * (points[rows] @ points.T)
        distances[range(len(rows)), rows] = np.inf
        farthest = np.partition(distances, count - 1, axis=1)[:, count - 1 : count]
        near, others = np.nonzero(distances <= farthest + 1e-12 * lengths.max())  # so many, and those about as near
        order = np.lexsort((others, ((points[rows][near] - points[others]) ** 2).sum(axis=1), near))
        firsts = np.searchsorted(near, np.arange(len(distances)))
        nearest.append(others[order][firsts[:, None] + np.arange(count)].astype(np.int32))
    return np.concatenate(nearest)


def agreements(nearest: NDArray[np.int32], labels: NDArray[np.integer[Any]]) -> NDArray[np.float64]:
    """Compute (N,), the share of each image's `nearest` (N, k) images that have its label.

    >>> agreements(np.array([[1, 2], [0, 2], [0, 1]]), np.array([7, 7, 3]))
    array([0.5, 0.5, 0. ])
    """
    return np.asarray((labels[nearest] == labels[:, None]).mean(axis=1))


class Embedding(Tabular, ClassesRecord, kw_only=True):
    """The first two principal components of a network's last hidden layer, with a point for each image.

    It does not show that the network separates classes by the directions that separate them in the picture.

    Attributes:
        layer: the layer whose output is projected, the input of the last dense layer.
        num_dimensions: the number of dimensions of that output.
        indices: those of the n images in the data set, with their `labels` and the `predicted` labels.
        points: (n, 2) float32, the largest component first.
        explained_variance: the fraction of the variance in each of the first ten directions at most.
        directions: (num_dimensions, 2) float32. An image's point is its output times these, minus `offset`, so further
            images can be added to the picture.
        offset: the point of the mean output.
        num_neighbours: k, for the following figures.
        agreement: the mean share of an image's k nearest neighbours in the hidden layer that are of its class.
        agreement_in_picture: the same among the points.
        trustworthiness: a measure of earlier versions; it is not shown.
        agreement_by_class, agreement_in_picture_by_class: the means over each class's images; None without images.
        chance_agreement: the expected share for random neighbours.
    """

    _header = ("Class", "Images", "Neighbours of the same class", "In the plot")

    layer: str
    num_dimensions: Count
    indices: Annotated[tuple[Count, ...], Meta(min_length=1)]
    labels: tuple[Label, ...]
    predicted: tuple[Label, ...]
    points: Packed
    explained_variance: tuple[Fraction, ...]
    directions: Packed
    offset: tuple[float, ...]
    num_neighbours: Positive
    agreement: Fraction
    agreement_in_picture: Fraction
    trustworthiness: float | UnsetType = UNSET
    agreement_by_class: tuple[Fraction | None, ...]
    agreement_in_picture_by_class: tuple[Fraction | None, ...]
    chance_agreement: Fraction

    def __post_init__(self) -> None:
        check_lengths(indices=self.indices, labels=self.labels, predicted=self.predicted)
        check_labels(self.class_names, (*self.labels, *self.predicted), "labels")
        by_class = self.agreement_by_class
        check_lengths(names=self.class_names, by_class=by_class, in_picture=self.agreement_in_picture_by_class)
        if all(share is None for share in by_class):
            raise ValueError("agreement_by_class is of no class")
        check_packed("points", self.points, "float32", len(self.indices), 2)
        check_packed("directions", self.directions, "float32", self.num_dimensions, 2)

    def _headline(self) -> str:
        return (
            f"{len(self.indices):,} {self.split} images of {self.dataset_name}: {self.num_dimensions} numbers of "
            f"{self.layer} in 2, {sum(self.explained_variance[:2]):.3f} of the variance"
        )

    def _rows(self) -> list[tuple[str, ...]]:
        counts = np.bincount(self.labels, minlength=len(self.class_names))
        by_class = zip(
            self.class_names, counts, self.agreement_by_class, self.agreement_in_picture_by_class, strict=True
        )
        rows = [
            (clip(name, 24), f"{n:,}", _format_share(share), _format_share(picture_share))
            for name, n, share, picture_share in by_class
        ]
        total = ("all", f"{counts.sum():,}", _format_share(self.agreement), _format_share(self.agreement_in_picture))
        return [*rows, total]


@checked
def embed(model: Model, dataset: DatasetLike, *, max_images: int = 2000) -> Embedding:
    """Project the inputs of the last dense layer of `model` for the images of `dataset` to points in a plane.

    Args:
        max_images: limit; other images are left out evenly. Time and memory grow with its square.

    Raises:
        ValueError: if there are fewer than 4 images, or the images or classes are not those of the model.

    Source: principal components: Pearson 1901.
    """
    dataset = dataset_for(model, dataset)
    num_images = min(len(dataset), max_images)
    if num_images < MIN_EMBEDDED_IMAGES:
        raise ValueError(f"{num_images} images are too few to embed; take at least {MIN_EMBEDDED_IMAGES}")
    model.check_classes(dataset)
    indices = evenly(len(dataset), num_images)
    images, labels = dataset.images[indices], dataset.labels[indices].astype(np.int64)
    layer = find_embedded_layer(model.architecture)
    hidden = model.activations(images, [layer])[layer].reshape(num_images, -1).astype(np.float64)
    points, ratios, directions = principal_components(hidden, 2)
    # Of few images, at most half of the others: with all of them, the agreement would be the class's share.
    k = max(1, min(_NEIGHBOURS, (num_images - 1) // 2))
    shares, picture_shares = (agreements(neighbours(values, k), labels) for values in (hidden, points))
    counts = np.bincount(labels, minlength=dataset.num_classes)
    return Embedding(
        **describe_images(dataset, num_images),
        layer=layer,
        num_dimensions=hidden.shape[1],
        indices=to_tuple(indices),
        labels=to_tuple(labels),
        predicted=to_tuple(model.predict(images)),
        points=Packed.from_array(points.astype(np.float32)),
        explained_variance=tuple(ratios[:10].tolist()),
        directions=Packed.from_array(directions.astype(np.float32)),
        offset=tuple((hidden.mean(axis=0) @ directions).tolist()),
        num_neighbours=k,
        agreement=float(shares.mean()),
        agreement_in_picture=float(picture_shares.mean()),
        agreement_by_class=_average_by_class(shares, labels, counts),
        agreement_in_picture_by_class=_average_by_class(picture_shares, labels, counts),
        # The chance that two different images have the same label: Σ n (n - 1) / (N (N - 1)).
        chance_agreement=float((counts * (counts - 1)).sum() / (num_images * (num_images - 1))),
    )


def find_embedded_layer(architecture: Architecture) -> str:
    """Find the layer whose output the last dense layer reads; without a dense layer, the one before the last layer
    that is no activation.

    >>> from convscope.architecture import presets
    >>> find_embedded_layer(presets.cnn())
    'dense'
    """
    dense = [index for index, layer in enumerate(architecture.layers) if isinstance(layer, Dense)]
    # An activation as a layer of its own belongs to the layer before it.
    computing = [index for index, layer in enumerate(architecture.layers) if not isinstance(layer, Activation)]
    index = (dense or computing or [0])[-1]
    return architecture.layers[max(index - 1, 0)].name


def principal_components(
    values: NDArray[np.float64], count: int
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Compute the first `count` principal components of `values` (N, D).

    Returns:
        points: (N, count), the centred values times the directions.
        fractions: (min(N, D),), the part of the variance in each direction, all zero if nothing varies.
        directions: (D, count), of length 1, the one with the largest variance first; zeros if there are fewer.
    """
    centred = values - values.mean(axis=0)
    # The directions are eigenvectors of the covariance X'X (D, D), up to a factor. With fewer images than dimensions,
    # the Gram matrix XX' (N, N) is smaller and has the same eigenvalues; if v is its eigenvector, X'v is one of X'X:
    # X'X (X'v) = X'(XX'v) = λ X'v.
    is_tall = len(centred) >= centred.shape[1]
    variances, vectors = np.linalg.eigh(centred.T @ centred if is_tall else centred @ centred.T)
    # `eigh` sorts them from small to large, and rounding may leave a variance below 0.
    variances, vectors = np.maximum(variances[::-1], 0), vectors[:, ::-1]
    kept = vectors[:, :count]
    directions = kept if is_tall else centred.T @ kept
    lengths = np.linalg.norm(directions, axis=0)
    directions = directions / np.where(lengths > 0, lengths, 1)
    # The sign of an eigenvector is arbitrary: its largest coefficient is made positive.
    largest = np.abs(directions).argmax(axis=0)
    directions = directions * np.where(directions[largest, np.arange(directions.shape[1])] < 0, -1, 1)
    # If `values` have a single dimension or image, there is no second direction, and it is zero.
    directions = np.pad(directions, ((0, 0), (0, count - directions.shape[1])))
    total = variances.sum()
    return centred @ directions, variances / total if total > 0 else np.zeros_like(variances), directions


def _average_by_class(
    shares: NDArray[np.float64], labels: NDArray[np.int64], counts: NDArray[np.int64]
) -> tuple[float | None, ...]:
    sums = np.bincount(labels, shares, minlength=len(counts))
    return tuple(float(total / n) if n else None for total, n in zip(sums, counts, strict=True))


def _format_share(share: float | None) -> str:
    return "" if share is None else f"{share:.3f}"
