"""The characters read in a picture: their boxes and predictions, the text of each line, and a drawing."""

from dataclasses import dataclass, field
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from convscope.base.records import Recorded, from_attributes
from convscope.base.tables import clip, confidence_text, html_table, text_table
from convscope.prediction.prediction import Prediction
from convscope.prediction.records import DigitRecord, StringsRecord

Notice = Literal["no ink", "too many", "not cut"]
NOTICES: tuple[Notice, ...] = get_args(Notice)
"""There is no ink; only the largest pieces of ink were read; there was too much ink to cut touching characters."""

# Blue and orange, as in the report, which colour-blind readers distinguish too.
_ACCEPTED_COLOUR, _REFUSED_COLOUR = (20, 96, 200), (200, 64, 16)


@dataclass(frozen=True, eq=False)
class ReadCharacter:
    """One character.

    Attributes:
        box: left, top, right and bottom in pixels of the picture, right and bottom exclusive.
        line: index of its line, from 0.
    """

    box: tuple[int, int, int, int]
    line: int
    prediction: Prediction

    def to_record(self) -> DigitRecord:
        return from_attributes(DigitRecord, self.prediction.to_record(), box=self.box, line=self.line)


@dataclass(frozen=True, eq=False)
class StringReading(Recorded):
    """The characters read in a picture.

    Attributes:
        file: the picture's name.
        lines: the text of each line: the predicted class names, with spaces between them unless all are one character.
        digits: in the order in which they are read: line by line from the top, each from left to right.
        size: (h, w) of the picture.
        num_specks, num_rules: pieces of ink that were left out, as too small and as printed rules, tables and boxes.
        notices: those of `NOTICES` that apply.
    """

    file: str
    lines: tuple[str, ...]
    digits: tuple[ReadCharacter, ...] = field(repr=False)
    size: tuple[int, int]
    num_specks: int = 0
    num_rules: int = 0
    notices: tuple[Notice, ...] = ()

    @property
    def text(self) -> str:
        """All lines, with line breaks between them."""
        return "\n".join(self.lines)

    def to_record(self) -> StringsRecord:
        return from_attributes(StringsRecord, self)

    def draw(self, picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Draw a box around each character of the picture and its predicted class above it, (H, W, 3) uint8.

        Boxes are blue, or orange where the answer is "none of these".

        Args:
            picture: the one that was read, (H, W), (H, W, 1) or (H, W, 3) uint8.

        Raises:
            ValueError: if it is of another size or form.
        """
        if picture.shape[:2] != self.size or picture.shape[2:] not in ((), (1,), (3,)) or picture.dtype != np.uint8:
            raise ValueError(
                f"picture is {picture.shape} {picture.dtype}; it must be the same picture as before, {self.size} uint8"
            )
        from PIL import Image, ImageDraw

        grey_or_colour = picture if picture.ndim == 3 else picture[..., None]
        image = Image.fromarray(np.ascontiguousarray(np.broadcast_to(grey_or_colour, (*self.size, 3))))
        pen = ImageDraw.Draw(image)
        heights = [digit.box[3] - digit.box[1] for digit in self.digits]
        usual = float(np.median(heights)) if heights else 0.0
        # A fortieth of the usual height of the characters, so that the boxes suit the writing's size; the font, 11 to
        # 64 pixels, likewise.
        thick, font = max(1, round(usual / 40)), _font(min(64, max(11, round(0.36 * usual))))
        for digit in self.digits:
            self._draw_character(pen, digit, thick, font)
        return np.asarray(image)

    def _draw_character(self, pen: Any, digit: ReadCharacter, thick: int, font: Any) -> None:
        """Draw a box of lines of `thick` pixels, and its class on a ground of the same colour."""
        #   ┌───┐
        #   │ 7 │   the label: its text with a margin of 2 · thick
        #   ├───┴──┐
        #   │      │   the box: `outer`, since its lines lie outside of the character
        left, top, right, bottom = digit.box
        colour = _REFUSED_COLOUR if digit.prediction.none_of_these else _ACCEPTED_COLOUR
        outer = (left - thick - 1, top - thick - 1, right + thick, bottom + thick)
        pen.rectangle(outer, outline=colour, width=thick)
        label = clip(digit.prediction.class_name, 12)
        x0, y0, x1, y1 = font.getbbox(label)
        wide, high = x1 - x0 + 4 * thick, y1 - y0 + 4 * thick
        # Moved to the left where it would leave the picture.
        x = min(max(0, outer[0]), max(0, self.size[1] - wide))
        # Above the box, or below it where there is no room above.
        y = outer[1] - high if outer[1] >= high else min(outer[3], self.size[0] - high)
        pen.rectangle((x, y, x + wide, y + high), fill=colour)
        # getbbox begins at (x0, y0) and not at 0: the font has space above its letters.
        pen.text((x + 2 * thick - x0, y + 2 * thick - y0), label, fill=(255, 255, 255), font=font)

    def __str__(self) -> str:
        return text_table(("Line", "Text", "Lowest confidence"), self._rows(), left=2)

    def _repr_html_(self) -> str:
        return html_table(("Line", "Text", "Lowest confidence"), self._rows(), left=2)

    def _rows(self) -> list[tuple[str, str, str]]:
        rows = []
        for number, line in enumerate(self.lines):
            lowest = min(digit.prediction.probability for digit in self.digits if digit.line == number)
            rows.append((str(number + 1), clip(line, 64), confidence_text(lowest)))
        return rows


def join_names(names: list[str]) -> str:
    """Join the class names of a line to its text.

    >>> join_names(["4", "2"]), join_names(["a", "alpha"])
    ('42', 'a alpha')
    """
    return ("" if all(len(name) == 1 for name in names) else " ").join(names)


def _font(size: int) -> Any:
    """Load matplotlib's own DejaVu Sans, which has letters of many scripts."""
    from matplotlib import get_data_path
    from PIL import ImageFont

    return ImageFont.truetype(f"{get_data_path()}/fonts/ttf/DejaVuSans.ttf", size)
