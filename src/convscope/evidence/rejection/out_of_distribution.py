"""Make sets of out-of-distribution images, on which a rejection is measured.

They are made of another data set, letters, test images and noise. None of them is used for training or for
fitting thresholds.
"""

import os
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from convscope.base.errors import DatasetError
from convscope.base.streams import random_stream
from convscope.data.datasets import Dataset, Splits, evenly, load_dataset
from convscope.data.datasets.readers.idx import read_idx
from convscope.data.handwriting import handwriting_of
from convscope.evidence.rejection.letters import LOOK_ALIKES, choose_letters, draw_letters, letter_fonts

Images = NDArray[np.uint8]

FASHION_MNIST = Path("/usr/share/datasets/fashion-mnist/t10k-images-idx3-ubyte.gz")
"""The test images of Debian's package dataset-fashion-mnist."""

_NUM_DRAWINGS = 6  # drawings of a letter in each font
_NUM_COMPARED = 200  # images by which two data sets are compared


@dataclass(frozen=True, eq=False)
class OutOfDistributionSet:
    """Images of none of the classes.

    Attributes:
        name: short, such as "letters".
        about: a description, a sentence without its full stop.
        images: (N, H, W, C) uint8, of the data set's size.
        clusters: (N,), the same number for images that are alike, such as drawings of a letter; None if all are
            independent.
        clustered_by: the word for a cluster, in the plural, such as "letters".
    """

    name: str
    about: str
    images: Images = field(repr=False)
    clusters: NDArray[np.int64] | None = field(default=None, repr=False)
    clustered_by: str = ""


def out_of_distribution_sets(
    dataset: Dataset,
    outside: Dataset | Splits | str | os.PathLike[str] | None = None,
    *,
    max_images: int = 2000,
    seed: int = 0,
) -> tuple[tuple[OutOfDistributionSet, ...], dict[str, str]]:
    """Make the sets for the test images `dataset`, each of at most `max_images`; also return reasons for missing sets.

    The sets are images of another data set, letters, pairs of overlaid test images, inverted test images, noise, and
    blank images. Images of another size or with other colours are converted (see `fit_images`).

    Args:
        outside: the other data set, or its name or path; by default Fashion-MNIST if Debian's package is installed,
            and MNIST for a model of Fashion-MNIST itself. Its test images are used.

    Raises:
        DatasetError: if `outside` cannot be read.
        ValueError: if `max_images` is below 1, or `outside` is the data set itself.
    """
    if max_images < 1:
        raise ValueError(f"max_images is {max_images}; it must be at least 1")
    # These may be impossible here, for want of a file, a font or a second class: then they are a reason.
    results = {
        "other data set": _take_other(dataset, outside, max_images),
        "letters": _draw_letters(dataset, max_images, seed),
        "overlaid": _overlay_images(dataset, max_images, seed),
    }
    sets = [result for result in results.values() if not isinstance(result, str)]
    left_out = {name: reason for name, reason in results.items() if isinstance(reason, str)}
    inverted = 255 - dataset.images[evenly(len(dataset), max_images)]
    # The names of streams keep an earlier word for these sets, since other names would draw other numbers.
    noise = random_stream(seed, "strangers uniform").integers(0, 256, (max_images, *dataset.image_shape), np.uint8)
    sets += [
        OutOfDistributionSet("inverted", "test images with inverted brightness", inverted),
        OutOfDistributionSet("uniform noise", "each pixel uniformly distributed over all values", noise),
        _make_blank(dataset.image_shape, max_images),
    ]
    return tuple(sets), left_out


def fit_images(images: Images, image_shape: tuple[int, int, int]) -> Images:
    """Convert images (N, h, w, c) to (N, *image_shape): resized bilinearly, grey by BT.601, or with equal channels."""
    from PIL import Image

    height, width, channels = image_shape
    if images.shape[1:] == image_shape:
        return images
    result = np.empty((len(images), *image_shape), np.uint8)
    for target, image in zip(result, images, strict=True):
        picture = Image.fromarray(image if image.shape[2] == 3 else image[..., 0])
        picture = picture.convert("RGB" if channels == 3 else "L")
        resized = np.asarray(picture.resize((width, height), Image.Resampling.BILINEAR))
        target[:] = resized.reshape(height, width, -1)
    return result


def _take_other(
    dataset: Dataset, outside: Dataset | Splits | str | os.PathLike[str] | None, max_images: int
) -> OutOfDistributionSet | str:
    """Take images of another data set, or return the reason why there are none."""
    other = _load_other(dataset, outside)
    if isinstance(other, str):
        return other
    name, images = other
    images = fit_images(images[evenly(len(images), max_images)], dataset.image_shape)
    return OutOfDistributionSet(name, f"test images of {name}", images)


def _load_other(
    dataset: Dataset, outside: Dataset | Splits | str | os.PathLike[str] | None
) -> tuple[str, Images] | str:
    """Load the name and the test images of another data set, or return the reason why there are none."""
    if outside is not None:
        if not isinstance(outside, Dataset):
            outside = (outside if isinstance(outside, Splits) else load_dataset(outside)).test
        if _is_among(dataset, outside.images):
            raise ValueError(
                f"outside is {outside.name}, which has the images of {dataset.name}; give another data set"
            )
        return outside.name, outside.images
    try:
        fashion = read_idx(FASHION_MNIST)[..., np.newaxis]
    except DatasetError as error:
        return f"{error}; install Debian's package dataset-fashion-mnist, or give another data set"
    if "fashion" in dataset.name.lower() or _is_among(dataset, fashion):
        return "MNIST", load_dataset("mnist").test.images
    return "Fashion-MNIST", fashion


def _is_among(dataset: Dataset, images: Images) -> bool:
    """True if most of the data set's images are among `images`, pixel for pixel."""
    if dataset.image_shape != images.shape[1:]:
        return False
    sample = {image.tobytes() for image in dataset.images[evenly(len(dataset.images), _NUM_COMPARED)]}
    return 2 * len(sample & {image.tobytes() for image in images}) > len(sample)


def _draw_letters(dataset: Dataset, max_images: int, seed: int) -> OutOfDistributionSet | str:
    """Draw letters that are no class of the data set, or return the reason why there are none."""
    letters, fonts = choose_letters(dataset.class_names), letter_fonts()
    if not letters:
        return "the classes are letters themselves"
    count, handwriting = min(max_images, _NUM_DRAWINGS * len(letters) * len(fonts)), handwriting_of(dataset.images)
    try:
        images, drawn = draw_letters(dataset.image_shape, handwriting, count, fonts, seed, letters)
    except OSError as error:
        return f"a font cannot be read: {error}"
    about = f"the letters {letters} drawn in {len(fonts)} fonts, without {LOOK_ALIKES}, which look like digits"
    # Both cases of a letter are one group: C and c, drawn in one size, are the same shape.
    cases = np.array([ord(letter.lower()) for letter in drawn], np.int64)
    return OutOfDistributionSet("letters", about, images, cases, "characters")


def _overlay_images(dataset: Dataset, max_images: int, seed: int) -> OutOfDistributionSet | str:
    """Overlay test images of different classes by their larger values, or return the reason why there are none."""
    sample = dataset.take(evenly(len(dataset), max_images))
    indices, others = _draw_partners(sample, random_stream(seed, "strangers overlaid"))
    if not len(indices):
        return "all images are of one class"
    about = "two test images of different classes laid over each other (maximum of each pixel)"
    return OutOfDistributionSet("overlaid", about, np.maximum(sample.images[indices], sample.images[others]))


def _make_blank(image_shape: tuple[int, int, int], max_images: int) -> OutOfDistributionSet:
    # Only 256 uniform grey images differ from each other.
    levels = np.linspace(0, 255, min(max_images, 256)).round().astype(np.uint8)
    images = np.broadcast_to(levels[:, None, None, None], (len(levels), *image_shape)).copy()
    return OutOfDistributionSet("blank", "uniform grey images, from black to white", images)


def _draw_partners(dataset: Dataset, stream: np.random.Generator) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Draw for each image a random image of another class: indices (M,) of both; none if all are of one class."""
    labels = dataset.labels
    pairs = list[tuple[int, int]]()
    for index, label in enumerate(labels):
        others = np.flatnonzero(labels != label)
        if len(others):
            pairs.append((index, int(stream.choice(others))))
    indices = np.array(pairs, np.int64).reshape(-1, 2)
    return indices[:, 0], indices[:, 1]
