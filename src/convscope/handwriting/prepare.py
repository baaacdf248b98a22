"""From a drawing or a photo to the pixels that a network sees: `prepare` takes a picture to an image of a data set.

`handwriting_of` finds out how the images of a data set were made; `prepare` makes one in the same way and keeps the
picture after each step. The page does the same pixel for pixel (web/src/handwriting/prepare.ts): all sums are of whole
numbers, which float64 holds exactly, and every value is rounded as floor(x + 0.5).

Source: LeCun, Bottou, Bengio and Haffner 1998, section III.A: digits are scaled to fit 20 × 20 pixels with their aspect
kept, and moved so that the centre of mass of their pixels is the middle of 28 × 28.
"""

from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from convscope.errors import DatasetError
from convscope.plain import from_plain

Picture = NDArray[np.uint8]
Step = Literal["polarity", "crop", "scale", "contrast", "centre"]
Hint = Literal["empty", "inverted", "tiny", "off-centre"]

STEPS: tuple[Step, ...] = get_args(Step)
"""The steps in their order; each can be left out."""

LARGEST_FACTOR = 10
"""A picture is first averaged down to so many times the longer side of the image, which takes noise away."""

THRESHOLD = 0.2
"""Share of the strongest ink from which a pixel counts as ink.

The boxes of MNIST's digits are 20 pixels long for all thresholds to 0.2 (998 of 1,000) and shrink beyond; the higher it
is, the less a shadow or a fleck on a photo widens the box.
"""

FAINTEST = 26  # of 255: a picture whose strongest ink is fainter holds none
_TINY, _OFF_CENTRE = (
    5,
    0.2,
)  # a box below a fifth of the shorter side; its middle further than this share from the middle
_NOISE = 3  # median deviations from the ground that are ground too: two standard deviations of Gaussian noise
_NUM_IMAGES = 1000  # of a data set that are looked at
_NEAR_GROUND = 16  # grey levels
_EVEN_GROUND, _CENTRED = 0.95, 0.1  # MNIST: 0.9996 of the border is ground, centres of mass lie 0.014 sides off at most


@dataclass(frozen=True)
class Handwriting:
    """How an image of a data set is made from a picture.

    Attributes:
        ink: which of the two the data set writes with; the other is its ground, exactly 0 or 255.
        target: pixels of the longer side of what is written.
        threshold: share of the strongest ink from which a pixel counts as ink.
        centre: whether the images hold one thing each, sized and centred on an even ground, as MNIST's do. Where they
            do not, as photos, a picture is only resized unless steps are asked for.

    Raises:
        ValueError: for a value out of its range.
    """

    ink: Literal["light", "dark"]
    target: int
    threshold: float = THRESHOLD
    centre: bool = True

    def __post_init__(self) -> None:
        if self.ink not in ("light", "dark"):
            raise ValueError(f"ink is {self.ink!r}; it must be 'light' or 'dark'")
        if not isinstance(self.target, int) or isinstance(self.target, bool) or self.target < 1:
            raise ValueError(f"target is {self.target!r}; it must be a whole number of at least 1")
        if not isinstance(self.threshold, float | int) or not 0 <= self.threshold < 1:
            raise ValueError(f"threshold is {self.threshold!r}; it must be at least 0 and below 1")
        if not isinstance(self.centre, bool):
            raise ValueError(f"centre is {self.centre!r}; it must be True or False")

    @property
    def steps(self) -> tuple[Step, ...]:
        """The steps that are taken unless others are asked for."""
        return STEPS if self.centre else ()

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, value: Mapping[str, Any]) -> "Handwriting":
        """Return what `to_dict` gave.

        Raises:
            DatasetError: if it is no such object; the message names the field.
        """
        try:
            return from_plain(cls, value, "handwriting", DatasetError)
        except ValueError as error:
            raise DatasetError(f"handwriting: {error}") from error


@dataclass(frozen=True, eq=False)
class Stage:
    """A picture on its way: `name` is "picture" for what was given, and else the step that has just been reached.

    Attributes:
        on: whether the step was taken; if not, the picture is as before, but resized and placed as it must be.
        pixels: (h, w, 1 or 3) uint8, in the polarity that the picture has by then.
    """

    name: str
    on: bool
    pixels: Picture


@dataclass(frozen=True, eq=False)
class Prepared:
    """An image for a network, and how it came about.

    Attributes:
        image: (H, W, C) uint8.
        stages: the picture as it was given, in the colours that the network has, then after each step.
        hints: what may be wrong with the picture, whether a step mends it or not.
        clipped: share of the ink that centring moved out of the image.
    """

    image: Picture
    stages: tuple[Stage, ...]
    hints: tuple[Hint, ...]
    clipped: float


def handwriting_of(images: Picture) -> Handwriting:
    """Return how images like these (N, H, W, C) are made from a picture; at most 1,000 of them are looked at.

    Ink is light where the median of all border pixels is dark. Images are taken as centred if their border is ground
    and, in the median, the centre of mass of their ink is close to the middle; `target` is then the median of the
    longer sides of the ink's boxes, which is 20 for MNIST, and else the same share of the shorter side.
    """
    if images.ndim != 4 or images.dtype != np.uint8 or images.size == 0:
        raise ValueError(f"images are {images.shape} {images.dtype}; they must be (N, H, W, C) uint8, and N at least 1")
    some = images[:: max(1, len(images) // _NUM_IMAGES)][:_NUM_IMAGES]
    height, width = some.shape[1:3]
    ink: Literal["light", "dark"] = "light" if _median(_border(some)) < 128 else "dark"
    inks = [_strength(image, ink) for image in some]
    boxes = [_box(strength, THRESHOLD) for strength in inks if strength.max() >= FAINTEST]
    target = max(1, int(np.floor(min(height, width) * 20 / 28 + 0.5)))
    even = np.mean(_strength(_border(some), ink) < _NEAR_GROUND) >= _EVEN_GROUND
    if not boxes or not even or np.median([_off_centre(strength) for strength in inks]) > _CENTRED:
        return Handwriting(ink, target, THRESHOLD, centre=False)
    sides = np.array([max(bottom - top, right - left) for top, bottom, left, right in boxes])
    return Handwriting(ink, _median(sides), THRESHOLD, centre=True)


def prepare(
    picture: Picture,
    height: int,
    width: int,
    channels: int,
    handwriting: Handwriting,
    steps: Collection[Step] | None = None,
) -> Prepared:
    """Make an image (height, width, channels) of a picture, in the way in which the images of a data set were made.

    1. "polarity": the ground, the median of the border, becomes exactly the data set's; ink on it is as light or dark
       as the data set's, so dark writing on paper is inverted for MNIST. What deviates as little as most of the border
       is ground too.
    2. "crop": to the box of all ink above the threshold.
    3. "scale": the longer side becomes `target` pixels by exact area averaging. Without it the picture is made as large
       as the image holds.
    4. "contrast": the strongest ink becomes full, as thin lines grow pale when they are averaged.
    5. "centre": a shift by whole pixels that brings the centre of mass to the middle. Without it the box is there.

    A step that is left out leaves the picture to the next as it is. A picture without ink is neither cropped nor
    stretched.

    Args:
        picture: (h, w), (h, w, 1) or (h, w, 3) uint8; what is transparent in a file belongs on white before.
        channels: 1 (grey), 3 (colours), or 2 and 4, the same with an opaque alpha channel.
        steps: which steps to take; by default all for handwriting, and none for other data sets.

    Raises:
        ValueError: for a picture of another form, or an unknown step.
    """
    chosen = handwriting.steps if steps is None else steps
    if unknown := sorted(set(chosen) - set(STEPS)):
        raise ValueError(f"steps has {unknown[0]!r}; there are {', '.join(STEPS)}")
    if min(height, width) < 1 or not 1 <= channels <= 4:
        raise ValueError(f"the image is {height} × {width} × {channels}; it needs pixels, and 1 to 4 channels")
    ink, pixels = handwriting.ink, _in_colours(picture, LARGEST_FACTOR * max(height, width), 1 if channels < 3 else 3)
    stages = [Stage("picture", True, pixels)]

    light_ground = _has_light_ground(pixels)
    clean = _on_even_ground(pixels, light_ground, ink)
    hints = _hints(clean, light_ground, handwriting)
    if "polarity" in chosen:
        pixels = clean
    stages.append(Stage("polarity", "polarity" in chosen, pixels))
    around = _ground(pixels)
    has_ink = _strength(pixels, ink).max() >= FAINTEST

    if "crop" in chosen and has_ink:
        top, bottom, left, right = _box(_strength(pixels, ink), handwriting.threshold)
        pixels = pixels[top:bottom, left:right]
    stages.append(Stage("crop", "crop" in chosen, pixels))

    size = _fitted(pixels.shape[0], pixels.shape[1], height, width)
    if "scale" in chosen:
        target = handwriting.target
        smaller = _fitted(pixels.shape[0], pixels.shape[1], target, target)
        size = smaller if smaller[0] <= height and smaller[1] <= width else size
    pixels = average(pixels, *size)
    stages.append(Stage("scale", "scale" in chosen, pixels))

    if "contrast" in chosen and has_ink:
        pixels = _stretched(pixels, ink)
    stages.append(Stage("contrast", "contrast" in chosen, pixels))

    corner = ((height - pixels.shape[0]) // 2, (width - pixels.shape[1]) // 2)
    if "centre" in chosen and has_ink:
        corner = _corner(_strength(pixels, ink, "sum"), height, width)
    image, clipped = _placed(pixels, corner, height, width, around, ink)
    stages.append(Stage("centre", "centre" in chosen, image))
    if channels in (2, 4):
        image = np.concatenate([image, np.full((height, width, 1), 255, np.uint8)], axis=2)
    return Prepared(image, tuple(stages), hints, clipped)


def average(picture: Picture, height: int, width: int) -> Picture:
    """Resize (h, w, C) by exact area averaging: a pixel is the mean of what lies under it, parts by their share."""
    if picture.shape[:2] == (height, width):
        return picture
    rows = _window_sums(picture, height)
    sums = _window_sums(rows.swapaxes(0, 1), width).swapaxes(0, 1)
    return _rounded(sums / (picture.shape[0] * picture.shape[1]))


def _window_sums(values: NDArray[Any], size: int) -> NDArray[np.int64]:
    """Return `size` sums over equal stretches of the first axis, in units in which a value is `size` wide."""
    length = len(values)
    sums = np.empty((size, *values.shape[1:]), np.int64)
    for i in range(size):
        start, stop = i * length, (i + 1) * length
        first, last = start // size, (stop - 1) // size
        if first == last:
            sums[i] = values[first].astype(np.int64) * length
            continue
        sums[i] = values[first + 1 : last].sum(axis=0, dtype=np.int64) * size
        sums[i] += values[first].astype(np.int64) * ((first + 1) * size - start)
        sums[i] += values[last].astype(np.int64) * (stop - last * size)
    return sums


def _rounded(values: NDArray[np.float64]) -> Picture:
    return np.floor(values + 0.5).astype(np.uint8)


def _fitted(height: int, width: int, most_height: int, most_width: int) -> tuple[int, int]:
    """Return the largest size of the same aspect within the given one."""
    if height * most_width >= width * most_height:
        return most_height, max(1, int(np.floor(width * most_height / height + 0.5)))
    return max(1, int(np.floor(height * most_width / width + 0.5))), most_width


def _in_colours(picture: Picture, largest: int, num_colours: int) -> Picture:
    """Return the picture, its longer side `largest` at most, in grey or in colours."""
    pixels = picture[..., np.newaxis] if picture.ndim == 2 else picture
    if pixels.ndim != 3 or pixels.shape[2] not in (1, 3) or pixels.dtype != np.uint8 or pixels.size == 0:
        raise ValueError(f"picture is {picture.shape} {picture.dtype}; it must be (h, w), (h, w, 1) or (h, w, 3) uint8")
    if max(pixels.shape[:2]) > largest:
        pixels = average(pixels, *_fitted(pixels.shape[0], pixels.shape[1], largest, largest))
    if pixels.shape[2] == num_colours:
        return pixels
    if num_colours == 3:
        return np.repeat(pixels, 3, axis=2)
    red, green, blue = (pixels[..., [c]].astype(np.int64) for c in range(3))
    return ((299 * red + 587 * green + 114 * blue + 500) // 1000).astype(np.uint8)  # luma of ITU-R BT.601


def _border(images: NDArray[Any]) -> NDArray[Any]:
    """Return the border pixels of images (..., H, W, C) as (pixels, C)."""
    is_border = np.ones(images.shape[-3:-1], bool)
    is_border[1:-1, 1:-1] = False
    return images[..., is_border, :].reshape(-1, images.shape[-1])


def _median(values: NDArray[Any]) -> int:
    """Return the middle value, the lower of the two if there are two."""
    return int(np.sort(values, axis=None)[(values.size - 1) // 2])


def _ground(pixels: Picture) -> list[int]:
    border = _border(pixels)
    return [_median(border[:, c]) for c in range(border.shape[1])]


def _strength(pixels: Picture, ink: str, over_channels: Literal["max", "sum"] = "max") -> NDArray[np.int64]:
    """Return how much ink there is, (..., H, W): over all channels the most or the sum."""
    strength = pixels.astype(np.int64) if ink == "light" else 255 - pixels.astype(np.int64)
    found: NDArray[np.int64] = strength.max(axis=-1) if over_channels == "max" else strength.sum(axis=-1)
    return found


def _has_light_ground(pixels: Picture) -> bool:
    """Whether the ground lies nearer to the lightest value than to the darkest; of an even picture, nearer to white."""
    ground, darkest, lightest = _median(_border(pixels)), int(pixels.min()), int(pixels.max())
    return 2 * ground > darkest + lightest or (2 * ground == darkest + lightest and ground >= 128)


def _on_even_ground(pixels: Picture, light_ground: bool, ink: str) -> Picture:
    strength = 255 - pixels.astype(np.int64) if light_ground else pixels.astype(np.int64)
    border = _border(strength)
    for c in range(strength.shape[2]):
        ground = _median(border[:, c])
        noise = _NOISE * _median(np.abs(border[:, c] - ground))
        noise = min(noise, (int(strength[..., c].max()) - ground) // 2)  # a busy border must not take the ink away
        strength[..., c] = np.maximum(strength[..., c] - ground - noise, 0)
    return (strength if ink == "light" else 255 - strength).astype(np.uint8)


def _box(strength: NDArray[np.int64], threshold: float) -> tuple[int, int, int, int]:
    """Return top, bottom, left and right of all ink above the threshold, the ends exclusive."""
    is_ink = strength > threshold * int(strength.max())
    rows, columns = np.flatnonzero(is_ink.any(axis=1)), np.flatnonzero(is_ink.any(axis=0))
    return int(rows[0]), int(rows[-1]) + 1, int(columns[0]), int(columns[-1]) + 1


def _hints(clean: Picture, light_ground: bool, handwriting: Handwriting) -> tuple[Hint, ...]:
    """Return what may be wrong with handwriting on an even ground; of other pictures nothing can be said."""
    if not handwriting.centre:
        return ()
    strength = _strength(clean, handwriting.ink)
    if strength.max() < FAINTEST:
        return ("empty",)
    (height, width), (top, bottom, left, right) = strength.shape, _box(strength, handwriting.threshold)
    off = max(abs(top + bottom - height) / height, abs(left + right - width) / width) / 2
    found: dict[Hint, bool] = {
        "inverted": light_ground != (handwriting.ink == "dark"),
        "tiny": _TINY * max(bottom - top, right - left) < min(height, width),
        "off-centre": off > _OFF_CENTRE,
    }
    return tuple(hint for hint, is_so in found.items() if is_so)


def _stretched(pixels: Picture, ink: str) -> Picture:
    strength = _strength(pixels[..., np.newaxis], ink)  # of each channel by itself
    largest = int(strength.max())
    if largest == 0:
        return pixels
    full = _rounded(strength * 255 / largest)
    return full if ink == "light" else 255 - full


def _corner(mass: NDArray[np.int64], height: int, width: int) -> tuple[int, int]:
    """Return where the first pixel goes if the centre of mass comes to the middle.

    Row i counts as i, and the middle of 28 rows as 14: so the centres of MNIST's digits lie from 13.5 to 14.5.
    """
    total = int(mass.sum())
    if total == 0:
        return (height - mass.shape[0]) // 2, (width - mass.shape[1]) // 2
    row = int((mass.sum(axis=1) * np.arange(mass.shape[0])).sum()) / total
    column = int((mass.sum(axis=0) * np.arange(mass.shape[1])).sum()) / total
    return int(np.floor(height / 2 - row + 0.5)), int(np.floor(width / 2 - column + 0.5))


def _off_centre(strength: NDArray[np.int64]) -> float:
    """Return how far the centre of mass is from the middle, as a share of the longer side."""
    height, width = strength.shape
    top, left = _corner(strength, height, width)
    return float(max(abs(top), abs(left)) / max(height, width))


def _placed(
    pixels: Picture, corner: tuple[int, int], height: int, width: int, around: list[int], ink: str
) -> tuple[Picture, float]:
    """Return the pixels on an image of the ground `around`, and which share of the ink fell outside."""
    image = np.empty((height, width, pixels.shape[2]), np.uint8)
    image[:] = around
    (top, left), (rows, columns) = corner, pixels.shape[:2]
    above, below = max(0, -top), min(rows, height - top)
    before, behind = max(0, -left), min(columns, width - left)
    inside = pixels[above:below, before:behind]
    image[top + above : top + below, left + before : left + behind] = inside
    total = int(_strength(pixels, ink, "sum").sum())
    lost = total - int(_strength(inside, ink, "sum").sum())
    return image, lost / total if total else 0.0
