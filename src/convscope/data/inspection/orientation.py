"""Whether images lie on their side: in which of eight orientations they look most like what their labels say.

Rows and columns that were swapped, as in EMNIST's files, do not show in any count. They show where it is known what the
classes look like: from MNIST's digits, from letters of fonts, and for the test images from the training images.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convscope.base.metrics import mcnemar_exact, wilson_interval
from convscope.base.records import Count, Fraction, FractionInterval, Record
from convscope.data.datasets import Dataset, Splits, evenly
from convscope.data.handwriting import STEPS, prepare
from convscope.data.inspection.pictures import shrink
from convscope.data.inspection.references import FORM, SIDE, Reference, references_for
from convscope.data.inspection.scan import ClassImages

NUM_IMAGES = 400
"""Of each split that are looked at, sampled evenly."""

AS_THEY_ARE, UNKNOWN = "as they are", "unclear"

TRAINING_IMAGES = "the training images"
"""The reference of test images that are compared with the mean training images."""

# What is done to images (N, H, W, ...) before they are read; the name says how they then lie.
ORIENTATIONS: Mapping[str, Callable[[NDArray[Any]], NDArray[Any]]] = MappingProxyType(
    {
        AS_THEY_ARE: lambda images: images,
        "transposed": lambda images: images.swapaxes(1, 2),
        "mirrored": lambda images: images[:, :, ::-1],
        "upside down": lambda images: images[:, ::-1],
        "rotated by 90°": lambda images: np.rot90(images, 1, (1, 2)),
        "rotated by 180°": lambda images: np.rot90(images, 2, (1, 2)),
        "rotated by 270°": lambda images: np.rot90(images, 3, (1, 2)),
        "transposed and rotated by 180°": lambda images: np.rot90(images, 2, (1, 2)).swapaxes(1, 2),
    }
)
"""Counter-clockwise; each as it changes images (N, H, W, ...)."""

_TIMES_CHANCE = 3  # below it the images show something else than the reference
_LEVEL = 0.001  # of McNemar's test against each other orientation, seven of them
_STEPS = ("polarity", "crop", "scale", "centre")  # what brings an image into MNIST's form, as far as it is an ink


class Reading(Record):
    """How many images are nearest to the reference of their own class, in one orientation.

    Attributes:
        interval: (low, high), 95 % Wilson.
    """

    orientation: str
    num_right: Count
    accuracy: Fraction
    interval: FractionInterval


class Orientation(Record):
    """In which orientation the images of a split look most like a reference.

    Attributes:
        split: whose images were read.
        reference: what they were compared with.
        num_images, num_classes: that were read; only images of classes that the reference knows.
        readings: of each orientation, as they are first.
        verdict: the orientation in which they read clearly better than in any other, or "unclear".
    """

    split: str
    reference: str
    num_images: Count
    num_classes: Count
    readings: tuple[Reading, ...]
    verdict: str

    @property
    def as_they_are(self) -> Reading:
        return self.readings[0]

    @property
    def best(self) -> Reading:
        return max(self.readings, key=lambda reading: reading.num_right)


def find_orientations(splits: Splits, class_images: ClassImages) -> tuple[Orientation, ...]:
    """Return how the images lie, as far as it can be told: by what is known of the classes, and test against train.

    An image is read as the class whose reference correlates most with it. For what is known of the classes it is first
    brought into MNIST's form (polarity, box, scale, centre). The verdict is an orientation only if more images are read
    in it than in each other one (McNemar's exact test, p < 0.001) and its Wilson interval lies above three times
    chance, or half way from chance to 1 where that is less. Where the names may mean two things, the one that reads
    more counts.
    """
    found = list[Orientation]()
    for half in (splits.train, splits.test):
        against = [_against_reference(half, reference) for reference in references_for(splits.class_names)]
        if known := [one for one in against if one is not None]:
            found.append(max(known, key=lambda one: (one.verdict != UNKNOWN, one.best.accuracy)))
    between = _against_training(splits, class_images)
    return (*found, between) if between is not None else tuple(found)


def _against_reference(dataset: Dataset, reference: Reference) -> Orientation | None:
    places = np.flatnonzero(np.isin(dataset.labels, reference.labels))
    places = places[evenly(len(places), NUM_IMAGES)] if len(places) else places
    if not len(places):
        return None
    steps = [step for step in STEPS if step in _STEPS]
    images = np.stack(
        [prepare(_colours(np.asarray(dataset.images[place])), SIDE, SIDE, 1, FORM, steps).image for place in places]
    )
    wanted = np.searchsorted(np.sort(reference.labels), dataset.labels[places])
    templates = reference.templates[np.argsort(reference.labels)]
    return _read(dataset.split, reference.name, images[..., 0], wanted, templates)


def _against_training(splits: Splits, class_images: ClassImages) -> Orientation | None:
    """Return how the test images lie against the mean training images, if these tell two classes apart at all."""
    known = np.flatnonzero(splits.train.class_counts)
    means = np.rint(class_images.means[known]).astype(np.uint8)
    places = np.flatnonzero(np.isin(splits.test.labels, known))
    if len(known) < 2 or not len(places):
        return None
    places = places[evenly(len(places), NUM_IMAGES)]
    images = np.stack([np.asarray(splits.test.images[place]) for place in places])
    images = shrink(list(images), splits.image_shape)
    if means.shape[1:] != images.shape[1:]:
        means = shrink(list(means), splits.image_shape)
    wanted = np.searchsorted(known, splits.test.labels[places])
    return _read("test", TRAINING_IMAGES, images, wanted, means)


def _read(
    split: str, reference: str, images: NDArray[Any], wanted: NDArray[np.int64], templates: NDArray[Any]
) -> Orientation:
    """Return how many of `images` (n, H, W, ...) are nearest to the template of their class `wanted` (n,)."""
    known = _unit(templates).T
    readings, right = list[Reading](), list[NDArray[np.bool_]]()
    for name, change in ORIENTATIONS.items():
        changed = change(images)
        if changed.shape != images.shape:
            continue  # of images that are not square
        right.append(np.argmax(_unit(changed) @ known, axis=1) == wanted)
        num_right = int(right[-1].sum())
        interval = wilson_interval(num_right, len(images))
        readings.append(Reading(name, num_right, num_right / len(images), interval))
    place = max(range(len(readings)), key=lambda number: readings[number].num_right)
    chance, best = 1 / len(templates), right[place]
    clear = readings[place].interval[0] > min(_TIMES_CHANCE * chance, (1 + chance) / 2) and all(
        mcnemar_exact(int((best & ~other).sum()), int((other & ~best).sum())) < _LEVEL
        for number, other in enumerate(right)
        if number != place
    )
    verdict = readings[place].orientation if clear else UNKNOWN
    return Orientation(split, reference, len(images), len(templates), tuple(readings), verdict)


def _unit(images: NDArray[Any]) -> NDArray[np.float32]:
    """Return images as rows (n, D) of mean 0 and length 1; a blank one as zeros."""
    rows = images.reshape(len(images), -1).astype(np.float32)
    rows -= rows.mean(axis=1, keepdims=True)
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    unit: NDArray[np.float32] = np.divide(rows, lengths, out=np.zeros_like(rows), where=lengths > 1e-3)
    return unit


def _colours(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return (H, W, 1) or (H, W, 3): without an alpha channel."""
    return image[..., : {1: 1, 2: 1, 3: 3, 4: 3}.get(image.shape[2], 1)]
