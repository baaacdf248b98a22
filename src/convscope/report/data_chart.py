"""How often each pixel value occurs in both splits, as a chart."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from convscope.report.charts import CHART_WIDTH
from convscope.report.style import ACCENT, INK, Drawing, add_axes, house_style, new_drawing

_NUM_BINS = 32


def draw_values(train: Sequence[int], test: Sequence[int], title: str) -> Drawing:
    """Draw the shares of pixel values, eight to a bar, on a logarithmic scale."""
    bars, line = (_binned(counts) for counts in (train, test))
    width = 256 // _NUM_BINS
    edges = np.arange(_NUM_BINS + 1) * width
    low = min(values[values > 0].min() for values in (bars, line)) / 2
    with house_style():
        drawing = new_drawing(CHART_WIDTH, 272, title)
        axes = add_axes(drawing, 64, 40, CHART_WIDTH - 80, 184)
        axes.bar(edges[:-1], np.maximum(bars - low, 0), width * 0.86, low, align="edge", color=ACCENT, alpha=0.6)
        axes.stairs(np.maximum(line, low), edges, baseline=None, color=INK, linewidth=1.5)
        axes.set_yscale("log")
        axes.set_ylim(low, 1.2)
        axes.set_xlim(0, 256)
        axes.set_xticks([0, 64, 128, 192, 255])
        axes.yaxis.set_major_formatter(lambda value, _: f"{100 * value:.3g} %")
        axes.minorticks_off()
        axes.set_xlabel("value")
        axes.grid(axis="y")
        axes.spines["left"].set_visible(False)
        axes.tick_params(left=False)
    return drawing


def _binned(counts: Sequence[int]) -> NDArray[np.float64]:
    values = np.asarray(counts, np.float64).reshape(_NUM_BINS, -1).sum(axis=1)
    return np.asarray(values / values.sum(), np.float64)
