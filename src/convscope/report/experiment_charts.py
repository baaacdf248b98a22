"""The charts of an experiment: every run as a dot with the mean of its group, and accuracy over the epochs."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, floor, log10
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator
from numpy.typing import NDArray

from convscope.base.statistics import mean_share_interval
from convscope.base.tables import clip, display_width
from convscope.data.datasets import evenly
from convscope.experiment import DivergedRun
from convscope.experiment.records import GroupRecord
from convscope.report.axes import LETTER, LINE, ROW, draw_grid, percent_tick, set_ticks, spread, write
from convscope.report.charts import number_epochs
from convscope.report.findings import percent
from convscope.report.style import ACCENT, INK, MUTED, Drawing, add_axes, house_style, new_drawing
from convscope.texts import figure, known, say

Floats = NDArray[np.float64]

WIDTH = 720
_RIGHT = 144  # pixels for the numbers beside a strip, or for the names beside the curves
_ROW, _DOTS = 64, 34  # pixels of a strip, and of it those that the dots have
_DOT = 6.0  # pixels
_LONGEST_NAME = 26
_MOST_LINES = 60  # single runs that curves show, over all groups
_TICK_ROOM = 22  # pixels between two ticks
_POINTS = 50  # of one of them
_MOST_POINTS = 1000  # of all single lines together, and as many of all means: so a drawing stays below some 40 kB


@dataclass(frozen=True)
class Curves:
    """What was measured over the epochs in the runs of a group.

    Attributes:
        detail: in words, below the name.
        lines: for each run an accuracy an epoch; runs may be of different lengths.
        split: of which images.
    """

    name: str
    detail: str
    lines: Sequence[Sequence[float]]
    split: str = "test"

    @property
    def epochs(self) -> int:
        """As many as every run has."""
        return min(map(len, self.lines))


def group_names(group: GroupRecord | DivergedRun) -> tuple[str, str]:
    """Return what a group is called, and with what recipe it was trained."""
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
        drawing = new_drawing(WIDTH, 40 + height + 56, title)
        axes = add_axes(drawing, left, 40, width, height)
        axes.set_xlim(low, high)
        axes.set_ylim(height, 0)
        for row, (group, accuracies) in enumerate(zip(groups, values, strict=True)):
            colour, middle = (ACCENT if row == 0 else MUTED), row * _ROW + 44
            places = np.sort(np.asarray(accuracies, np.float64))
            levels = _levels((places - low) / (high - low) * width)
            step = min(_DOT, (_DOTS - _DOT) / max(levels.max(), 1))
            # A dot is the round ends of a line of half a pixel: all are one path, which takes half the room of marks.
            ends = np.array([-0.25, 0.25]) / width * (high - low)
            dots = [
                (place + ends, np.full(2, up)) for place, up in zip(places, middle - _DOT - levels * step, strict=True)
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
        drawing.text(8 / WIDTH, 12 / (96 + height), say("evidence.seeds.legend"), color=MUTED)
    return drawing


def draw_experiment_curves(groups: Sequence[Curves], title: str = "") -> Drawing:
    """Draw each group's mean accuracy over the epochs, the band of its 95 % interval, and its single runs faintly.

    One or two groups share a panel; of more, each has one, with the means of the others in grey behind it.

    Args:
        groups: at least one, each with a run.
    """
    limits = _limits([line for group in groups for line in group.lines])
    epochs = max(len(line) for group in groups for line in group.lines)
    together = len(groups) <= 2
    columns = 1 if together else 2 if len(groups) == 4 else 3
    rows = 1 if together else -(-len(groups) // columns)
    left, top, gap, panel = 64, (40 if together else 8), 24, (216 if together else 128)
    width = (WIDTH - left - (_RIGHT if together else 16) - gap * (columns - 1)) / columns
    slot = panel + (0 if together else 4 * LINE)
    means = [_mean_line(group, max(8, _MOST_POINTS // (2 if together else len(groups) ** 2))) for group in groups]
    with house_style():
        drawing = new_drawing(WIDTH, top + rows * slot + 48, title)
        for place in range(1 if together else len(groups)):
            row, column = divmod(place, columns)
            axes = add_axes(drawing, left + column * (width + gap), top + (row + 1) * slot - panel, width, panel)
            _frame(axes, epochs, limits, has_names=column == 0, is_last=together or place + columns >= len(groups))
            if together:
                for number, group in enumerate(groups):
                    _draw_group(axes, group, (ACCENT, MUTED)[number], groups)
                _label_ends(axes, groups, [mean[-1] for _, mean in means], panel)
            else:
                others = [mean for number, mean in enumerate(means) if number != place]
                _draw_lines(axes, others, color=MUTED, linewidth=1, alpha=0.5)
                _draw_group(axes, groups[place], ACCENT, groups)
                _write_above(axes, groups[place], int(width / LETTER))
    return drawing


def lines_drawn(groups: Sequence[Curves]) -> int:
    """Return how many single runs `draw_experiment_curves` shows; of each group they are taken evenly."""
    return sum(_num_drawn(group, groups) for group in groups)


def _num_drawn(group: Curves, groups: Sequence[Curves]) -> int:
    total, points = sum(len(one.lines) for one in groups), max(len(line) for line in group.lines)
    most = min(_MOST_LINES, _MOST_POINTS // min(points, _POINTS))
    return min(len(group.lines), max(1, most * len(group.lines) // total))


def _limits(values: Sequence[Sequence[float]]) -> tuple[float, float]:
    """Return the ends of an axis that has room for all of `values`."""
    low, high = min(map(min, values)), max(map(max, values))
    spare = 0.04 * (high - low) or 0.005
    return low - spare, high + spare


def _levels(places: Floats) -> NDArray[np.int64]:
    """Return (n,) how many dots lie below each of `places`, rising pixels, so that no two touch."""
    levels, ends = np.zeros(len(places), np.int64), list[float]()  # of each level, where its last dot is
    for number, place in enumerate(places):
        level = next((level for level, end in enumerate(ends) if place - end >= _DOT), len(ends))
        if level == len(ends):
            ends.append(place)
        ends[level] = place
        levels[number] = level
    return levels


def _draw_lines(axes: Axes, lines: Sequence[tuple[NDArray[Any], Floats]], **look: Any) -> None:
    """Draw lines, each (x, y), as one path with gaps."""
    x, y = (np.concatenate([[*line[axis], np.nan] for line in lines]) for axis in (0, 1))
    axes.plot(x, y, **look)


def _write_beside(axes: Axes, group: GroupRecord, names: tuple[str, str], middle: float) -> None:
    """Write what the group is called to the left of its strip, and its mean and spread to the right."""
    runs = say("runs.oneRun")
    if group.sd is not None:
        runs = say("evidence.seeds.spreadBeside", sd=figure(100 * group.sd, 2), n=group.num_runs)
    own = [clip(name, _LONGEST_NAME) for name in names]
    for x, texts in ((0, own), (1, [percent(group.mean), runs])):
        for text, up, colour in ((texts[0], 8, INK), (texts[1], -8, MUTED)):
            write(axes, text, (x, middle - 8), (32 * x - 16, up), colour, of=ROW, ha="left" if x else "right")


def _frame(axes: Axes, epochs: int, limits: tuple[float, float], *, has_names: bool, is_last: bool) -> None:
    number_epochs(axes, epochs, 5)
    axes.set_ylim(*limits)
    set_ticks(axes.yaxis, 4, percent_tick)
    draw_grid(axes)
    axes.tick_params(labelleft=has_names)
    if is_last:
        axes.set_xlabel(say("charts.epoch"))


def _draw_group(axes: Axes, group: Curves, colour: str, groups: Sequence[Curves]) -> None:
    chosen = [np.asarray(group.lines[number]) for number in evenly(len(group.lines), _num_drawn(group, groups))]
    places = [_early(len(line), _POINTS) for line in chosen]
    singles = [(place + 1, line[place]) for place, line in zip(places, chosen, strict=True)]
    _draw_lines(axes, singles, color=colour, linewidth=0.75, alpha=0.4, clip_on=False)
    epochs, means = _mean_line(group, _MOST_POINTS // (5 * len(groups)))
    # One run, or runs that are equal after an epoch, have no interval there: the band has a gap.
    intervals = [mean_share_interval([line[epoch - 1] for line in group.lines]) for epoch in epochs]
    if any(interval is not None for interval in intervals):
        low, high = np.array([(np.nan, np.nan) if interval is None else interval for interval in intervals]).T
        if len(epochs) > 1:
            axes.fill_between(epochs, low, high, color=colour, alpha=0.25, linewidth=0)
        else:
            axes.plot([1, 1], [low[0], high[0]], color=colour, linewidth=6, alpha=0.35, solid_capstyle="butt")
    marker = "o" if len(epochs) == 1 else ""  # of one point there is no line
    axes.plot(epochs, means, color=colour, linewidth=2, marker=marker, markersize=6, clip_on=False)


def _mean_line(group: Curves, most: int) -> tuple[NDArray[np.int64], Floats]:
    """Return at most `most` epochs, from 1, and the mean accuracy after each, of those that every run has."""
    places = _early(group.epochs, most)
    lines = np.array([np.asarray(line)[places] for line in group.lines])
    return places + 1, lines.mean(axis=0)


def _label_ends(axes: Axes, groups: Sequence[Curves], ends: Sequence[float], height: int) -> None:
    """Write each group's names right of the end of its mean, moved apart where two would overlap."""
    low, high = axes.get_ylim()
    wanted = sorted(((end - low) / (high - low) * height, number) for number, end in enumerate(ends))
    places = spread([place for place, _ in wanted], 2.5 * LINE, height - LINE)
    for place, (_, number) in zip(places, wanted, strict=True):
        name, own = clip(groups[number].name, 16), (ACCENT, INK)[number]
        for text, up, colour in ((name, 8, own), (_detail(groups[number], 8), -8, MUTED)):
            write(axes, text, (1, place / height), (12, up), colour)


def _write_above(axes: Axes, group: Curves, letters: int) -> None:
    for text, up, colour in ((clip(group.name, letters), 24, INK), (_detail(group, letters - 12), 8, MUTED)):
        write(axes, text, (0, 1), (0, up), colour)


def _detail(group: Curves, letters: int) -> str:
    return say("evidence.seeds.detail", recipe=clip(group.detail, letters), split=known("curve", group.split))


def _early(count: int, most: int) -> NDArray[np.int64]:
    """Return at most `most` of the places 0 to count - 1 with both ends, closer where most happens: at first."""
    if count <= most:
        return np.arange(count)
    return np.unique((np.linspace(0, 1, most) ** 2 * (count - 1)).round().astype(np.int64))


def set_error_axis(axes: Axes, errors: Sequence[float], height: float) -> None:
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
    draw_grid(axes)


def _spread(values: Sequence[float], spare: float) -> tuple[float, float]:
    """Compute the ends of a logarithmic axis with room for all of `values`, and at least a factor of two."""
    low, high = log10(min(values)), log10(max(values))
    more = max(spare * (high - low), (0.3 - (high - low)) / 2, 0.03)
    return 10 ** (low - more), 10 ** (high + more)


def _error_ticks(low: float, high: float, height: float) -> list[float]:
    """List errors of few digits that stand far enough apart, the roundest first."""
    room = _TICK_ROOM / height * log10(high / low)
    powers = range(floor(log10(low)) - 1, ceil(log10(high)) + 1)
    taken = list[float]()
    for step in (1, 5, 2, 3, 7):
        for tick in (step * 10.0**power for power in powers):
            if low <= tick <= high and all(abs(log10(tick / other)) >= room for other in taken):
                taken.append(tick)
    return sorted(taken)
