"""The charts of the frontier: accuracy against what a network costs, with intervals, and published results beside."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from math import ceil, floor, hypot, log10
from typing import Any

from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from convscope.base.tables import clip, display_width
from convscope.report.experiment_charts import WIDTH
from convscope.report.style import ACCENT, INK, MUTED, PAPER, Drawing, add_axes, house_style, new_drawing

Row = Mapping[str, Any]
"""A point or a published result, as in `Frontier.to_dict()`."""
Place = tuple[float, float]
"""A cost and a share of errors."""
Box = tuple[float, float, float, float]
"""Left, bottom, right and top of a rectangle, in pixels of a chart."""

LETTERS = "abcdefghijklmnopqrstuvwxyz"
"""What published results are called in a chart and in the table beside it."""

_LEFT, _RIGHT, _TOP, _BOTTOM, _HEIGHT = 64, 24, 40, 48, 360
_MARK, _LETTER, _LINE = 9, 7.2, 14  # pixels: a mark, a letter's width, a line's height
_STEP = 5  # pixels, of a line that names avoid
_BARS: dict[str, dict[str, Any]] = {
    "interval_with_images": {"linewidth": 1.25},
    "interval": {"linewidth": 6, "alpha": 0.35, "solid_capstyle": "butt"},
}
_LONGEST_NAME = 22
_TICK_ROOM = 22  # pixels between two of them
_AXES = {"parameters": "parameters", "seconds": "seconds of training", "weights_bytes": "bytes of the stored weights"}
_PREFIXES = ((1e9, "G"), (1e6, "M"), (1e3, "k"), (1, ""))
_UNITS = {"parameters": "", "seconds": "s", "weights_bytes": "B"}


def draw_frontier(
    points: Sequence[Row], published: Sequence[Row], front: Sequence[str], cost: str, num_images: int, title: str = ""
) -> Drawing:
    """Draw the mean accuracy of each point against a cost, both on logarithmic axes, the accuracy by its errors.

    A bar is the 95 % interval of the mean over seeds and images, its thick part that over seeds alone. Points on the
    front are joined by a line; published results are hollow and carry a letter.

    Args:
        points: at least one with this cost.
        front: the names of those that no other point beats.
        cost: "parameters", "seconds" or "weights_bytes".
        num_images: of the test; no error below half an image is drawn.
    """
    shown = [one for one in points if one[cost]]
    beside = [(letter, one) for letter, one in zip(LETTERS, published, strict=False) if one[cost]]

    def error(accuracy: float) -> float:
        return max(1 - accuracy, 0.5 / num_images)

    def place(one: Row) -> Place:
        return float(one[cost]), error(one["mean"] if "mean" in one else one["accuracy"])

    marks = [place(one) for one in (*shown, *(one for _, one in beside))]
    ends = [error(end) for one in shown for end in one["interval_with_images"] or ()]
    with house_style():
        drawing = new_drawing(WIDTH, _TOP + _HEIGHT + _BOTTOM, title)
        axes = add_axes(drawing, _LEFT, _TOP, WIDTH - _LEFT - _RIGHT, _HEIGHT)
        _frame(axes, [x for x, _ in marks], [*(y for _, y in marks), *ends], cost)
        room = _Room(axes)
        for mark in marks:
            room.take_line(mark, mark)
        joined = sorted(place(one) for one in shown if one["name"] in front)
        axes.plot(*zip(*joined, strict=True), color=ACCENT, linewidth=1.5, alpha=0.6)
        for first, second in pairwise(joined):
            room.take_line(first, second)
        for one in shown:
            colour, (x, y) = (ACCENT if one["name"] in front else MUTED), place(one)
            for name, look in _BARS.items():
                if one[name] is not None:
                    low, high = map(error, one[name])
                    axes.plot([x, x], [low, high], color=colour, **look)
                    room.take_line((x, low), (x, high))
            axes.plot(x, y, "o", color=colour, markersize=8, markeredgecolor=PAPER)
        for _, one in beside:
            axes.plot(*place(one), "o", color=MUTED, markersize=7, fillstyle="none", markeredgewidth=1.25)
        for one in sorted(shown, key=lambda one: one["name"] not in front):
            room.write(clip(one["name"], _LONGEST_NAME), place(one), INK if one["name"] in front else MUTED, 12)
        for letter, one in beside:
            room.write(letter, place(one), MUTED, 11)
    return drawing


def cost_text(value: float, cost: str) -> str:
    """Return a cost as it is said in a sentence.

    >>> cost_text(7610, "parameters"), cost_text(30440, "weights_bytes"), cost_text(0.42, "seconds")
    ('7,610\xa0parameters', '30.4\xa0kB', '0.42\xa0s')
    """
    if cost == "weights_bytes":
        scale, prefix = next(((worth, prefix) for worth, prefix in _PREFIXES if value >= worth), (1, ""))
        number, unit = f"{value / scale:.3g}", f"{prefix}B"
    else:
        number, unit = f"{value:,.0f}", "parameters"
    if cost == "seconds":
        number, unit = (number if value >= 100 else f"{value:.3g}"), "s"
    return f"{number}\N{NO-BREAK SPACE}{unit}"


def set_error_axis(axes: Any, errors: Sequence[float], height: float) -> None:
    """Make the vertical axis one of accuracies, logarithmic in their errors, so that good ones stand apart.

    Args:
        errors: shares above 0 that the axis has room for.
        height: of the axes, in pixels.
    """
    low, high = _spread(errors, 0.07)
    axes.set_yscale("log")
    axes.set_ylim(high, low)  # fewer errors are higher up
    axes.yaxis.set_major_locator(FixedLocator(_error_ticks(low, high, height)))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * (1 - value):.4g} %"))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.grid(axis="y")
    axes.spines["left"].set_visible(False)
    axes.tick_params(left=False)


def _frame(axes: Any, costs: Sequence[float], errors: Sequence[float], cost: str) -> None:
    axes.set_xscale("log")
    left, right = _spread(costs, 0.09)
    axes.set_xlim(left, right)
    set_error_axis(axes, errors, _HEIGHT)
    axes.xaxis.set_major_locator(FixedLocator(_cost_ticks(left, right)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: _short(value, cost)))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xlabel(_AXES[cost])


def _spread(values: Sequence[float], spare: float) -> tuple[float, float]:
    """Return the ends of a logarithmic axis with room for all of `values`, and at least a factor of two."""
    low, high = log10(min(values)), log10(max(values))
    more = max(spare * (high - low), (0.3 - (high - low)) / 2, 0.03)
    return 10 ** (low - more), 10 ** (high + more)


def _cost_ticks(low: float, high: float) -> list[float]:
    """Return powers of ten, or where there are fewer than three of them their doubles and halves too."""
    steps = (1,) if log10(high / low) > 2.5 else (1, 3) if log10(high / low) > 1.2 else (1, 2, 5)
    ticks = [step * 10.0**power for power in range(floor(log10(low)), ceil(log10(high)) + 1) for step in steps]
    return [tick for tick in ticks if low <= tick <= high]


def _error_ticks(low: float, high: float, height: float) -> list[float]:
    """Return errors of few digits that stand far enough apart, the roundest first."""
    room = _TICK_ROOM / height * log10(high / low)
    powers = range(floor(log10(low)) - 1, ceil(log10(high)) + 1)
    taken = list[float]()
    for step in (1, 5, 2, 3, 7):
        for tick in (step * 10.0**power for power in powers):
            if low <= tick <= high and all(abs(log10(tick / other)) >= room for other in taken):
                taken.append(tick)
    return sorted(taken)


def _short(value: float, cost: str) -> str:
    """Return a cost as an axis writes it.

    >>> _short(10_000, "seconds"), _short(0.1, "seconds"), _short(20_000, "parameters"), _short(500, "weights_bytes")
    ('10,000 s', '0.1 s', '20 k', '500 B')
    """
    known = _PREFIXES if cost != "seconds" else _PREFIXES[-1:]
    scale, prefix = next(((worth, prefix) for worth, prefix in known if value >= 0.999 * worth), (1, ""))
    number = value / scale
    return f"{f'{number:,.0f}' if number >= 1 else f'{number:.3g}'} {prefix}{_UNITS[cost]}".rstrip()


class _Room:
    """Which rectangles of a chart are taken, so that names find free ones."""

    def __init__(self, axes: Any) -> None:
        self._axes, self._taken = axes, list[Box]()

    def take_line(self, first: Place, last: Place) -> None:
        """Take squares along a line, of a mark's size."""
        (x, y), (to_x, to_y) = self._pixels(first), self._pixels(last)
        count = 1 + round(hypot(to_x - x, to_y - y) / _STEP)
        for part in (number / count for number in range(count + 1)):
            left, bottom = x + part * (to_x - x) - _MARK / 2, y + part * (to_y - y) - _MARK / 2
            self._taken.append((left, bottom, left + _MARK, bottom + _MARK))

    def write(self, text: str, place: Place, colour: str, size: float) -> None:
        """Write a name where it meets least: right or left of its mark first, then above, below and at the corners."""
        x, y = self._pixels(place)
        wide, high = _LETTER * size / 12 * display_width(text), float(_LINE)
        near, far = _MARK / 2 + 3, wide + _MARK / 2 + 3
        corners = [(near, -high / 2), (-far, -high / 2), (-wide / 2, near), (-wide / 2, -near - high)]
        corners += [(near, 6.0), (near, -6 - high), (-far, 6.0), (-far, -6 - high)]
        boxes = [(x + right, y + up, x + right + wide, y + up + high) for right, up in corners]
        box = min(boxes, key=self._overlap)  # the first of equals
        self._taken.append(box)
        shift = (box[0] - x, box[1] + high / 2 - y)
        self._axes.annotate(text, place, shift, textcoords="offset points", color=colour, fontsize=size, va="center")

    def _overlap(self, box: Box) -> float:
        """Return how many square pixels of a rectangle are taken or lie outside the chart; the latter weigh more."""
        left, bottom, right, top = box
        outside = (right - left) * (top - bottom) - _shared(box, (0.0, 0.0, WIDTH - _LEFT - _RIGHT, _HEIGHT))
        return 4 * outside + sum(_shared(box, other) for other in self._taken)

    def _pixels(self, place: Place) -> Place:
        left, bottom = self._axes.transData.transform(place) - self._axes.transAxes.transform((0, 0))
        return float(left), float(bottom)


def _shared(one: Box, other: Box) -> float:
    wide = min(one[2], other[2]) - max(one[0], other[0])
    high = min(one[3], other[3]) - max(one[1], other[1])
    return wide * high if wide > 0 and high > 0 else 0.0
