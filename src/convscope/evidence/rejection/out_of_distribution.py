"""The sets of out-of-distribution images that a rejection is measured on: images that are of none of a data set's
classes.

None of them is seen before, neither in training nor where thresholds are fitted: they are made of test images, letters,
a photo and noise.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from convscope.base.errors import DatasetError
from convscope.base.streams import random_stream
from convscope.data.datasets import Dataset, Splits, evenly, load_dataset
from convscope.data.datasets.readers.idx import read_idx
from convscope.data.handwriting import handwriting_of
from convscope.evidence.rejection.letters import (
    LOOK_ALIKES,
    draw_letters,
    letter_fonts,
    letters_beside,
    matplotlib_data,
)

Images = NDArray[np.uint8]

FASHION_MNIST = Path("/usr/share/datasets/fashion-mnist/t10k-images-idx3-ubyte.gz")
"""Where Debian's package dataset-fashion-mnist puts its test images."""

_LETTERS_EACH = 6  # drawings of a letter in each font
_MAX_CROPS = 500
_CROP_SIDES = 1 / 16, 1 / 2  # of the photo's shorter side
_CELLS = 4  # along each side of the photo: crops with centres in the same cell are no independent images
_NUM_COMPARED = 200  # images by which a data set is recognised as another


@dataclass(frozen=True, eq=False)
class OutOfDistributionSet:
    """Images of none of the classes.

    Attributes:
        name: a short one, such as "letters".
        about: what they are, in a sentence without its stop.
        images: (N, H, W, C) uint8, of the data set's size.
        clusters: (N,), the same number for images that are alike, such as drawings of one letter; None where all are
            independent.
        clustered_by: what a cluster is, in the plural, such as "letters".
    """

    name: str
    about: str
    images: Images = field(repr=False)
    clusters: NDArray[np.int64] | None = field(default=None, repr=False)
    clustered_by: str = ""


def out_of_distribution_sets(
    dataset: Dataset,
    other: Dataset | Splits | str | os.PathLike[str] | None = None,
    *,
    most: int = 2000,
    seed: int = 0,
) -> tuple[tuple[OutOfDistributionSet, ...], dict[str, str]]:
    """Return the sets for the test images `dataset`, each of at most `most` images, and why a set is left out, by name.

    The images of another data set, letters, crops of a photo, pairs of test images laid over each other, test
    images inverted, turned by a quarter and with their pixels in another order, two kinds of noise, and blank images.
    Images of another size or other colours are made alike (see `fit_images`).

    Args:
        other: the other data set, or its name or path; by default Fashion-MNIST where Debian's package is installed,
            and MNIST for a model of Fashion-MNIST itself. Of two splits it is the test images.

    Raises:
        DatasetError: if `other` cannot be read.
        ValueError: if `most` is below 1, or `other` is the data set itself.
    """
    if most < 1:
        raise ValueError(f"most is {most}; it must be at least 1")
    sets, left_out = list[OutOfDistributionSet](), dict[str, str]()
    chosen = _other_data(dataset, other)
    if isinstance(chosen, str):
        left_out["other data set"] = chosen
    else:
        name, images = chosen
        sets.append(
            OutOfDistributionSet(
                name, f"test images of {name}", fit_images(images[evenly(len(images), most)], dataset.image_shape)
            )
        )
    makers: dict[str, Callable[[], OutOfDistributionSet | str]] = {
        "letters": lambda: _letters(dataset, most, seed),
        "photo crops": lambda: _photo_crops(dataset, most, seed),
        "overlaid": lambda: _overlaid(dataset, most, seed),
    }
    for name, make in makers.items():
        made = make()
        if isinstance(made, str):
            left_out[name] = made
        else:
            sets.append(made)
    return (*sets, *_changed(dataset, most, seed), *_noises(dataset, most, seed)), left_out


def fit_images(images: Images, image_shape: tuple[int, int, int]) -> Images:
    """Return images (N, h, w, c) as (N, *image_shape): resized bilinearly, grey by BT.601, or every channel alike."""
    from PIL import Image

    height, width, channels = image_shape
    if images.shape[1:] == image_shape:
        return images
    result = np.empty((len(images), *image_shape), np.uint8)
    for made, image in zip(result, images, strict=True):
        picture = Image.fromarray(image if image.shape[2] == 3 else image[..., 0])
        picture = picture.convert("RGB" if channels == 3 else "L")
        resized = np.asarray(picture.resize((width, height), Image.Resampling.BILINEAR))
        made[:] = resized.reshape(height, width, -1)
    return result


def _other_data(dataset: Dataset, other: Dataset | Splits | str | os.PathLike[str] | None) -> tuple[str, Images] | str:
    """Return the name and the test images of another data set, or why there are none."""
    if other is not None:
        if not isinstance(other, Dataset):
            other = (other if isinstance(other, Splits) else load_dataset(other)).test
        if _is_among(dataset, other.images):
            raise ValueError(f"other is {other.name}, which has the images of {dataset.name}; give another data set")
        return other.name, other.images
    try:
        fashion = read_idx(FASHION_MNIST)[..., np.newaxis]
    except DatasetError as error:
        return f"{error}; install Debian's package dataset-fashion-mnist, or give another data set"
    if "fashion" in dataset.name.lower() or _is_among(dataset, fashion):
        return "MNIST", load_dataset("mnist").test.images
    return "Fashion-MNIST", fashion


def _is_among(dataset: Dataset, images: Images) -> bool:
    """Return whether most of the data set's images are among `images`, pixel for pixel."""
    if dataset.image_shape != images.shape[1:]:
        return False
    some = {image.tobytes() for image in dataset.images[evenly(len(dataset.images), _NUM_COMPARED)]}
    return 2 * len(some & {image.tobytes() for image in images}) > len(some)


def _letters(dataset: Dataset, max_images: int, seed: int) -> OutOfDistributionSet | str:
    """Return letters that are no class of the data set, or why there are none."""
    letters, fonts = letters_beside(dataset.class_names), letter_fonts()
    if not letters:
        return "the classes are letters themselves"
    count, handwriting = min(max_images, _LETTERS_EACH * len(letters) * len(fonts)), handwriting_of(dataset.images)
    try:
        images, drawn = draw_letters(dataset.image_shape, handwriting, count, fonts, seed, letters)
    except OSError as error:
        return f"a font cannot be read: {error}"
    about = f"the letters {letters} drawn in {len(fonts)} fonts, without {LOOK_ALIKES}, which look like digits"
    # Both cases of a letter are one group: C and c, drawn in one size, are the same shape.
    cases = np.array([ord(letter.lower()) for letter in drawn], np.int64)
    return OutOfDistributionSet("letters", about, images, cases, "characters")


def _photo_crops(dataset: Dataset, max_images: int, seed: int) -> OutOfDistributionSet | str:
    """Return squares of different sizes cut out of matplotlib's example photo, or why there are none."""
    from PIL import Image

    path = matplotlib_data() / "sample_data/grace_hopper.jpg"
    if not path.is_file():
        return "matplotlib's example photo grace_hopper.jpg is not installed"
    with Image.open(path) as picture:
        photo = np.asarray(picture.convert("RGB"))
    stream = random_stream(seed, "strangers photo crops")
    crops, cells = list[Images](), list[int]()
    height, width = photo.shape[:2]
    for _ in range(min(max_images, _MAX_CROPS)):
        side = int(min(height, width) * stream.uniform(*_CROP_SIDES))
        top, left = int(stream.integers(0, height - side + 1)), int(stream.integers(0, width - side + 1))
        crops.append(fit_images(photo[None, top : top + side, left : left + side], dataset.image_shape)[0])
        row, column = (top + side // 2) * _CELLS // height, (left + side // 2) * _CELLS // width
        cells.append(row * _CELLS + column)
    about = "squares of different sizes cut out of matplotlib's example photo, a portrait"
    return OutOfDistributionSet("photo crops", about, np.stack(crops), np.array(cells, np.int64), "parts of the photo")


def _overlaid(dataset: Dataset, max_images: int, seed: int) -> OutOfDistributionSet | str:
    """Return the larger value of each pixel of two test images of different classes, or why there are none."""
    some = dataset.take(evenly(len(dataset), max_images))
    indices, others = _partners(some, random_stream(seed, "strangers overlaid"))
    if not len(indices):
        return "all images are of one class"
    about = "two test images of different classes laid over each other (maximum of each pixel)"
    return OutOfDistributionSet("overlaid", about, np.maximum(some.images[indices], some.images[others]))


def _changed(dataset: Dataset, max_images: int, seed: int) -> tuple[OutOfDistributionSet, ...]:
    """Return test images that were changed beyond what their classes look like."""
    sources = dataset.images[evenly(len(dataset), max_images)]
    stream = random_stream(seed, "strangers shuffled")
    pixels = sources.reshape(len(sources), -1, sources.shape[3])
    order = stream.permuted(np.broadcast_to(np.arange(pixels.shape[1]), pixels.shape[:2]), axis=1)
    shuffled = np.take_along_axis(pixels, order[..., None], axis=1).reshape(sources.shape)
    about_turned = "test images rotated by 90° counterclockwise, some of which still look like a class"
    return (
        OutOfDistributionSet("inverted", "test images with inverted brightness", 255 - sources),
        OutOfDistributionSet("turned", about_turned, quarter_turned(sources, 1)),
        OutOfDistributionSet("shuffled pixels", "test images with randomly permuted pixels", shuffled),
    )


def _noises(dataset: Dataset, max_images: int, seed: int) -> tuple[OutOfDistributionSet, ...]:
    shape, sources = dataset.image_shape, dataset.images[evenly(len(dataset), max_images)]
    uniform = random_stream(seed, "strangers uniform").integers(0, 256, (max_images, *shape), np.uint8)
    mean, deviation = sources.mean(axis=(0, 1, 2)), sources.std(axis=(0, 1, 2))
    normal = random_stream(seed, "strangers normal").normal(mean, deviation, (max_images, *shape))
    levels = np.linspace(0, 255, min(max_images, 256)).round().astype(np.uint8)
    blank = np.broadcast_to(levels[:, None, None, None], (len(levels), *shape)).copy()
    return (
        OutOfDistributionSet("uniform noise", "each pixel uniformly distributed over all values", uniform),
        OutOfDistributionSet(
            "Gaussian noise",
            "each pixel normal, with the mean and standard deviation of the test images",
            _round_to_bytes(normal),
        ),
        OutOfDistributionSet("blank", "uniform grey images, from black to white", blank),
    )


def _partners(dataset: Dataset, stream: np.random.Generator) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return places of images (M,) and of a random image of another class for each; of one class there are none."""
    labels = dataset.labels
    pairs = list[tuple[int, int]]()
    for index, label in enumerate(labels):
        others = np.flatnonzero(labels != label)
        if len(others):
            pairs.append((index, int(stream.choice(others))))
    indices = np.array(pairs, np.int64).reshape(-1, 2)
    return indices[:, 0], indices[:, 1]


def quarter_turned(images: Images, times: int) -> Images:
    """Return images (N, H, W, C) turned by `times` quarters counterclockwise, one that is not square resampled."""
    height, width = images.shape[1:3]
    if height != width and times % 2:  # as a square, by the nearest pixels, and back
        side = max(height, width)
        rows, columns = (np.arange(side) * length // side for length in (height, width))
        square = np.rot90(images[:, rows][:, :, columns], times, (1, 2))
        back = (np.arange(height) * side // height, np.arange(width) * side // width)
        return np.ascontiguousarray(square[:, back[0]][:, :, back[1]])
    return np.ascontiguousarray(np.rot90(images, times, (1, 2)))


def _round_to_bytes(values: NDArray[np.float64]) -> Images:
    return np.asarray(values.clip(0, 255) + 0.5).astype(np.uint8)
