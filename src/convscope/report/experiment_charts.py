"""The chart of an experiment: every run as a dot with the mean of its group."""

from collections.abc import Sequence
from math import ceil, floor, log10
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator
from numpy.typing import NDArray

from convscope.base.tables import clip, display_width
from convscope.experiment import DivergedRun
from convscope.experiment.records import GroupRecord
from convscope.report.axes import LETTER, ROW, draw_grid, percent_tick, set_ticks, write
from convscope.report.findings import percent
from convscope.report.style import ACCENT, INK, MUTED, Drawing, add_axes, house_style, new_drawing
from convscope.texts import figure, say

Floats = NDArray[np.float64]

WIDTH = 720
_TOP, _RIGHT, _BOTTOM = 40, 144, 56  # pixels around the strips: for the title, for their numbers, and for the axis
# A strip, in pixels from its upper end: stacks of dots from 7 to 41, and from 45 to 55 the mean (|) within its band.
#
#     name      o        o                  98.91 %
#     recipe    o o   oo o   o              n 12
#                [=====|=====]
_ROW, _DOTS, _MIDDLE = 64, 34, 44  # a strip, the room of its dots, and the line between dots and band
_DOT = 6.0  # pixels
_LONGEST_NAME = 26
_TICK_ROOM = 22  # pixels between two ticks


def group_names(group: GroupRecord | DivergedRun) -> tuple[str, str]:
    """Name a group by its network and recipe."""
    return ", ".join(filter(None, (group.architecture, group.name))), group.recipe


def draw_strips(groups: Sequence[GroupRecord], values: Sequence[Sequence[float]], title: str = "") -> Drawing:
    """Draw for each group its runs as dots, and below them its mean (a mark) within its 95 % interval (a band).

    The interval is that over seeds and images.

    Args:
        values: for each group the accuracies of its runs.
    """
    names = [group_names(group) for group in groups]
    left = 24 + round(LETTER * max(display_width(clip(text, _LONGEST_NAME)) for pair in names for text in pair))
    width, height = WIDTH - left - _RIGHT, _ROW * len(groups)
    low, high = _limits([(group.minimum, group.maximum, *(group.interval_with_images or ())) for group in groups])
    with house_style():
        drawing = new_drawing(WIDTH, _TOP + height + _BOTTOM, title)
        axes = add_axes(drawing, left, _TOP, width, height)
        axes.set_xlim(low, high)
        axes.set_ylim(height, 0)
        for row, (group, accuracies) in enumerate(zip(groups, values, strict=True)):
            colour, middle = (ACCENT if row == 0 else MUTED), row * _ROW + _MIDDLE
            positions = np.sort(np.asarray(accuracies, np.float64))
            # Stacked by their places in pixels, since whether dots touch depends on their size.
            heights = _compute_stack_heights((positions - low) / (high - low) * width)
            # A dot is the round ends of a line of half a pixel (`ends`, in units of the axis). All lines are one path,
            # which takes half the room of marks.
            ends = np.array([-0.25, 0.25]) / width * (high - low)
            dots = [
                (position + ends, np.full(2, middle - _DOT - up))
                for position, up in zip(positions, heights, strict=True)
            ]
            _draw_lines(axes, dots, color=colour, linewidth=_DOT, solid_capstyle="round")
            if group.interval_with_images is not None:
                interval = group.interval_with_images
                axes.plot(interval, [middle + 6] * 2, color=colour, linewidth=6, alpha=0.35, solid_capstyle="butt")
            axes.vlines(group.mean, middle + 1, middle + 11, color=INK, linewidth=2)
            _write_beside(axes, group, names[row], middle)
        axes.set_yticks([])
        set_ticks(axes.xaxis, 5, percent_tick)
        axes.grid(axis="x")
        axes.spines[:].set_visible(False)
        axes.tick_params(bottom=False)
        drawing.text(8 / WIDTH, 12 / (_TOP + height + _BOTTOM), say("evidence.seeds.legend"), color=MUTED)
    return drawing


def _limits(values: Sequence[Sequence[float]]) -> tuple[float, float]:
    """Compute the ends of an axis with room for all of `values`."""
    low, high = min(map(min, values)), max(map(max, values))
    spare = 0.04 * (high - low) or 0.005
    return low - spare, high + spare


def _compute_stack_heights(positions: Floats) -> Floats:
    """Stack dots so that no two touch: return (n,) how far up each of `positions`, which rise, stands, in pixels.

    Dots of 6 pixels at 0, 2, 7 and 8 have the levels 0, 1, 0 and 1, and stand 0, 6, 0 and 6 pixels up.
    """
    levels, ends = np.zeros(len(positions), np.int64), list[float]()  # ends: the last dot's position on each level
    for number, position in enumerate(positions):
        # The lowest level whose last dot is at least a dot's width to the left.
        level = next((level for level, end in enumerate(ends) if position - end >= _DOT), len(ends))
        if level == len(ends):
            ends.append(position)
        ends[level] = position
        levels[number] = level
    # High stacks are pressed together, so that a strip keeps its height.
    heights = levels * min(_DOT, (_DOTS - _DOT) / max(float(levels.max()), 1))
    return np.asarray(heights, np.float64)


def _draw_lines(axes: Axes, lines: Sequence[tuple[NDArray[Any], Floats]], **look: Any) -> None:
    """Draw lines, each (x, y), as one path with gaps."""
    x, y = (np.concatenate([[*line[axis], np.nan] for line in lines]) for axis in (0, 1))
    axes.plot(x, y, **look)


def _write_beside(axes: Axes, group: GroupRecord, names: tuple[str, str], middle: float) -> None:
    """Write the group's name to the left of its strip, and its mean and spread to the right."""
    runs = say("runs.oneRun")
    if group.sd is not None:
        runs = say("evidence.seeds.spreadBeside", sd=figure(100 * group.sd, 2), n=group.num_runs)
    clipped = [clip(name, _LONGEST_NAME) for name in names]
    # At each side two lines, the upper one dark: 16 pixels to the left of the axes (x = 0) and to the right (x = 1).
    for x, texts in ((0, clipped), (1, [percent(group.mean), runs])):
        for text, up, colour in ((texts[0], 8, INK), (texts[1], -8, MUTED)):
            write(axes, text, (x, middle - 8), (32 * x - 16, up), colour, of=ROW, ha="left" if x else "right")


def set_error_axis(axes: Axes, errors: Sequence[float], height: float) -> None:
    """Make the vertical axis one of accuracies, logarithmic in their errors, so that good ones stand apart.

    Args:
        errors: shares above 0 that the axis has room for.
        height: the height of the axes, in pixels.
    """
    low, high = _spread(errors, 0.07)
    axes.set_yscale("log")
    axes.set_ylim(high, low)  # fewer errors are higher up
    axes.yaxis.set_major_locator(FixedLocator(_error_ticks(low, high, height)))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * (1 - value):.4g} %"))
    axes.yaxis.set_minor_locator(NullLocator())
    draw_grid(axes)


def _spread(values: Sequence[float], spare: float) -> tuple[float, float]:
    """Compute the ends of a logarithmic axis with room for all of `values`, and at least a factor of two."""
    low, high = log10(min(values)), log10(max(values))
    # 0.3 is log10(2). What the values lack of a factor of two is added in halves, below and above.
    more = max(spare * (high - low), (0.3 - (high - low)) / 2, 0.03)
    return 10 ** (low - more), 10 ** (high + more)


def _error_ticks(low: float, high: float, height: float) -> list[float]:
    """List errors of few digits that stand far enough apart, in rising order.

    From 0.004 to 0.03, there is first 0.01, then 0.005, and 0.02 and 0.03 where they have room.
    """
    # The distance of two ticks as a part of the axis's logarithm.
    min_distance = _TICK_ROOM / height * log10(high / low)
    powers = range(floor(log10(low)) - 1, ceil(log10(high)) + 1)
    ticks = list[float]()
    # A later, less round tick is added only where it keeps its distance from all others.
    for step in (1, 5, 2, 3, 7):
        for tick in (step * 10.0**power for power in powers):
            if low <= tick <= high and all(abs(log10(tick / neighbour)) >= min_distance for neighbour in ticks):
                ticks.append(tick)
    return sorted(ticks)
