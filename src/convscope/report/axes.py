"""The common parts of charts: ticks and grid lines, intervals, and texts beside the marks."""

from collections.abc import Callable, Iterable, Sequence
from typing import Literal

from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.ticker import FuncFormatter, MaxNLocator

from convscope.base.tables import clip, display_width
from convscope.report.style import INK, PAPER
from convscope.texts import Figure, format_rounded

CHART_WIDTH = 448  # pixels: a column of the page
LINE = 16  # pixels from one line of text to the next
LETTER = 7.6  # pixels, as wide as a letter gets
DASHES = (0, (4, 3))  # from the start, 4 points drawn and 3 left out
ROW = ("axes fraction", "data")
"""Coordinates of texts beside a row: x as a fraction of the axes, y as the row's value."""


def percent_tick(value: float, _position: int | None = None) -> Figure:
    """Format a fraction in percent for an axis; matplotlib passes the position too."""
    return format_rounded(100 * value, 4, "%")


def number_tick(value: float, _position: int | None = None) -> Figure:
    """Format a number for an axis."""
    return format_rounded(value, 4)


def points_tick(value: float, _position: int | None = None) -> Figure:
    """Format a change of a fraction in percentage points for an axis."""
    return format_rounded(100 * value, 4)


def set_ticks(axis: Axis, max_ticks: int, write_tick: Callable[[float, int], str]) -> None:
    """Put at most `max_ticks` + 1 round numbers along an axis, each written by `write_tick`."""
    axis.set_major_locator(MaxNLocator(max_ticks))
    axis.set_major_formatter(FuncFormatter(write_tick))


def draw_grid(axes: Axes, *, has_base: bool = True) -> None:
    """Draw lines across the axes at the ticks of its values, in place of the frame at the left; keep the base line."""
    axes.grid(axis="y")
    axes.spines["left"].set_visible(False)
    axes.spines["bottom"].set_visible(has_base)
    axes.tick_params(axis="y", left=False)


def draw_interval(
    axes: Axes, value: float, interval: Sequence[float] | None, row: float, colour: str, size: float = 8
) -> None:
    """Draw a value as a dot, within the band of its interval."""
    if interval is not None:
        axes.plot(interval, [row, row], color=colour, linewidth=8, alpha=0.35, solid_capstyle="butt")
    axes.plot([value], [row], "o", color=colour, markersize=size, markeredgecolor=PAPER)


def write(
    axes: Axes,
    text: str,
    at: tuple[float, float],
    shift: tuple[float, float],
    colour: str = INK,
    *,
    of: str | tuple[str, str] = "axes fraction",
    ha: Literal["left", "center", "right"] = "left",
    va: Literal["center", "baseline"] = "center",
) -> None:
    """Write a text `shift` pixels from the point `at`, in the coordinates `of`."""
    axes.annotate(text, at, shift, of, "offset points", ha=ha, va=va, color=colour)


def write_ends(axes: Axes, labels: Iterable[tuple[float, str, str]], height: float) -> None:
    """Write the name of each line at its right end, moved apart where two would overlap.

    Args:
        labels: the last value, the name and the colour of each line.
        height: the height of the axes, in pixels.
    """
    low, high = axes.get_ylim()
    ends = sorted(((value - low) / (high - low) * height, text, colour) for value, text, colour in labels)
    heights = spread([end_height for end_height, _, _ in ends], LINE, height)
    for label_height, (_, text, colour) in zip(heights, ends, strict=True):
        write(axes, text, (1, label_height / height), (8, 0), colour)


def spread(positions: Sequence[float], distance: float, height: float) -> list[float]:
    """Move rising positions apart to at least `distance`, and then all down if the last one is above `height`.

    At a distance of 16, the positions 30 and 38 become 30 and 46, and below a height of 40 then 24 and 40.
    """
    moved: list[float] = []
    for position in positions:
        moved.append(max(position, moved[-1] + distance) if moved else position)
    overshoot = max(moved[-1] - height, 0)
    return [position - overshoot for position in moved]


def names_width(names: Sequence[str], max_width: int) -> int:
    """Compute the pixels that `names`, clipped to `max_width` columns, take as labels of an axis."""
    return 24 + round(LETTER * max(display_width(clip(name, max_width)) for name in names))
