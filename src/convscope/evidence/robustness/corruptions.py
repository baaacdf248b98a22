"""The fifteen corruptions of MNIST-C in five strengths, for images of any size with any number of channels.

They are rebuilt from their definitions, so pictures differ from MNIST-C's; docs/methods/robustness.md lists the
differences. Geometry is the same in all channels of an image.

Source: Mu and Gilmer 2019, "MNIST-C: A Robustness Benchmark for Computer Vision", whose corruptions with five strengths
are those of Hendrycks and Dietterich 2019.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convscope.base.arguments import Seed, checked
from convscope.evidence.robustness import blurs, edges, geometry, noise, overlays, weather
from convscope.evidence.robustness.noise import Levels, Pictures, Uniform
from convscope.evidence.robustness.pictures import in_blocks

STRENGTHS = (1, 2, 3, 4, 5)


@dataclass(frozen=True)
class Corruption:
    """A corruption of pictures in five strengths.

    Attributes:
        constants: the argument for each of the five strengths; lengths are in pixels of an image 28 pixels wide.
        meaning: the meaning of the constants, in words.
        mnist_c: the strength whose constants are MNIST-C's.
    """

    change: Callable[[Pictures, Any, Uniform], Levels]
    constants: tuple[Any, Any, Any, Any, Any]
    meaning: str
    mnist_c: int


_LINES = ((1, 0.25), (1, 0.5), (1, 1.0), (2, 1.0), (3, 1.0))  # how many lines, and how bright

CORRUPTIONS = {
    # A function, its argument in each strength, what the argument means, and which strength is that of MNIST-C.
    "shot_noise": Corruption(noise.shot_noise, (60, 25, 12, 5, 3), "number of photons for white", 5),
    "impulse_noise": Corruption(noise.impulse_noise, (0.03, 0.06, 0.09, 0.17, 0.27), "share of values replaced", 4),
    "glass_blur": Corruption(
        blurs.glass_blur,
        ((0.5, 1, 1), (0.7, 1, 2), (0.9, 2, 1), (1.1, 2, 1), (0.9, 2, 2)),
        "smoothing in pixels, reach in pixels, passes",
        2,
    ),
    "motion_blur": Corruption(blurs.motion_blur, (1, 2, 3, 4, 5), "length in pixels (standard deviation)", 3),
    "shear": Corruption(geometry.shear, (0.2, 0.3, 0.4, 0.6, 0.8), "horizontal shift per row in pixels", 3),
    "scale": Corruption(geometry.scale, (0.9, 0.8, 0.7, 0.6, 0.5), "scale factor", 3),
    "rotate": Corruption(geometry.rotate, (0.2, 0.3, 0.4, 0.5, 0.6), "radians", 3),
    "brightness": Corruption(overlays.brightness, (0.1, 0.2, 0.3, 0.4, 0.5), "fraction of white added", 5),
    "translate": Corruption(geometry.translate, (1, 2, 3, 4, 5), "pixels along each axis", 3),
    "stripe": Corruption(overlays.stripe, (3, 5, 7, 9, 11), "pixels inverted on each side", 3),
    "fog": Corruption(
        weather.fog,
        ((0.5, 0.25), (1.0, 0.35), (1.5, 0.44), (2.0, 0.51), (3.0, 0.51)),
        "amount, relative strength of successive cloud scales",
        5,
    ),
    "spatter": Corruption(
        weather.spatter,
        ((1.0, 0.45, 1.5), (1.0, 0.3, 1.5), (1.0, 0.15, 1.5), (1.0, 0.0, 1.5), (1.0, -0.25, 1.5)),
        "size in pixels, level in standard deviations, softness in pixels",
        4,
    ),
    "dotted_line": Corruption(overlays.draw_dotted_line, _LINES, "lines, brightness", 3),
    "zigzag": Corruption(overlays.draw_zigzag, _LINES, "lines, brightness", 3),
    "canny_edges": Corruption(edges.canny_edges, (0.2, 0.4, 0.6, 0.8, 1.0), "share of the edges in the mixture", 5),
}
"""The corruptions by name, in MNIST-C's order."""


@checked
def corrupt(
    images: Pictures, name: str, strength: int, seed: Seed = 0, *, indices: NDArray[np.integer[Any]] | None = None
) -> Pictures:
    """Corrupt `images` (N, H, W, C) uint8, in the same shape and type.

    The result for an image depends only on the image, its index, `name`, `strength` and `seed`. Random choices for an
    image, such as the direction of a rotation, are the same for all strengths.

    Args:
        name: one of `CORRUPTIONS`.
        strength: 1 to 5.
        indices: (N,), the index of each image in its data set; by default 0 to N - 1.

    Raises:
        ValueError: if there is no such corruption or strength, the images are not uint8 (N, H, W, C), or there is not
            one index of at least 0 for each.

    Source: Mu and Gilmer 2019; the constants are in `CORRUPTIONS`.

    >>> dot = np.zeros((1, 28, 28, 1), np.uint8)
    >>> int(corrupt(dot, "brightness", 5).min())
    128
    """
    if name not in CORRUPTIONS:
        raise ValueError(f"name is {name!r}; it must be one of {', '.join(CORRUPTIONS)}")
    if strength not in STRENGTHS:
        raise ValueError(f"strength is {strength!r}; it must be a whole number from 1 to 5")
    if images.dtype != np.uint8 or images.ndim != 4:
        raise ValueError(f"images are {images.dtype} of shape {images.shape}; they must be uint8 (N, H, W, C)")
    indices = np.arange(len(images)) if indices is None else np.asarray(indices)
    if indices.shape != (len(images),) or indices.dtype.kind not in "iu" or (len(indices) and indices.min() < 0):
        raise ValueError(f"indices are {indices.dtype} of shape {indices.shape}; give one of 0 or more for each image")
    corruption = CORRUPTIONS[name]
    constants = corruption.constants[strength - 1]
    # In blocks, since a corruption computes in floating point, which takes several times the memory of bytes.
    return in_blocks(
        lambda block, uniform: corruption.change(block, constants, uniform), images, seed, f"corrupt/{name}", indices
    )
