"""The charts of the frontier: accuracy against what a network costs, with intervals, and published results beside."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from math import ceil, floor, hypot, log10
from typing import Any

from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator
from style import ACCENT, INK, MUTED, PAPER, add_axes, house_style, new_figure

Row = Mapping[str, Any]
"""A point or a published result."""
Position = tuple[float, float]
"""The cost and the error rate at which a mark stands."""
Box = tuple[float, float, float, float]
"""Left, bottom, right and top of a rectangle, in pixels of a chart."""

LETTERS = "abcdefghijklmnopqrstuvwxyz"
"""The names of published results in a chart and in the table beside it."""

WIDTH = 720
_LEFT, _RIGHT, _TOP, _BOTTOM, _HEIGHT = 64, 24, 40, 48, 360
_MARK, _LETTER, _LINE = 9, 7.2, 14  # pixels: a mark, a letter's width, the height of a line of text
_STEP = 5  # pixels between the squares along a line that names avoid
_BARS: dict[str, dict[str, Any]] = {
    "interval_with_images": {"linewidth": 1.25},
    "interval": {"linewidth": 6, "alpha": 0.35, "solid_capstyle": "butt"},
}
_TICK_ROOM = 22  # pixels between two ticks
_AXES = {"parameters": "parameters", "seconds": "seconds of training", "weights_bytes": "bytes of the stored weights"}
_PREFIXES = ((1e9, "G"), (1e6, "M"), (1e3, "k"), (1, ""))
_UNITS = {"parameters": "", "seconds": "s", "weights_bytes": "B"}


def draw_frontier(
    points: Sequence[Row], published: Sequence[Row], front: Sequence[str], cost: str, num_images: int
) -> Figure:
    """Draw the mean accuracy of each point against a cost, both on logarithmic axes, the accuracy by its errors.

    A bar is the 95 % interval of the mean over seeds and images, its thick part that over seeds alone. Points on the
    front are joined by a line; published results are hollow and carry a letter.

    Args:
        points: at least one must have this cost.
        published: the published results.
        front: the names of the points that no other point beats.
        cost: "parameters", "seconds" or "weights_bytes".
        num_images: the number of test images; no error below half an image is drawn.
    """
    shown = [point for point in points if point[cost]]
    beside = [(letter, result) for letter, result in zip(LETTERS, published, strict=False) if result[cost]]

    def position(row: Row) -> Position:
        return float(row[cost]), _error(row["mean"] if "mean" in row else row["accuracy"], num_images)

    marks = [position(row) for row in (*shown, *(result for _, result in beside))]
    ends = [_error(end, num_images) for point in shown for end in point["interval_with_images"] or ()]
    with house_style():
        figure = new_figure(WIDTH, _TOP + _HEIGHT + _BOTTOM)
        axes = add_axes(figure, _LEFT, _TOP, WIDTH - _LEFT - _RIGHT, _HEIGHT)
        _frame(axes, [x for x, _ in marks], [*(y for _, y in marks), *ends], cost)
        room = _Room(axes)
        for mark in marks:
            room.take_mark(mark)
        joined = sorted(position(point) for point in shown if point["name"] in front)
        axes.plot(*zip(*joined, strict=True), color=ACCENT, linewidth=1.5, alpha=0.6)
        for first, second in pairwise(joined):
            room.take_line(first, second)
        for point in shown:
            colour = ACCENT if point["name"] in front else MUTED
            _draw_bars(axes, room, point, float(point[cost]), colour, num_images)
            axes.plot(*position(point), "o", color=colour, markersize=8, markeredgecolor=PAPER)
        for _, result in beside:
            axes.plot(*position(result), "o", color=MUTED, markersize=7, fillstyle="none", markeredgewidth=1.25)
        for point in sorted(shown, key=lambda point: point["name"] not in front):
            room.write(point["name"], position(point), INK if point["name"] in front else MUTED, 12)
        for letter, result in beside:
            room.write(letter, position(result), MUTED, 11)
    return figure


def _error(accuracy: float, num_images: int) -> float:
    """Compute the error rate, but no less than that of half an image, which has a place on a logarithmic axis."""
    return max(1 - accuracy, 0.5 / num_images)


def _draw_bars(axes: Any, room: "_Room", point: Row, x: float, colour: str, num_images: int) -> None:
    """Draw the intervals of a point that has them."""
    for name, look in _BARS.items():
        if point[name] is not None:
            low, high = (_error(end, num_images) for end in point[name])
            axes.plot([x, x], [low, high], color=colour, **look)
            room.take_line((x, low), (x, high))


def format_cost(value: float, cost: str) -> str:
    """Write a cost as in a sentence: 7,610 parameters, 30.4 kB, 0.42 s."""
    if cost == "weights_bytes":
        scale, prefix = next(((worth, prefix) for worth, prefix in _PREFIXES if value >= worth), (1, ""))
        number, unit = f"{value / scale:.3g}", f"{prefix}B"
    else:
        number, unit = f"{value:,.0f}", "parameters"
    if cost == "seconds":
        number, unit = (number if value >= 100 else f"{value:.3g}"), "s"
    return f"{number} {unit}"


def set_error_axis(axes: Any, errors: Sequence[float], height: float) -> None:
    """Make the vertical axis one of accuracies, logarithmic in their errors, so that good ones stand apart.

    Args:
        errors: the error rates, above 0, that the axis has room for.
        height: the height of the axes, in pixels.
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
    """Compute the ends of a logarithmic axis with room for all of `values`, and at least a factor of two."""
    low, high = log10(min(values)), log10(max(values))
    more = max(spare * (high - low), (0.3 - (high - low)) / 2, 0.03)
    return 10 ** (low - more), 10 ** (high + more)


def _cost_ticks(low: float, high: float) -> list[float]:
    """List the powers of ten; on shorter axes their triples too, or on the shortest their doubles and halves."""
    steps = (1,) if log10(high / low) > 2.5 else (1, 3) if log10(high / low) > 1.2 else (1, 2, 5)
    ticks = [step * 10.0**power for power in range(floor(log10(low)), ceil(log10(high)) + 1) for step in steps]
    return [tick for tick in ticks if low <= tick <= high]


def _error_ticks(low: float, high: float, height: float) -> list[float]:
    """List error rates of few digits that stand far enough apart; the roundest are chosen first."""
    room = _TICK_ROOM / height * log10(high / low)
    powers = range(floor(log10(low)) - 1, ceil(log10(high)) + 1)
    taken = list[float]()
    for step in (1, 5, 2, 3, 7):
        for tick in (step * 10.0**power for power in powers):
            if low <= tick <= high and all(abs(log10(tick / taken_tick)) >= room for taken_tick in taken):
                taken.append(tick)
    return sorted(taken)


def _short(value: float, cost: str) -> str:
    """Write a cost as on an axis: 10,000 s, 20 k, 500 B."""
    known = _PREFIXES if cost != "seconds" else _PREFIXES[-1:]
    scale, prefix = next(((worth, prefix) for worth, prefix in known if value >= 0.999 * worth), (1, ""))
    number = value / scale
    return f"{f'{number:,.0f}' if number >= 1 else f'{number:.3g}'} {prefix}{_UNITS[cost]}".rstrip()


class _Room:
    """The rectangles of a chart that are taken, so that names can be written in free ones."""

    def __init__(self, axes: Any) -> None:
        self._axes, self._taken, self._marks = axes, list[Box](), list[Position]()

    def take_mark(self, position: Position) -> None:
        """Take the square of a mark, to which a name that stands near to it seems to belong."""
        self._marks.append(self._pixels(position))
        self.take_line(position, position)

    def take_line(self, start: Position, end: Position) -> None:
        """Take squares of a mark's size along a line."""
        (x, y), (to_x, to_y) = self._pixels(start), self._pixels(end)
        count = 1 + round(hypot(to_x - x, to_y - y) / _STEP)
        for step in range(count + 1):
            share = step / count
            left, bottom = x + share * (to_x - x) - _MARK / 2, y + share * (to_y - y) - _MARK / 2
            self._taken.append((left, bottom, left + _MARK, bottom + _MARK))

    def write(self, text: str, position: Position, colour: str, size: float) -> None:
        """Write a name where it meets least and no other mark is nearer: first right or left, then above and below."""
        x, y = self._pixels(position)
        wide, high = _LETTER * size / 12 * len(text), float(_LINE)
        near, far = _MARK / 2 + 3, wide + _MARK / 2 + 3
        corners = [(near, -high / 2), (-far, -high / 2), (-wide / 2, near), (-wide / 2, -near - high)]
        corners += [(near, 6.0), (near, -6 - high), (-far, 6.0), (-far, -6 - high)]
        boxes = [(x + right, y + up, x + right + wide, y + up + high) for right, up in corners]
        box = min(boxes, key=lambda box: self._overlap(box) + wide * high / 5 * self._misleads(box, (x, y)))
        self._taken.append(box)
        shift = (box[0] - x, box[1] + high / 2 - y)
        self._axes.annotate(text, position, shift, textcoords="offset points", color=colour, fontsize=size, va="center")

    def _misleads(self, box: Box, mark: Position) -> bool:
        """True if another mark is nearer to a rectangle than the mark that it names."""
        own = _distance(mark, box)
        return any(_distance(nearby, box) < own for nearby in self._marks if nearby != mark)

    def _overlap(self, box: Box) -> float:
        """Count how many square pixels of a rectangle are taken or lie outside the chart; the latter weigh more."""
        left, bottom, right, top = box
        outside = (right - left) * (top - bottom) - _overlap_area(box, (0.0, 0.0, WIDTH - _LEFT - _RIGHT, _HEIGHT))
        return 4 * outside + sum(_overlap_area(box, box_there) for box_there in self._taken)

    def _pixels(self, position: Position) -> Position:
        left, bottom = self._axes.transData.transform(position) - self._axes.transAxes.transform((0, 0))
        return float(left), float(bottom)


def _distance(point: Position, box: Box) -> float:
    """Compute the distance in pixels of a point to a rectangle."""
    return hypot(*(max(low - at, 0.0, at - high) for at, low, high in zip(point, box[:2], box[2:], strict=True)))


def _overlap_area(first: Box, second: Box) -> float:
    wide = min(first[2], second[2]) - max(first[0], second[0])
    high = min(first[3], second[3]) - max(first[1], second[1])
    return wide * high if wide > 0 and high > 0 else 0.0
