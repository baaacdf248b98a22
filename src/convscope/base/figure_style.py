"""How the file of a figure looks: format, theme and resolution. Here and not in `report`, which loads matplotlib."""

from dataclasses import dataclass
from typing import Literal

from convscope.base.arguments import check_fields, check_whole

FigureFormat = Literal["png", "svg", "pdf"]
Theme = Literal["light", "dark"]


@dataclass(frozen=True)
class FigureStyle:
    """How the file of a figure looks.

    Attributes:
        theme: dark suits slides with a dark background.
        dpi: dots per inch of a PNG, and of pictures in a PDF; at 72 a figure is as wide as on the page.
        transparent: whether the background is left clear.

    Raises:
        TypeError, ValueError: if a value is of the wrong type or out of range.
    """

    format: FigureFormat = "png"
    theme: Theme = "light"
    dpi: int = 144
    transparent: bool = False

    def __post_init__(self) -> None:
        check_fields(self)
        check_whole("dpi", self.dpi, 18, 1200)
