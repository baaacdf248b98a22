"""The charts of what is removed beside filters: parts of the image, and parts of the design."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator, NullLocator

from convscope.base.tables import clip, display_width
from convscope.evidence.ablation import InputAblation, PartAblation
from convscope.experiment.architectures import VariantResult
from convscope.report.axes import (
    CHART_WIDTH,
    LETTER,
    LINE,
    ROW,
    draw_grid,
    draw_interval,
    percent_tick,
    points_tick,
    set_ticks,
    write,
)
from convscope.report.findings import percent, points
from convscope.report.pixels import paint
from convscope.report.style import (
    ACCENT,
    AGAINST,
    HAIRLINE,
    INK,
    MUTED,
    PAPER,
    WARM,
    Drawing,
    add_axes,
    house_style,
    new_drawing,
)
from convscope.texts import figure, known, say

_TOP = 40  # pixels
_LONGEST_VARIANT = 27  # letters of the longest name of a variant, in any language
_MAP_SIDE = 196
_DEEPEST = 0.6  # of a colour under numbers
_ERROR_TICKS = (0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)


def draw_inputs(value: InputAblation, title: str = "") -> Drawing:
    """Draw what is lost by place: windows as a map, and beside it borders by width, and resolution."""
    height, width, _ = value.image_shape
    scale = _MAP_SIDE / max(height, width)
    wide, tall = max(scale * width, 48), max(scale * height, 48)
    left, between, curve, coarse = 72, 64, 200, 150
    right = left + wide + between
    total = right + curve + between + coarse + 24
    whole = _TOP + 20 + tall + 28 + 2 * LINE
    kinds = {kind: [one for one in value.ablations if one.kind == kind] for kind in ("window", "border", "resolution")}
    with house_style():
        drawing = new_drawing(total, whole, title)
        axes = add_axes(drawing, left, _TOP + 20, wide, tall)
        _windows(axes, kinds["window"], height, width, scale)
        axes.set_title(say("evidence.ablation.chart.windows"), loc="left", fontsize=12, color=INK, pad=4)
        if kinds["border"]:
            borders = add_axes(drawing, right, _TOP + 20, curve, tall)
            _borders(borders, kinds["border"])
        if kinds["resolution"]:
            resolution = add_axes(drawing, right + curve + between, _TOP + 20, coarse, tall)
            _resolution(resolution, kinds["resolution"])
        for line, key in enumerate(("points", "bands")):
            up = 8 + LINE * (2 - line)
            drawing.text(left / total, up / whole, say(f"evidence.ablation.chart.{key}"), color=MUTED, va="top")
    return drawing


def _windows(axes: Axes, windows: Sequence[PartAblation], height: int, width: int, scale: float) -> None:
    tops = sorted({one.place[0] for one in windows})
    lefts = sorted({one.place[1] for one in windows})
    changes = np.zeros((len(tops), len(lefts)))
    for one in windows:
        changes[tops.index(one.place[0]), lefts.index(one.place[1])] = one.accuracy_change
    limit = float(np.abs(changes).max() or 1) / _DEEPEST
    axes.imshow(
        paint(changes, "signed", -limit, limit), interpolation="none", aspect="auto", extent=(0, width, height, 0)
    )
    cell = (scale * height / len(tops), scale * width / len(lefts))
    if min(cell) >= 24:
        for row, column in np.ndindex(changes.shape):
            place = ((column + 0.5) * width / len(lefts), (row + 0.5) * height / len(tops))
            axes.text(
                *place, figure(100 * float(changes[row, column]), 0), ha="center", va="center_baseline", fontsize=9
            )
    axes.set_xlim(0, width)
    axes.set_ylim(height, 0)
    axes.set_xticks([])
    axes.set_yticks([0, height], ["0", f"{height}"])
    axes.tick_params(length=0)
    axes.set_ylabel(say("evidence.ablation.chart.row"))
    axes.yaxis.set_label_coords(-28 / (scale * width), 0.5)
    for spine in axes.spines.values():
        spine.set_visible(True)


def _borders(axes: Axes, borders: Sequence[PartAblation]) -> None:
    widths = [one.place[0] for one in borders]
    low, high = np.array([one.interval for one in borders]).T
    axes.fill_between(widths, low, high, color=ACCENT, alpha=0.25, linewidth=0)
    axes.plot(widths, [one.accuracy_change for one in borders], color=ACCENT, marker="o", markersize=4)
    axes.axhline(0, color=MUTED, linewidth=1)
    axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    axes.set_xlabel(say("evidence.ablation.chart.edge"))
    axes.set_title(say("evidence.ablation.chart.borders"), loc="left", fontsize=12, color=INK, pad=4)
    _value_axis(axes)


def _resolution(axes: Axes, blocks: Sequence[PartAblation]) -> None:
    places = range(len(blocks))
    low, high = np.array([one.interval for one in blocks]).T
    axes.vlines(places, low, high, color=ACCENT, linewidth=8, alpha=0.35)
    axes.plot(places, [one.accuracy_change for one in blocks], "o", color=ACCENT, markersize=6, markeredgecolor=PAPER)
    axes.axhline(0, color=MUTED, linewidth=1)
    axes.set_xlim(-0.5, len(blocks) - 0.5)
    axes.set_xticks(places, [f"{one.place[0]}" for one in blocks])
    axes.set_xlabel(say("evidence.ablation.chart.block"))
    axes.set_title(say("evidence.ablation.chart.resolution"), loc="left", fontsize=12, color=INK, pad=4)
    _value_axis(axes)


def _value_axis(axes: Axes) -> None:
    set_ticks(axes.yaxis, 4, points_tick)
    draw_grid(axes, has_base=False)
    axes.tick_params(length=0)


def draw_architectures(architectures: Sequence[VariantResult], num_images: int, title: str = "") -> Drawing:
    """Draw the errors of each variant as a dot within the interval of their mean, on a logarithmic axis.

    The line is the whole network. Orange is worse than it, blue better, grey neither for certain.

    Args:
        architectures: the whole network first.
        num_images: of the test; less than half an image in error cannot be drawn.
    """
    whole, ordered = architectures[0], sorted(architectures, key=lambda one: -one.mean)
    names = [known("evidence.ablation.variant", clip(one.name, 24)) for one in ordered]
    left, right = 24 + round(LETTER * max(_LONGEST_VARIANT, *map(display_width, names))), 136
    row = 24

    def errors(accuracy: float) -> float:
        return min(max(1 - accuracy, 0.5 / num_images), 1.0)

    drawn = [errors(value) for one in ordered for value in (one.mean, *(one.interval or ()))]
    lowest, highest = min(drawn) / 1.3, min(1.4 * max(drawn), 1.0)
    width, plot = 2 * CHART_WIDTH - 96, row * len(ordered)
    height = _TOP + plot + 56
    colours = {"worse": WARM, "better": AGAINST}
    with house_style():
        drawing = new_drawing(width, height, title)
        axes = add_axes(drawing, left, _TOP, width - left - right, plot)
        axes.set_xscale("log")
        axes.set_xlim(highest, lowest)
        axes.axvline(errors(whole.mean), color=INK, linewidth=1)
        for place, one in enumerate(ordered):
            colour = INK if one is whole else colours.get(one.verdict, MUTED)
            ends = one.interval and [errors(end) for end in one.interval]
            draw_interval(axes, errors(one.mean), ends, place, colour, size=7)
            text: str = percent(one.mean)
            if one is not whole:
                text = say("evidence.ablation.chart.beside", accuracy=text, change=points(one.difference))
            write(axes, text, (1, place), (12, 0), of=ROW)
        axes.set_ylim(len(ordered) - 0.5, -0.5)
        axes.set_yticks(range(len(ordered)), names)
        ticks = [tick for tick in _ERROR_TICKS if lowest <= tick <= highest] or [errors(whole.mean)]
        axes.xaxis.set_minor_locator(NullLocator())
        axes.set_xticks(ticks, [percent_tick(tick) for tick in ticks])
        axes.set_xlabel(say("evidence.ablation.chart.errors"))
        axes.grid(axis="x", color=HAIRLINE)
        axes.tick_params(axis="y", length=0, labelcolor=INK)
        axes.tick_params(axis="x", length=0)
        axes.spines[:].set_visible(False)
        drawing.text((width - right + 12) / width, 1 - 30 / height, say("evidence.ablation.chart.change"), color=MUTED)
    return drawing
