"""Draw letters as out-of-distribution images: in fonts, slightly varied, and prepared as handwriting.

Letters that look like digits are never drawn, since the prediction "0" for an O is not wrong.
"""

from collections.abc import Collection, Sequence
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from convscope.base.streams import random_stream
from convscope.data.handwriting import Handwriting, prepare

LETTERS = "ACEFHKLMNPRTUVWXacdefhkmnprtuvwx"
"""The letters that are drawn."""

LOOK_ALIKES = "BDGIJOQSYZbgijloqsyz"
"""The letters that are left out: O, o, D and Q look like 0; I, i, J, j and l like 1; Z and z like 2; Y and y like 4;
S and s like 5; G and b like 6; B like 8; g and q like 9."""

# Part of matplotlib, so the letters are the same on every machine; serif, italic, sans and typewriter.
_FONTS = ("STIXGeneral.ttf", "STIXGeneralItalic.ttf", "cmr10.ttf", "cmss10.ttf", "cmtt10.ttf")
_SIZE, _CANVAS = 56, 112  # pixels of the font and of the square sheet
_ROTATION = 12.0  # degrees to either side
_MAX_STROKE = 2  # pixels by which a line is widened on either side


def letter_fonts() -> list[Path]:
    """List the fonts in which letters are drawn: STIX and Computer Modern."""
    spec = find_spec("matplotlib")  # without an import of matplotlib, which takes a second
    assert spec is not None, "convscope depends on it"
    assert spec.origin is not None, spec
    return [Path(spec.origin).parent / "mpl-data/fonts/ttf" / name for name in _FONTS]


def choose_letters(class_names: Collection[str]) -> str:
    """Choose the letters that are out of distribution for these classes: no class in either case."""
    classes = {form for name in class_names for form in (name.lower(), name.upper())}
    return "".join(letter for letter in LETTERS if letter not in classes)


def draw_letters(
    image_shape: tuple[int, int, int],
    handwriting: Handwriting,
    count: int,
    fonts: Sequence[Path],
    seed: int = 0,
    letters: str = LETTERS,
) -> tuple[NDArray[np.uint8], tuple[str, ...]]:
    """Draw `count` images (count, H, W, C), and return the letter on each: letter after letter, font after font.

    Each is rotated by up to 12°, and its lines are widened by up to 2 of the font's 56 pixels on either side.

    Args:
        handwriting: the preparation of images of the data set.
        letters: the letters to draw; the fonts must have them.

    Raises:
        OSError: if a font cannot be read.
        ValueError: if there is no letter or no font.
    """
    from PIL import Image, ImageDraw, ImageFont

    if not letters or not fonts:
        raise ValueError(f"there are {len(letters)} letters and {len(fonts)} fonts; at least one of each is needed")
    height, width, channels = image_shape
    # The basic layout, since Raqm is not installed everywhere and places letters differently.
    loaded_fonts = [ImageFont.truetype(font, _SIZE, layout_engine=ImageFont.Layout.BASIC) for font in fonts]
    stream = random_stream(seed, "strangers letters")  # an earlier name of these images; another draws other numbers
    images = np.empty((count, height, width, channels), np.uint8)
    drawn = tuple(letters[number % len(letters)] for number in range(count))
    for number, letter in enumerate(drawn):
        font = loaded_fonts[number // len(letters) % len(loaded_fonts)]
        sheet = Image.new("L", (_CANVAS, _CANVAS), 255)
        stroke = int(stream.integers(0, _MAX_STROKE + 1))
        ImageDraw.Draw(sheet).text((_CANVAS / 2, _CANVAS / 2), letter, 0, font, "mm", stroke_width=stroke)
        angle = float(stream.uniform(-_ROTATION, _ROTATION))
        rotated = np.asarray(sheet.rotate(angle, Image.Resampling.BILINEAR, fillcolor=255))
        images[number] = prepare(rotated, height, width, 1, handwriting).image  # the same in every channel
    return images, drawn
