"""The charts of ablations: what the accuracy loses with each filter, layer by layer, and with parts of the design."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import PathPatch
from matplotlib.path import Path
from matplotlib.ticker import NullLocator
from numpy.typing import NDArray

from convscope.base.tables import clip, display_width
from convscope.evidence.ablation import FilterAblation
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
from convscope.report.style import ACCENT, AGAINST, INK, MUTED, WARM, Drawing, add_axes, house_style, new_drawing
from convscope.texts import say, translate_name

_LEFT, _RIGHT, _TOP, _PLOT_HEIGHT = 64, 16, 40, 200  # pixels around the plot, and its height
_SLOT, _GAP = 16, 24  # pixels of a filter, and between two layers, as long as the drawing is no wider than the page
_MIN_WIDTH = 560  # the narrowest drawing whose title fits
_LONGEST_VARIANT = 27  # letters of the longest name of a variant, in any language
# The errors that may be written on a logarithmic axis: those within its ends are.
_ERROR_TICKS = (0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)


def ablations_by_layer(filters: Sequence[FilterAblation]) -> dict[str, list[dict[str, FilterAblation]]]:
    """Group the ablations by layer, and within a layer by filter and replacement, the costliest filter first.

    {"conv2d": [{"zero": ablation, "mean": ablation} of filter 3, the same of filter 0, ...], ...}
    """
    layers = dict[str, dict[int, dict[str, FilterAblation]]]()
    for ablation in filters:
        layers.setdefault(ablation.layer, {}).setdefault(ablation.filter, {})[ablation.replacement] = ablation
    main = main_replacement(filters)
    return {
        layer: sorted(by_filter.values(), key=lambda ablations: ablations[main].accuracy_change)
        for layer, by_filter in layers.items()
    }


def main_replacement(filters: Sequence[FilterAblation]) -> str:
    """Name the replacement that charts and tables put first: zero, or the mean if no filter is replaced by zero."""
    return "zero" if any(ablation.replacement == "zero" for ablation in filters) else "mean"


def draw_ablation(
    filters: Sequence[FilterAblation], title: str = "", layer_names: Mapping[str, str] | None = None
) -> Drawing:
    """Draw each filter's change of accuracy: a dot within its interval for a filter set to zero, a mark for its mean.

    A filter has a slot of the width, and a gap is between two layers; two layers of three and two filters are

        | slot | slot | slot |  gap  | slot | slot |
          start of conv2d            start of dense

    Args:
        filters: at least one.
        layer_names: the layers' names in words; without them, the layers' own are written.
    """
    layers, main = ablations_by_layer(filters), main_replacement(filters)
    has_both = len({ablation.replacement for ablation in filters}) > 1
    counts = np.array([len(group) for group in layers.values()])
    gaps = len(layers) - 1
    # The plot grows with the filters, until the drawing is twice as wide as a column of the page; of more filters each
    # gets a narrower slot, and with it a narrower band and a smaller dot.
    natural_width = _SLOT * counts.sum() + _GAP * gaps
    width = float(np.clip(natural_width, _MIN_WIDTH - _LEFT - _RIGHT, 2 * CHART_WIDTH - _LEFT - _RIGHT))
    # With many layers, gaps take at most a quarter of the width.
    gap = min(_GAP, width / (4 * len(layers)))
    slot = (width - gap * gaps) / counts.sum()
    # The left end of each layer: all slots and gaps before it.
    starts = np.cumsum([0, *(slot * counts + gap)])[:-1]
    names = [clip(layer, 18) if layer_names is None else layer_names[layer] for layer in layers]
    lengths = LETTER * np.array([display_width(name) for name in names])
    # Names are turned upright if one is longer than its layer is wide.
    is_turned = bool((lengths > slot * counts + gap).any())
    legend = [say("evidence.ablation.chart.markMean")] if has_both else []  # from the lowest line up
    legend.append(say(f"evidence.ablation.chart.{'dotZero' if main == 'zero' else 'dotMean'}"))
    # From the top: title, plot, names of the layers, 16 pixels, the legend's lines, 16 pixels.
    height = _TOP + _PLOT_HEIGHT + (max(lengths) if is_turned else LINE) + 16 + LINE * len(legend) + 16
    with house_style():
        drawing = new_drawing(_LEFT + width + _RIGHT, height, title)
        axes = add_axes(drawing, _LEFT, _TOP, width, _PLOT_HEIGHT)
        axes.axhline(0, color=MUTED, linewidth=1)
        for start, group in zip(starts, layers.values(), strict=True):
            centres = start + slot * (np.arange(len(group)) + 0.5)
            _draw_layer(axes, centres, slot, group, main)
        # Turned names need a line of height each: where the axis is too short for all, every second or third is
        # written.
        step = -(-len(names) * LINE // int(width)) if is_turned else 1  # ⌈names · line / width⌉
        axes.set_xlim(0, width)
        axes.set_xticks((starts + slot * counts / 2)[::step], names[::step], rotation=90 if is_turned else 0)
        axes.tick_params(axis="x", length=0, labelcolor=INK)
        axes.margins(y=0.06)
        draw_grid(axes, has_base=False)
        set_ticks(axes.yaxis, 5, points_tick)
        axes.set_ylabel(say("evidence.ablation.chart.axis"))
        axes.yaxis.set_label_coords(-48 / width, 0.5)  # fixed, so that the label stays where ticks are longer
        for line, text in enumerate(legend):
            drawing.text(_LEFT / (_LEFT + width + _RIGHT), (12 + line * LINE) / height, text, color=MUTED)
    return drawing


def _draw_layer(
    axes: Axes, centres: NDArray[np.float64], slot: float, group: Sequence[dict[str, FilterAblation]], main: str
) -> None:
    """Draw the filters of a layer at `centres`: dots within bands for the replacement `main`, and marks for the mean.

    Args:
        slot: the pixels of a filter.
        group: the ablations of each filter, by replacement.
    """
    band, half = min(8.0, max(0.7 * slot, 1.0)), min(7.0, 0.42 * slot)
    low, high = np.array([ablations[main].interval for ablations in group]).T
    changes = [ablations[main].accuracy_change for ablations in group]
    _draw_segments(axes, (centres, centres), (low, high), edgecolor=ACCENT, linewidth=band, alpha=0.35)
    if len(group[0]) > 1:  # each filter was replaced by zero and by its mean
        means = [ablations["mean"].accuracy_change for ablations in group]
        _draw_segments(axes, (centres - half, centres + half), (means, means), edgecolor=INK, linewidth=1.5)
    axes.plot(centres, changes, "o", color=ACCENT, markersize=min(6.0, max(0.5 * slot, 2.0)), markeredgewidth=0)


def _draw_segments(axes: Axes, across: tuple[Any, Any], up: tuple[Any, Any], **look: Any) -> None:
    """Draw lines from (across[0], up[0]) to (across[1], up[1]), all of them as one path, which keeps the SVG small."""
    ends = np.stack([np.stack(across, axis=1), np.stack(up, axis=1)], axis=2)  # (lines, 2 ends, 2 coordinates)
    # move, line, move, line: as many separate segments as there are lines.
    path = Path(ends.reshape(-1, 2), [Path.MOVETO, Path.LINETO] * len(ends))
    axes.add_patch(PathPatch(path, facecolor="none", capstyle="butt", **look))


def draw_architectures(architectures: Sequence[VariantResult], num_images: int, title: str = "") -> Drawing:
    """Draw the errors of each variant as a dot within the interval of their mean, on a logarithmic axis.

    The line is the whole network. Orange is worse than it, blue better, grey neither for certain.

    Args:
        architectures: the whole network first.
        num_images: the number of test images; less than half an image in error cannot be drawn.
    """
    whole, ordered = architectures[0], sorted(architectures, key=lambda architecture: -architecture.mean)
    names = [translate_name("evidence.ablation.variant", clip(architecture.name, 24)) for architecture in ordered]
    left, right = 24 + round(LETTER * max(_LONGEST_VARIANT, *map(display_width, names))), 136
    row = 24

    def errors(accuracy: float) -> float:
        # No error would be at minus infinity on the logarithmic axis.
        return min(max(1 - accuracy, 0.5 / num_images), 1.0)

    drawn = [errors(value) for architecture in ordered for value in (architecture.mean, *(architecture.interval or ()))]
    # On a logarithmic axis, room is a factor.
    lowest, highest = min(drawn) / 1.3, min(1.4 * max(drawn), 1.0)
    width, plot = 2 * CHART_WIDTH - 96, row * len(ordered)
    height = _TOP + plot + 56
    colours = {"worse": WARM, "better": AGAINST}
    with house_style():
        drawing = new_drawing(width, height, title)
        axes = add_axes(drawing, left, _TOP, width - left - right, plot)
        axes.set_xscale("log")
        # Reversed: fewer errors, thus a higher accuracy, are to the right.
        axes.set_xlim(highest, lowest)
        axes.axvline(errors(whole.mean), color=INK, linewidth=1)
        for index, architecture in enumerate(ordered):
            colour = INK if architecture is whole else colours.get(architecture.verdict, MUTED)
            ends = architecture.interval and [errors(end) for end in architecture.interval]
            draw_interval(axes, errors(architecture.mean), ends, index, colour, size=7)
            text: str = percent(architecture.mean)
            if architecture is not whole:
                text = say("evidence.ablation.chart.beside", accuracy=text, change=points(architecture.difference))
            write(axes, text, (1, index), (12, 0), of=ROW)
        axes.set_ylim(len(ordered) - 0.5, -0.5)
        axes.set_yticks(range(len(ordered)), names)
        ticks = [tick for tick in _ERROR_TICKS if lowest <= tick <= highest] or [errors(whole.mean)]
        axes.xaxis.set_minor_locator(NullLocator())
        axes.set_xticks(ticks, [percent_tick(tick) for tick in ticks])
        axes.set_xlabel(say("evidence.ablation.chart.errors"))
        axes.grid(axis="x")
        axes.tick_params(axis="y", length=0, labelcolor=INK)
        axes.tick_params(axis="x", length=0)
        axes.spines[:].set_visible(False)
        drawing.text((width - right + 12) / width, 1 - 30 / height, say("evidence.ablation.chart.change"), color=MUTED)
    return drawing
