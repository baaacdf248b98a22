"""Images made up from training images, by which scores are chosen: they belong to none of the classes.

They differ from the sets that the choice is measured on (`convscope.evidence.rejection.out_of_distribution`): in kind,
or in how they are made, and in the images and fonts they are made of. So choosing by them is not choosing by the
measurement. Some of them are readable after all: two halves can make a whole.
"""

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from convscope.base.streams import random_stream
from convscope.data.datasets import Dataset, evenly
from convscope.data.handwriting import handwriting_of
from convscope.evidence.rejection.letters import choosing_fonts, draw_letters, letters_beside

Images = NDArray[np.uint8]

_GRID = 4  # patches along each side
_STRETCH, _SMOOTHING = 0.25, 0.07  # of the longer side: the displacements' size, and the length over which they change


def make_up(dataset: Dataset, count: int, seed: int = 0) -> dict[str, Images]:
    """Return by kind at most `count` images (n, H, W, C) made of as many images of `dataset`, sampled evenly.

    The kinds: "patches", 4 × 4 patches in another order; "halves", of two images of different classes, one below or
    beside the other; "blends", the mean of two such images; "inverted", bright for dark; "turned", a quarter clockwise;
    "scribbles", drawn out of shape beyond recognition; "letters", in fonts; "ramps", a grey that changes evenly from
    one corner to the other; "specks", pixels at random that are black or white. "halves" and "blends" are left out
    where all images are of one class, "letters" where letters are classes or no font can be read.
    """
    sources = dataset.take(evenly(len(dataset), count))
    kinds: Mapping[str, Callable[[Dataset, np.random.Generator], Images]] = {
        "patches": _patches,
        "halves": _halves,
        "blends": _blends,
        "inverted": _inverted,
        "turned": _turned,
        "scribbles": _scribbles,
        "letters": lambda sources, _: _letters(sources, seed),
        "ramps": _ramps,
        "specks": _specks,
    }
    made = {kind: make(sources, random_stream(seed, f"made up {kind}")) for kind, make in kinds.items()}
    return {kind: images for kind, images in made.items() if len(images)}


def partners(dataset: Dataset, stream: np.random.Generator) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return places of images (M,) and of a random image of another class for each; of one class there are none."""
    labels = dataset.labels
    found = list[tuple[int, int]]()
    for place, label in enumerate(labels):
        others = np.flatnonzero(labels != label)
        if len(others):
            found.append((place, int(stream.choice(others))))
    places = np.array(found, np.int64).reshape(-1, 2)
    return places[:, 0], places[:, 1]


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
    places, others = partners(sources, stream)
    height, width, _ = sources.image_shape
    glued = sources.images[places].copy()
    glued[1::2, height // 2 :] = sources.images[others[1::2], height // 2 :]
    glued[::2, :, width // 2 :] = sources.images[others[::2], :, width // 2 :]
    return glued


def _blends(sources: Dataset, stream: np.random.Generator) -> Images:
    places, others = partners(sources, stream)
    return np.asarray((sources.images[places].astype(np.uint16) + sources.images[others]) // 2, np.uint8)


def _turned(sources: Dataset, _stream: np.random.Generator) -> Images:
    return quarter_turned(sources.images, -1)


def _letters(sources: Dataset, seed: int) -> Images:
    letters, fonts = letters_beside(sources.class_names), choosing_fonts()
    if not letters:
        return sources.images[:0]
    handwriting = handwriting_of(sources.images)
    try:
        return draw_letters(sources.image_shape, handwriting, len(sources), fonts, seed, letters, "made up letters")[0]
    except OSError:  # a font that cannot be read; the other kinds are there
        return sources.images[:0]


def _ramps(sources: Dataset, stream: np.random.Generator) -> Images:
    height, width, channels = sources.image_shape
    down, right = np.linspace(0, 1, height)[:, None, None], np.linspace(0, 1, width)[None, :, None]
    ends = stream.uniform(0, 255, (2, len(sources), 1, 1, channels))
    along = np.where(stream.random((len(sources), 1, 1, 1)) < 0.5, down + right, down + 1 - right) / 2
    return np.asarray(np.rint(ends[0] * (1 - along) + ends[1] * along), np.uint8)


def _specks(sources: Dataset, stream: np.random.Generator) -> Images:
    shares = stream.uniform(0, 1, (len(sources), 1, 1, 1))
    return np.asarray(255 * (stream.random(sources.images.shape) < shares), np.uint8)


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


_SHIFTS = 2, 4  # pixels of an image 28 pixels wide
_ANGLES = 15, 30  # degrees


def alter(dataset: Dataset, seed: int = 0) -> dict[str, Images]:
    """Return by what was done to them, such as "shifted by 2 pixels", the images of `dataset` shifted and turned by two
    amounts each, to a random side; edge pixels go on."""
    from scipy.ndimage import rotate, shift

    images, side = dataset.images, max(dataset.image_shape[:2])
    directions = np.array([(-1, 0), (0, 1), (1, 0), (0, -1)])[
        random_stream(seed, "altered shift").integers(0, 4, len(images))
    ]
    signs = random_stream(seed, "altered turn").choice((-1, 1), len(images))
    found = dict[str, Images]()
    for pixels in sorted({max(1, round(pixels * side / 28)) for pixels in _SHIFTS}):
        moved = [
            shift(image, (*(pixels * direction), 0), order=0, mode="nearest")
            for image, direction in zip(images, directions, strict=True)
        ]
        found[f"shifted by {pixels} pixel{'s' * (pixels > 1)}"] = np.stack(moved)
    for angle in _ANGLES:
        turned = [
            rotate(image, sign * angle, (0, 1), reshape=False, order=1, mode="nearest")
            for image, sign in zip(images, signs, strict=True)
        ]
        found[f"rotated by {angle}°"] = np.stack(turned)
    return found
