"""Overlay pictures (N, H, W, C) with light, inverted stripes, dotted lines and zigzags.

Lengths are in pixels of an image 28 pixels wide, and grow with the image.
"""

import numpy as np
from numpy.typing import NDArray

from convscope.evidence.robustness.noise import Levels, Pictures, Uniform

MAX_LINES = 3  # lines of the strongest corruption
_FALL = 2.3  # a line has the brightness 1 + log(1 - distance / 2.3): none from 1.45 pixels on, as in MNIST-C
_DASH = 2.0  # length in pixels of a dash, and of a gap
_ENDS = 2 / 27, 25 / 27  # where a zigzag begins and ends, as shares of the way from the first column to the last
_RISE = 5.0  # pixels by which the far end of a zigzag lies above or below the near one at most
_TURN = 2.0  # pixels from a zigzag's middle line to its turns, both across and along the line


def brightness(images: Pictures, amount: float, _: Uniform) -> Levels:
    """Add `amount`, a fraction of white, to every value."""
    return images + np.float32(255 * amount)


def stripe(images: Pictures, pixels: float, _: Uniform) -> Levels:
    """Invert the first and the last columns, `pixels` of 28 on either side."""
    width = images.shape[2]
    inverted = round(pixels * width / 28)
    striped = images.astype(np.float32)
    striped[:, :, :inverted] = 255 - striped[:, :, :inverted]
    striped[:, :, width - inverted :] = 255 - striped[:, :, width - inverted :]
    return striped


def draw_dotted_line(images: Pictures, constants: tuple[int, float], uniform: Uniform) -> Levels:
    """Draw straight dotted lines from the left edge to the right one.

    Args:
        constants: the number of lines, at most `MAX_LINES`, and their brightness from 0 to 1.
    """
    num_images, height, width, _ = images.shape
    # Always for MAX_LINES, so that weaker corruptions draw the first of the same lines.
    ends = (height - 1) * uniform(2 * MAX_LINES).reshape(num_images, MAX_LINES, 2, 1)
    along = np.linspace(0, 1, width)
    rows = ends[:, :, 0] * (1 - along) + ends[:, :, 1] * along  # (N, lines, W): where a line is in each column
    dash = max(1, round(_DASH * max(height, width) / 28))
    return _draw(images, rows, np.arange(width) // dash % 2 == 1, constants)


def draw_zigzag(images: Pictures, constants: tuple[int, float], uniform: Uniform) -> Levels:
    """Draw nearly level zigzags from left to right; `constants` as for `draw_dotted_line`."""
    num_images, height, width, _ = images.shape
    growth = max(height, width) / 28
    chances = uniform(2 * MAX_LINES).reshape(num_images, MAX_LINES, 2, 1)
    along = np.linspace(0, 1, width)
    progress = (along - _ENDS[0]) / (_ENDS[1] - _ENDS[0])  # from 0 at the near end to 1 at the far one
    turns = (np.arange(width) - _ENDS[0] * (width - 1)) / (_TURN * growth)
    wave = np.abs((turns - 1) % 4 - 2) - 1  # 0, 1, 0, -1, 0, ...: a turn at every odd number
    # In rows from its beginning, the line falls or rises by up to 5 on its way, and swings about that.
    offsets = _RISE * (2 * chances[:, :, 1] - 1) * progress - _TURN * wave
    rows = (height - 1) * chances[:, :, 0] + growth * offsets
    return _draw(images, rows, (progress >= 0) & (progress <= 1), constants)


def _draw(
    images: Pictures, rows: NDArray[np.float64], is_drawn: NDArray[np.bool_], constants: tuple[int, float]
) -> Levels:
    """Draw lines through the rows (N, lines, W) into `images`, in the columns that `is_drawn` (W,) marks."""
    lines, brightness = constants
    _, height, width, _ = images.shape
    fall = np.float32(_FALL * max(max(height, width) / 28, 0.5))  # thinner ones would fall between the pixels
    result = images.astype(np.float32)
    for line in range(lines):
        row = rows[:, line].astype(np.float32)  # (N, W)
        # A pixel at height y is |row - y| above or below the line, but only |row - y| / sqrt(1 + s²) from it, if the
        # line has the slope s.
        slant = np.sqrt(1 + np.gradient(row, axis=1) ** 2) if width > 1 else np.ones_like(row)
        distance = np.abs(np.arange(height, dtype=np.float32)[None, :, None] - row[:, None]) / slant[:, None]
        light = 1 + np.log(np.maximum(1 - distance / fall, np.float32(0.3)))  # below zero at 0.3
        light = np.where(is_drawn, np.maximum(light, 0), 0)
        result += np.float32(255 * brightness) * light[..., None]
        # Lines that cross are white there, and no brighter.
        np.minimum(result, 255, out=result)
    return result
