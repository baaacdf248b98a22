"""The diagram of a network as a drawing, so that it can be written in each format and theme as the other figures are.

`convscope.architecture.diagram` lays it out as SVG; here the few kinds of marks that it is made of are drawn again.
"""

import re
import xml.etree.ElementTree as ET

from matplotlib.axes import Axes
from matplotlib.patches import PathPatch
from matplotlib.path import Path

from convscope.architecture import Architecture
from convscope.report.style import ACCENT, INK, TITLE_HEIGHT, Drawing, add_axes, house_style, new_drawing

_MARK = re.compile(r"([MLhvz])([^MLhvz]*)")  # a command of an SVG path and its numbers
_FONT_SIZE = 11.5  # points: DejaVu Sans Mono, which every matplotlib has, is wider than the fonts of a browser
_MOVE, _LINE, _CLOSE = int(Path.MOVETO), int(Path.LINETO), int(Path.CLOSEPOLY)


def draw_diagram(architecture: Architecture) -> Drawing:
    """Draw the layers from left to right: maps as stacks of planes, vectors as bars, the numbers below them."""
    svg = ET.fromstring(architecture.diagram())
    _, _, width, height = map(float, svg.attrib["viewBox"].split())
    with house_style():
        drawing = new_drawing(
            width, height + TITLE_HEIGHT, f"{architecture.name}: {architecture.parameters:,} parameters"
        )
        axes = add_axes(drawing, 0, TITLE_HEIGHT, width, height)
        # SVG's y counts downwards.
        axes.set(xlim=(0, width), ylim=(height, 0))
        axes.set_axis_off()
        for element in svg:
            _draw_element(axes, element, {})
    return drawing


def _draw_element(axes: Axes, element: ET.Element, inherited: dict[str, str]) -> None:
    """Draw a text, path or rectangle of the SVG, or all those of a group.

    `<g fill="none"><path d="M0 0 h10" style="stroke:red"/></g>` is a path with fill "none" and stroke "red".
    """
    kind = element.tag.rpartition("}")[2]
    look = {**inherited, **element.attrib}
    look |= dict(part.split(":", 1) for part in element.attrib.get("style", "").split(";") if part)
    if kind == "g":
        for child in element:
            _draw_element(axes, child, look)
    elif kind == "text":
        axes.text(
            float(look["x"]),
            float(look["y"]),
            element.text or "",
            ha="center" if look.get("text-anchor") == "middle" else "left",
            va="baseline",
            family="DejaVu Sans Mono",
            fontsize=_FONT_SIZE,
            fontweight="bold" if "font-weight" in look else "normal",
            color=INK,
            alpha=float(look.get("fill-opacity", 1)),
        )
    elif kind in ("path", "rect"):
        fill = look.get("fill", "currentColor")
        has_stroke = "stroke" in look
        axes.add_patch(
            PathPatch(
                _outline(look) if kind == "rect" else _path(look["d"]),
                facecolor="none" if fill == "none" else (_colour(fill), float(look.get("fill-opacity", 1))),
                edgecolor=(_colour(look["stroke"]), float(look.get("stroke-opacity", 1))) if has_stroke else "none",
                linewidth=float(look.get("stroke-width", 1)),
                capstyle="round",
                joinstyle="round",
            )
        )


def _colour(value: str) -> str:
    return INK if value == "currentColor" else ACCENT  # a diagram has no third colour


def _outline(look: dict[str, str]) -> Path:
    x, y, width, height = (float(look[name]) for name in ("x", "y", "width", "height"))
    corners = [(x, y), (x + width, y), (x + width, y + height), (x, y + height), (x, y)]
    return Path(corners, closed=True)


def _path(text: str) -> Path:
    """Convert an SVG path whose commands are M and L with points, h and v with a length, and z."""
    points, codes = list[tuple[float, float]](), list[int]()
    x = y = 0.0
    # matplotlib wants points: h and v move one coordinate of the last point; z repeats the point, which matplotlib
    # ignores.
    for command, rest in _MARK.findall(text):
        numbers = list(map(float, rest.split()))
        if command in "ML":
            x, y = numbers
        elif command == "h":
            x += numbers[0]
        elif command == "v":
            y += numbers[0]
        points.append((x, y))
        codes.append({"M": _MOVE, "z": _CLOSE}.get(command, _LINE))
    return Path(points, codes)
