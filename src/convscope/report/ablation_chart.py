"""The chart of an ablation: what the accuracy loses with each filter, layer by layer, the costliest first."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.ticker import FuncFormatter, MaxNLocator

from convscope.report.charts import CHART_WIDTH
from convscope.report.style import ACCENT, INK, MUTED, Drawing, add_axes, house_style, new_drawing
from convscope.tables import clip, display_width

_LEFT, _RIGHT, _TOP, _PLOT_HEIGHT = 64, 16, 40, 200
_LEAST_WIDTH = 560  # of the drawing, for its title
_SLOT = 16  # pixels that a filter takes, as long as the drawing is no wider than the page
_GAP = 24  # pixels between two layers
_LINE = 16  # pixels from one line of text to the next
_LETTER = 7.6  # pixels, as wide as a letter gets

Lesion = Mapping[str, Any]
"""As in `Ablation.to_dict()`."""


def lesions_by_layer(filters: Sequence[Lesion]) -> dict[str, list[dict[str, Lesion]]]:
    """Return for each layer, in their order, its filters' lesions by replacement, the costliest filter first."""
    layers = dict[str, dict[int, dict[str, Lesion]]]()
    for lesion in filters:
        layers.setdefault(lesion["layer"], {}).setdefault(lesion["filter"], {})[lesion["replacement"]] = lesion
    main = main_replacement(filters)
    return {
        layer: sorted(by_filter.values(), key=lambda lesions: lesions[main]["accuracy_change"])
        for layer, by_filter in layers.items()
    }


def main_replacement(filters: Sequence[Lesion]) -> str:
    """Return by what filters are replaced in the lesions that come first: zero, or the mean where there is no other."""
    return "zero" if any(lesion["replacement"] == "zero" for lesion in filters) else "mean"


def draw_ablation(filters: Sequence[Lesion], title: str = "") -> Drawing:
    """Draw each filter's change of accuracy: a dot within its interval where it is silent, a mark where it is its mean.

    Args:
        filters: what `Ablation.to_dict()` holds under this name, at least one.
    """
    layers, main = lesions_by_layer(filters), main_replacement(filters)
    has_both = len({lesion["replacement"] for lesion in filters}) > 1
    count = sum(map(len, layers.values()))
    wanted = _SLOT * count + _GAP * (len(layers) - 1)
    width = min(max(wanted, _LEAST_WIDTH - _LEFT - _RIGHT), 2 * CHART_WIDTH - _LEFT - _RIGHT)
    gap = min(_GAP, width / (4 * len(layers)))
    slot = (width - gap * (len(layers) - 1)) / count
    band, half = min(8.0, max(0.7 * slot, 1.0)), min(7.0, 0.42 * slot)
    starts = np.cumsum([0, *(slot * len(group) + gap for group in layers.values())])[:-1]
    longest = max(_LETTER * display_width(clip(name, 18)) for name in layers)
    turned = any(_LETTER * display_width(clip(name, 18)) > slot * len(group) + gap for name, group in layers.items())
    legend = ["mark: held at its mean"] if has_both else []  # from the lowest line up
    legend.append(f"dot: {'silent' if main == 'zero' else 'held at its mean'}, in its 95 % interval")
    height = _TOP + _PLOT_HEIGHT + (longest if turned else _LINE) + 16 + _LINE * len(legend) + 16
    with house_style():
        drawing = new_drawing(_LEFT + width + _RIGHT, height, title)
        axes = add_axes(drawing, _LEFT, _TOP, width, _PLOT_HEIGHT)
        axes.axhline(0, color=MUTED, linewidth=1)
        for start, group in zip(starts, layers.values(), strict=True):
            places = start + slot * (np.arange(len(group)) + 0.5)
            low, high = np.array([one[main]["interval"] for one in group]).T
            changes = [one[main]["accuracy_change"] for one in group]
            axes.vlines(places, low, high, color=ACCENT, linewidth=band, alpha=0.35)
            if has_both:
                means = [one["mean"]["accuracy_change"] for one in group]
                axes.hlines(means, places - half, places + half, color=INK, linewidth=1.5)
            axes.plot(places, changes, "o", color=ACCENT, markersize=min(6.0, max(0.5 * slot, 2.0)), markeredgewidth=0)
        axes.set_xlim(0, width)
        axes.margins(y=0.06)
        middles = [start + slot * len(group) / 2 for start, group in zip(starts, layers.values(), strict=True)]
        every = -(-len(layers) * _LINE // int(width)) if turned else 1
        names = [clip(name, 18) for name in layers]
        axes.set_xticks(middles[::every], names[::every], rotation=90 if turned else 0)
        axes.tick_params(axis="x", length=0, labelcolor=INK)
        axes.tick_params(axis="y", left=False)
        axes.yaxis.set_major_locator(MaxNLocator(5))
        axes.yaxis.set_major_formatter(FuncFormatter(_points))
        axes.set_ylabel("points of accuracy")
        axes.yaxis.set_label_coords(-48 / width, 0.5)
        axes.grid(axis="y")
        axes.spines["left"].set_visible(False)
        axes.spines["bottom"].set_visible(False)
        for line, text in enumerate(legend):
            drawing.text(_LEFT / (_LEFT + width + _RIGHT), (12 + line * _LINE) / height, text, color=MUTED)
    return drawing


def _points(value: float, _position: int | None = None) -> str:
    return f"{100 * value:.4g}".replace("-", "\N{MINUS SIGN}")
