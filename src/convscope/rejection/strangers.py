"""The sets of strangers that a rejection is measured on: images that are of none of a data set's classes.

None of them is seen before, neither in training nor where a score and its threshold are chosen.
"""

import os
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from convscope.datasets import Dataset, Splits, load_dataset
from convscope.datasets.readers.idx import read_idx
from convscope.errors import DatasetError
from convscope.handwriting import handwriting_of
from convscope.rejection.letters import LETTERS, LOOK_ALIKES, draw_letters, find_fonts
from convscope.streams import random_stream

Images = NDArray[np.uint8]

FASHION_MNIST = Path("/usr/share/datasets/fashion-mnist/t10k-images-idx3-ubyte.gz")
"""Where Debian's package dataset-fashion-mnist puts its test images."""

_LETTERS_EACH = 3  # drawings of a letter in each font
_NUM_COMPARED = 200  # images by which a data set is recognised as another


@dataclass(frozen=True, eq=False)
class Strangers:
    """Images of none of the classes.

    Attributes:
        name: a short one, such as "letters".
        about: what they are, in a sentence without its stop.
        images: (N, H, W, C) uint8, of the data set's size.
    """

    name: str
    about: str
    images: Images = field(repr=False)


def stranger_sets(
    dataset: Dataset,
    other: Dataset | Splits | str | os.PathLike[str] | None = None,
    *,
    most: int = 2000,
    seed: int = 0,
) -> tuple[tuple[Strangers, ...], dict[str, str]]:
    """Return the sets for the test images `dataset`, each of at most `most` images, and why a set is left out, by name.

    The images of another data set, letters, pixels in another order, two kinds of noise, and blank images. Images of
    another size or other colours are made alike (see `fit_images`).

    Args:
        other: the other data set, or its name or path; by default Fashion-MNIST where Debian's package is installed,
            and MNIST for a model of Fashion-MNIST itself. Of two splits it is the test images.

    Raises:
        DatasetError: if `other` cannot be read.
        ValueError: if `most` is below 1, or `other` is the data set itself.
    """
    if most < 1:
        raise ValueError(f"most is {most}; it must be at least 1")
    found, left_out = list[Strangers](), dict[str, str]()
    chosen = _other_data(dataset, other)
    if isinstance(chosen, str):
        left_out["other data set"] = chosen
    else:
        name, images = chosen
        found.append(Strangers(name, f"test images of {name}", fit_images(_some(images, most), dataset.image_shape)))
    letters = _letters(dataset, most, seed)
    if isinstance(letters, str):
        left_out["letters"] = letters
    else:
        found.append(letters)
    return (*found, *_noises(dataset, most, seed)), left_out


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
            raise ValueError(f"other is {other.name}, whose images are those of {dataset.name}; give another data set")
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
    some = {image.tobytes() for image in _some(dataset.images, _NUM_COMPARED)}
    return 2 * len(some & {image.tobytes() for image in images}) > len(some)


def _letters(dataset: Dataset, most: int, seed: int) -> Strangers | str:
    """Return letters that are no class of the data set, or why there are none."""
    classes = {form for name in dataset.class_names for form in (name.lower(), name.upper())}
    left = [letter for letter in LETTERS if letter not in classes]
    fonts = find_fonts()
    if not left:
        return "the classes are letters themselves"
    if not fonts:
        return "no font is installed"
    count = min(most, _LETTERS_EACH * len(left) * len(fonts))
    handwriting = handwriting_of(dataset.images)
    try:
        images, _ = draw_letters(dataset.image_shape, handwriting, count, fonts, seed, classes)
    except OSError as error:
        return f"a font cannot be read: {error}"
    about = f"the letters {''.join(left)} drawn in {len(fonts)} fonts, without {LOOK_ALIKES}, which look like digits"
    return Strangers("letters", about, images)


def _noises(dataset: Dataset, most: int, seed: int) -> tuple[Strangers, ...]:
    shape = dataset.image_shape
    sources = _some(dataset.images, most)
    stream = random_stream(seed, "strangers shuffled")
    pixels = sources.reshape(len(sources), -1, shape[2])
    order = stream.permuted(np.broadcast_to(np.arange(pixels.shape[1]), pixels.shape[:2]), axis=1)
    shuffled = np.take_along_axis(pixels, order[..., None], axis=1).reshape(sources.shape)
    uniform = random_stream(seed, "strangers uniform").integers(0, 256, (most, *shape), np.uint8)
    mean, deviation = sources.mean(axis=(0, 1, 2)), sources.std(axis=(0, 1, 2))
    normal = random_stream(seed, "strangers normal").normal(mean, deviation, (most, *shape))
    levels = np.linspace(0, 255, min(most, 256)).round().astype(np.uint8)
    blank = np.broadcast_to(levels[:, None, None, None], (len(levels), *shape)).copy()
    return (
        Strangers("shuffled pixels", "test images, the pixels of each in an order of its own", shuffled),
        Strangers("uniform noise", "every pixel any value, with equal chance", uniform),
        Strangers("Gaussian noise", "pixels with the test images' mean and deviation", _rounded(normal)),
        Strangers("blank", "one even grey each, from black to white", blank),
    )


def _rounded(values: NDArray[np.float64]) -> Images:
    return np.asarray(values.clip(0, 255) + 0.5).astype(np.uint8)


def _some(images: Images, most: int) -> Images:
    """Return at most `most` of the images, evenly taken."""
    return images[np.linspace(0, len(images) - 1, min(len(images), most)).round().astype(np.int64)]
