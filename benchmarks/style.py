"""The look of the charts of published results: SVG files that follow the theme of the page or system that shows them.

Charts are drawn in the colours of the light theme. Each of these colours has one role and is used for nothing else, so
the file can replace it by a CSS variable of that role.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from typing import Any

import matplotlib
from matplotlib.figure import Figure

PAPER = "#fbfaf7"
INK = "#1b2028"
MUTED = "#59626e"
HAIRLINE = "#dcdfe3"
ACCENT = "#7435c9"
WARM = "#b8530a"

COLOURS = {
    "--paper": (PAPER, "#14171c"),
    "--ink": (INK, "#e6e8eb"),
    "--muted": (MUTED, "#9fa8b4"),
    "--hairline": (HAIRLINE, "#2d343e"),
    "--accent": (ACCENT, "#c3a0ff"),
    "--warm": (WARM, "#f0a35e"),
}
"""The colour of each role in the light and in the dark theme."""

POINTS = 72
"""Dots an inch. Charts are laid out in CSS pixels: at 72 dots an inch, a point of matplotlib is a pixel."""

STYLE: dict[str, Any] = {
    "font.family": "DejaVu Sans",
    "font.size": 12.0,
    "text.color": INK,
    "text.parse_math": False,
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
    "svg.fonttype": "none",
    "svg.hashsalt": "convscope",
    "svg.image_inline": True,
    "pdf.fonttype": 42,  # whole fonts, whose text other programs can edit and search
}


@contextmanager
def house_style() -> Iterator[None]:
    """Draw in this style, whatever the user's own settings are."""
    with matplotlib.rc_context(STYLE):
        yield


def new_figure(width: float, height: float) -> Figure:
    """Make an empty figure of `width` by `height` CSS pixels."""
    return Figure(figsize=(width / POINTS, height / POINTS))


def add_axes(figure: Figure, left: float, top: float, width: float, height: float) -> Any:
    """Add axes at a position in CSS pixels from the figure's upper left corner."""
    whole_width, whole_height = (inches * POINTS for inches in figure.get_size_inches())
    bottom = whole_height - top - height
    return figure.add_axes((left / whole_width, bottom / whole_height, width / whole_width, height / whole_height))


def format_svg(figure: Figure) -> str:
    """Write a figure as an SVG file with its text as text; the same figure gives the same bytes."""
    buffer = BytesIO()
    with house_style():
        figure.savefig(buffer, format="svg", dpi=POINTS, metadata={"Date": None, "Creator": None})
    body = buffer.getvalue().decode()
    for variable, (light, _) in COLOURS.items():
        body = body.replace(light, f"var({variable})")
    light, dark = (
        "; ".join(f"{variable}: {colours[theme]}" for variable, colours in COLOURS.items()) for theme in (0, 1)
    )
    style = f"<style>:root {{ {light} }} @media (prefers-color-scheme: dark) {{ :root {{ {dark} }} }}</style>"
    body = re.sub(r"(font-family: |font: [\d.]+px )[^;\"]*", r"\1system-ui, sans-serif", body)
    body = re.sub(r'="([\d.]+)pt"', r'="\1"', body, count=2)  # the picture's width and height, in CSS pixels
    return re.sub(r"(<svg[^>]*>)", rf"\1{style}", body, count=1)
