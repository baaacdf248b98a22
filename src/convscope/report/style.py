"""The look of the figures, and the way one drawing serves files and pages in both themes, and a notebook.

Figures are drawn in the colours of the light theme. Each of these colours has one role and is used for nothing else, so
the page can replace it by the style sheet's variable of that role, and a file by the dark theme's colour of that role.
"""

import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from hashlib import sha256
from html import escape
from importlib.resources import files
from io import BytesIO
from typing import Any

import matplotlib
import numpy as np
from matplotlib import font_manager
from matplotlib.axes import Axes
from matplotlib.colors import is_color_like, to_hex, to_rgba
from matplotlib.figure import Figure
from matplotlib.text import Text

from convscope.base.figure_style import FigureStyle
from convscope.base.tables import clip, display_width
from convscope.texts import attribute, follow_language

_ROLES = ("paper", "ink", "muted", "hairline", "accent", "warm", "against", "wrong")


def _read_colours(theme: str) -> list[str]:
    """Read the colours of the roles in a theme of the page from its style sheet."""
    css = files("convscope.report").joinpath("page.css").read_text(encoding="utf-8")
    block = css[css.index(f"color-scheme: {theme};") :]
    return [block.split(f"--{role}: ", 1)[1][: len("#rrggbb")] for role in _ROLES]


_LIGHT = _read_colours("light")
PAPER, INK, MUTED, HAIRLINE, ACCENT, WARM, AGAINST, WRONG = _LIGHT
_DARK = dict(zip(_LIGHT, _read_colours("dark"), strict=True))
"""The colours of the page's dark theme by those of the light one."""

_VARIABLES = {colour: f"--{role}" for colour, role in zip(_LIGHT, _ROLES, strict=True)}

# A drawing in a notebook cannot know whether the notebook is light or dark: its text follows the text around it.
_NOTEBOOK_COLOURS = {
    "--paper": "transparent",
    "--ink": "currentColor",
    "--muted": "color-mix(in srgb, currentColor 70%, transparent)",
    "--hairline": "rgba(128, 128, 128, 0.35)",
    "--accent": "#9a6ee0",
    "--warm": "#d9772b",
    "--against": "#3d86d8",
    "--wrong": "#d9534a",
}

POINTS = 72
"""Dots per inch. Figures are laid out in CSS pixels, and at 72 dots per inch a point of matplotlib is one pixel."""

TITLE_HEIGHT = 32
"""Pixels at the top of a drawing that belong to its title."""

_TITLE_SIZES = (14, 13, 12, 11, 10, 9)  # the largest at which it fits

# For glyphs that matplotlib's own font lacks, and only where installed: a missing family would log a warning.
_FALLBACK_FONTS = ("Noto Sans CJK JP", "Noto Sans CJK SC", "WenQuanYi Zen Hei", "Noto Emoji", "Symbola")
_STYLE: dict[str, Any] = {
    "font.size": 12.0,
    "text.color": INK,
    "text.parse_math": False,  # a class may be called "$5"
    "axes.facecolor": "none",
    "axes.edgecolor": HAIRLINE,
    "axes.labelcolor": MUTED,
    "axes.linewidth": 1.0,
    "axes.grid": False,
    "axes.axisbelow": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 14.0,
    "axes.titleweight": "normal",
    "axes.titlelocation": "left",
    "axes.labelsize": 12.0,
    "axes.unicode_minus": True,
    "axes.formatter.useoffset": False,
    "figure.facecolor": PAPER,
    "figure.edgecolor": "none",
    "figure.dpi": POINTS,
    "image.interpolation": "none",
    "image.origin": "upper",
    "image.resample": False,
    "grid.color": HAIRLINE,
    "grid.linewidth": 1.0,
    "lines.linewidth": 2.0,
    "xtick.color": HAIRLINE,
    "ytick.color": HAIRLINE,
    "xtick.labelcolor": MUTED,
    "ytick.labelcolor": MUTED,
    "xtick.labelsize": 12.0,
    "ytick.labelsize": 12.0,
    "xtick.major.size": 4.0,
    "ytick.major.size": 4.0,
    "savefig.facecolor": "auto",
    "savefig.bbox": None,
    "savefig.transparent": False,
    "svg.fonttype": "none",  # text stays text, which the page translates
    "svg.hashsalt": "convscope",  # ids are hashes; without a fixed salt they are random
    "svg.image_inline": True,
    "pdf.fonttype": 42,  # whole fonts, whose text other programs can edit and search
}


class Drawing(Figure):
    """A matplotlib figure that shows itself in a notebook.

    A `Figure` does so only once pyplot has been imported there, and pyplot keeps global state that nothing here needs.
    """

    def _repr_html_(self) -> str:
        """Write the drawing in the notebook's own colours, with its title as a caption above it."""
        svg, title = svg_text(self), self._title()
        colours = "; ".join(f"{variable}: {colour}" for variable, colour in _NOTEBOOK_COLOURS.items())
        name = f"drawing-{sha256(svg.encode()).hexdigest()[:12]}"
        return (
            f'<figure style="{colours}; margin: 0.5em 0"><figcaption style="font-size: 14px; margin: 0 8px 8px">'
            f"{escape(title)}</figcaption>{inline_svg(svg, name, attribute('aria-label', title))}</figure>"
        )

    def _repr_png_(self) -> tuple[bytes, dict[str, Any]]:
        """Write the drawing as PNG for programs that show no HTML, with its size and description."""
        width, height = (round(inches * POINTS) for inches in self.get_size_inches())
        return figure_bytes(self, FigureStyle()), {"width": width, "height": height, "alt": self._title()}

    def _title(self) -> str:
        return next((text.get_text() for text in self.texts if text.get_gid() == "title"), "")


@contextmanager
def house_style() -> Iterator[None]:
    """Draw in the house style for the block, regardless of the user's settings, which stay as they were."""
    installed = {font.name for font in font_manager.fontManager.ttflist}
    families = ["DejaVu Sans", *(name for name in _FALLBACK_FONTS if name in installed)]
    settings: Any = {**_STYLE, "font.family": families}
    with matplotlib.rc_context(settings), warnings.catch_warnings():
        # The file then shows a box for the glyph; the page shows the text in the reader's own fonts.
        warnings.filterwarnings("ignore", message="(?s).*Glyph.*missing", category=UserWarning)
        yield


def new_drawing(width: float, height: float, title: str = "") -> Drawing:
    """Make an empty drawing of `width` by `height` CSS pixels, with its title at the upper left."""
    drawing = Drawing(figsize=(width / POINTS, height / POINTS))
    if title:
        # Measuring text would take longer than drawing it. A letter is 0.54 of the font's size wide on average.
        max_letters = {size: int((width - 16) / (0.54 * size)) for size in _TITLE_SIZES}
        size = next((size for size in _TITLE_SIZES if display_width(title) <= max_letters[size]), _TITLE_SIZES[-1])
        text = clip(title, max_letters[size])
        drawing.text(8 / width, 1 - 8 / height, text, fontsize=size, ha="left", va="top", color=INK, gid="title")
    return drawing


def add_axes(drawing: Figure, left: float, top: float, width: float, height: float) -> Axes:
    """Add axes at a position in CSS pixels from the drawing's upper left corner."""
    whole_width, whole_height = (inches * POINTS for inches in drawing.get_size_inches())
    # matplotlib counts from the lower left corner, in fractions of the drawing.
    bottom = whole_height - top - height
    return drawing.add_axes((left / whole_width, bottom / whole_height, width / whole_width, height / whole_height))


def svg_text(drawing: Figure) -> str:
    """Write the drawing as an SVG file with its text as text, the same bytes for the same drawing."""
    return _save_drawing(drawing, FigureStyle(format="svg")).decode()


def figure_bytes(drawing: Figure, style: FigureStyle) -> bytes:
    """Encode a drawing as a file in `style`, the same bytes for the same drawing, which stays unchanged."""
    return _save_drawing(_in_dark_theme(drawing) if style.theme == "dark" else drawing, style)


# Dates and versions of programs would make the bytes differ from run to run.
_WITHOUT_DATE: dict[str, dict[str, Any]] = {
    "png": {"Software": None},
    "svg": {"Date": None, "Creator": None},
    "pdf": {"CreationDate": None, "Creator": None, "Producer": None},
}


def _save_drawing(drawing: Figure, style: FigureStyle) -> bytes:
    buffer = BytesIO()
    metadata, dpi = _WITHOUT_DATE[style.format], POINTS if style.format == "svg" else style.dpi
    with house_style():
        drawing.savefig(buffer, format=style.format, dpi=dpi, metadata=metadata, transparent=style.transparent)
    return buffer.getvalue()


def _in_dark_theme(drawing: Figure) -> Figure:
    """Copy a drawing with the dark theme's colours instead of the light one's; other colours stay."""
    dark = deepcopy(drawing)
    with house_style():
        dark.draw_without_rendering()  # ticks exist only after that
    for artist in dark.findobj():
        for name in ("color", "facecolor", "edgecolor", "markerfacecolor", "markeredgecolor"):
            read, write = (getattr(artist, f"{verb}_{name}", None) for verb in ("get", "set"))
            if read is None or write is None:
                continue
            old = read()
            if isinstance(old, np.ndarray):  # a collection has a colour in each row, one for each of its marks
                if len(old):
                    write([_in_dark(colour) or colour for colour in map(tuple, old.reshape(-1, 4))])
            elif (new := _in_dark(old)) is not None:
                write(new)
    return dark


def _in_dark(colour: Any) -> tuple[float, float, float, float] | None:
    """Convert a colour of the light theme to the dark theme's, with its opacity; None for any other colour."""
    dark = _DARK.get(to_hex(colour)) if is_color_like(colour) else None
    return None if dark is None else to_rgba(dark, to_rgba(colour)[3])


def svg_element(drawing: Figure, name: str, description: str) -> str:
    """Write a drawing as an element for the page, whose texts follow the language.

    Args:
        name: a prefix for the element's ids, which must differ between the drawings of a page.
        description: a text for screen readers.
    """
    svg = svg_text(drawing)  # saving makes the labels of the axes
    texts = [text.get_text() for text in drawing.findobj(Text)]
    return follow_language(inline_svg(svg, name, attribute("aria-label", description)), texts)


def inline_svg(svg: str, name: str, label: str) -> str:
    """Turn an SVG file into an element in the theme's colours and the page's fonts, without its title.

    With the name "curves", `<g id="axes_1" style="stroke: #222222">` becomes
    `<g id="curves-axes_1" style="stroke: var(--ink)">`, if #222222 is the ink of the light theme.

    Args:
        label: the attribute for screen readers.
    """
    body = svg[svg.index("<svg") :]
    body = re.sub(r"<metadata>.*?</metadata>", "", body, flags=re.DOTALL)
    # The style element would apply to the whole page.
    body = re.sub(r"<style.*?</style>", "", body, flags=re.DOTALL)
    view_box = re.search(r'viewBox="0 0 ([\d.]+) ([\d.]+)"', body)
    assert view_box, svg[:400]
    width, height = map(float, view_box.groups())
    body, titles = re.subn(r'<g id="title">.*?</g>', "", body, flags=re.DOTALL)
    # The page writes the title itself, as text that can be translated: the drawing begins below it.
    top = titles * TITLE_HEIGHT
    opening = (
        f'<svg xmlns:xlink="http://www.w3.org/1999/xlink" viewBox="0 {top} {width:g} {height - top:g}" '
        f'width="{width:g}" height="{height - top:g}" role="img" {label}>'
    )
    body = opening + body[body.index(">") + 1 :]
    for colour, variable in _VARIABLES.items():
        body = body.replace(colour, f"var({variable})")
    # The page's own fonts, in the sizes of the drawing.
    body = re.sub(r"; font-family: [^;\"]*", "", body)
    body = re.sub(r"font: ([\d.]+px) [^;\"]*", r"font-size: \1", body)
    # Ids of two drawings must differ within a page; references to them change alike.
    body = re.sub(r' id="', f' id="{name}-', body)
    body = re.sub(r'(xlink:href="|url\()#', rf"\1#{name}-", body)
    return re.sub(r"\s*\n\s*", "\n", body)
