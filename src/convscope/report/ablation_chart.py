"""The charts of single ablations: what the accuracy loses with each filter, layer by layer, and in which classes."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import PathPatch
from matplotlib.path import Path
from numpy.typing import NDArray

from convscope.base.tables import clip, display_width
from convscope.evidence.ablation import FilterAblation
from convscope.report.axes import CHART_WIDTH, LETTER, LINE, FilterSlots, draw_grid, points_tick, set_ticks
from convscope.report.pixels import paint
from convscope.report.style import ACCENT, INK, MUTED, Drawing, add_axes, house_style, new_drawing
from convscope.texts import rounded, say

_LEFT, _RIGHT, _TOP, _PLOT_HEIGHT = 64, 16, 40, 200
_LEAST_WIDTH = 560  # of the drawing, for its title
_SLOT = 16  # pixels that a filter takes, as long as the drawing is no wider than the page
_GAP = 24  # pixels between two layers
_MOST_ROWS = 100  # classes
_MOST_MARKS = 600  # dots; with more of them the drawing grows, and none can be told apart


def lesions_by_layer(filters: Sequence[FilterAblation]) -> dict[str, list[dict[str, FilterAblation]]]:
    """Return for each layer, in their order, its filters' ablations by replacement, the costliest filter first."""
    layers = dict[str, dict[int, dict[str, FilterAblation]]]()
    for lesion in filters:
        layers.setdefault(lesion.layer, {}).setdefault(lesion.filter, {})[lesion.replacement] = lesion
    main = main_replacement(filters)
    return {
        layer: sorted(by_filter.values(), key=lambda lesions: lesions[main].accuracy_change)
        for layer, by_filter in layers.items()
    }


def main_replacement(filters: Sequence[FilterAblation]) -> str:
    """Return by what filters are replaced in the ablations that come first: zero, or the mean where there is no
    other."""
    return "zero" if any(lesion.replacement == "zero" for lesion in filters) else "mean"


def draw_ablation(filters: Sequence[FilterAblation], title: str = "") -> Drawing:
    """Draw each filter's change of accuracy: a dot within its interval where it is silent, a mark where it is its mean.

    Args:
        filters: at least one.
    """
    layers, main = lesions_by_layer(filters), main_replacement(filters)
    has_both = len({lesion.replacement for lesion in filters}) > 1
    slots = FilterSlots({name: len(group) for name, group in layers.items()}, _LEFT + _RIGHT)
    width, slot = slots.width, slots.slot
    band, half = min(8.0, max(0.7 * slot, 1.0)), min(7.0, 0.42 * slot)
    legend = [say("evidence.ablation.chart.markMean")] if has_both else []  # from the lowest line up
    legend.append(say(f"evidence.ablation.chart.{'dotZero' if main == 'zero' else 'dotMean'}"))
    height = _TOP + _PLOT_HEIGHT + slots.below + 16 + LINE * len(legend) + 16
    with house_style():
        drawing = new_drawing(_LEFT + width + _RIGHT, height, title)
        axes = add_axes(drawing, _LEFT, _TOP, width, _PLOT_HEIGHT)
        axes.axhline(0, color=MUTED, linewidth=1)
        for number, group in enumerate(layers.values()):
            places = slots.places(number, len(group))
            low, high = np.array([one[main].interval for one in group]).T
            changes = [one[main].accuracy_change for one in group]
            _segments(axes, (places, places), (low, high), edgecolor=ACCENT, linewidth=band, alpha=0.35)
            if has_both:
                means = [one["mean"].accuracy_change for one in group]
                _segments(axes, (places - half, places + half), (means, means), edgecolor=INK, linewidth=1.5)
            axes.plot(places, changes, "o", color=ACCENT, markersize=min(6.0, max(0.5 * slot, 2.0)), markeredgewidth=0)
        slots.name_layers(axes)
        axes.margins(y=0.06)
        draw_grid(axes, has_base=False)
        set_ticks(axes.yaxis, 5, points_tick)
        axes.set_ylabel(say("evidence.ablation.chart.axis"))
        axes.yaxis.set_label_coords(-48 / width, 0.5)
        for line, text in enumerate(legend):
            drawing.text(_LEFT / (_LEFT + width + _RIGHT), (12 + line * LINE) / height, text, color=MUTED)
    return drawing


def _segments(axes: Axes, across: tuple[Any, Any], up: tuple[Any, Any], **look: Any) -> None:
    """Draw lines from (across[0], up[0]) to (across[1], up[1]), all of them as one path, which keeps the SVG small."""
    ends = np.stack([np.stack(across, axis=1), np.stack(up, axis=1)], axis=2)  # (lines, 2 ends, x and y)
    path = Path(ends.reshape(-1, 2), [Path.MOVETO, Path.LINETO] * len(ends))
    axes.add_patch(PathPatch(path, facecolor="none", capstyle="butt", **look))


def draw_class_changes(
    filters: Sequence[FilterAblation], is_significant: NDArray[np.bool_], class_names: Sequence[str], title: str = ""
) -> Drawing:
    """Draw what each filter's silence changes in each class: blue where fewer of its images are classified correctly.

    The filters stand as in `draw_ablation`. Of more than 100 classes those are drawn that change most.

    Args:
        filters: at least one.
        is_significant: (L, K), which changes get a dot, in the order of `filters`.
    """
    layers, main = lesions_by_layer(filters), main_replacement(filters)
    places = {(one.layer, one.filter): row for row, one in enumerate(filters) if one.replacement == main}
    changes = np.array([one.accuracy_change_by_class for one in filters], np.float64)
    strongest = np.argsort(-np.abs(changes).max(axis=0), kind="stable")[:_MOST_ROWS]
    classes = np.sort(strongest)
    names = [clip(class_names[label], 18) for label in classes]
    left = max(_LEFT, 24 + round(LETTER * max(map(display_width, names))))
    count = sum(map(len, layers.values()))
    most = 2 * CHART_WIDTH - left - _RIGHT
    gap = min(_GAP, most / (4 * len(layers)))
    slot = min(_SLOT, (most - gap * (len(layers) - 1)) / count)
    width = slot * count + gap * (len(layers) - 1)
    row = max(4, min(_SLOT, 640 // len(classes)))
    height = row * len(classes)
    limit = float(np.abs(changes).max()) or 1.0
    texts = [
        say("evidence.ablation.chart.deepest", limit=rounded(100 * limit, 3)),
        say("evidence.ablation.chart.colours"),
    ]
    total = max(left + width + _RIGHT, _LEAST_WIDTH)
    below = _TOP + height + 24 + LINE * (len(texts) + 1) + 12
    with house_style():
        drawing = new_drawing(total, below, title)
        axes = add_axes(drawing, left, _TOP, width, height)
        start, marked, middles = 0.0, list[tuple[float, float]](), list[float]()
        for layer, group in layers.items():
            rows = np.array([places[layer, one[main].filter] for one in group])
            end = start + slot * len(rows)
            pixels = paint(changes[np.ix_(rows, classes)].T, "signed", -limit, limit)
            axes.imshow(pixels, interpolation="none", aspect="auto", extent=(start, end, len(classes), 0))
            axes.plot(
                [start, end, end, start, start],
                [0, 0, len(classes), len(classes), 0],
                color=MUTED,
                linewidth=0.5,
                clip_on=False,
            )
            for place, label in np.argwhere(is_significant[np.ix_(rows, classes)]):
                marked.append((start + slot * (place + 0.5), label + 0.5))
            middles.append((start + end) / 2)
            start = end + gap
        if marked and len(marked) <= _MOST_MARKS and min(slot, row) >= 6:
            axes.plot(*zip(*marked, strict=True), "o", color=INK, markersize=3, markeredgewidth=0)
            texts.append(say("evidence.ablation.chart.dot"))
        axes.set_xlim(0, width)
        axes.set_ylim(len(classes), 0)
        axes.spines[:].set_visible(False)
        every = -(-14 // row)
        axes.set_yticks(np.arange(0, len(classes), every) + 0.5, names[::every])
        wide = [len(group) * slot + gap > LETTER * display_width(clip(layer, 18)) for layer, group in layers.items()]
        shown = [(place, clip(layer, 18)) for place, layer, fits in zip(middles, layers, wide, strict=True) if fits]
        axes.set_xticks([place for place, _ in shown], [layer for _, layer in shown])
        axes.tick_params(length=0, labelcolor=INK)
        for line, text in enumerate(reversed(texts)):
            drawing.text(left / total, (12 + line * LINE) / below, text, color=MUTED)
    return drawing
