"""Draw the charts of the atlas page: the spread of accuracies, the missed images, and early against final accuracy."""

from collections.abc import Mapping, Sequence
from math import pi, sqrt
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator
from style import ACCENT, INK, MUTED, WARM, add_axes, house_style, new_figure

WIDTH = 720

_LEFT, _RIGHT, _TOP, _BOTTOM, _HEIGHT = 64, 24, 56, 48, 240
_POINTS = 121  # points of a curve


def draw_spread(spread: Mapping[str, Any], histogram: Sequence[Mapping[str, Any]]) -> Figure:
    """Draw a histogram of the networks' accuracies, and two normal distributions for comparison.

    Args:
        spread: a `Spread` as a dictionary.
        histogram: bins of equal width, each with its middle `accuracy` and its `count`.
    """
    middles, counts = [row["accuracy"] for row in histogram], [row["count"] for row in histogram]
    width = middles[1] - middles[0] if len(middles) > 1 else 1e-3
    low, high = min(middles) - 2 * width, max(middles) + 2 * width
    accuracies = np.linspace(low, high, _POINTS)
    area = sum(counts) * width
    curves = [
        (colour, dashes, area * np.exp(-0.5 * ((accuracies - spread["mean"]) / sd) ** 2) / (sd * sqrt(2 * pi)))
        for sd, colour, dashes in ((spread["sd"], INK, "-"), (spread["sd_independent"], WARM, (0, (5, 3))))
        if sd
    ]
    with house_style():
        figure, axes = _make_axes()
        axes.bar(middles, counts, width=0.92 * width, color=ACCENT, alpha=0.45, linewidth=0)
        for colour, dashes, heights in curves:
            axes.plot(accuracies, heights, color=colour, linestyle=dashes, linewidth=1.5)
        axes.set_xlim(low, high)
        axes.set_ylim(0, 1.08 * max(*counts, *(float(heights.max()) for *_, heights in curves), 1))
        axes.xaxis.set_major_locator(MaxNLocator(6))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:.4g} %"))
        axes.yaxis.set_major_locator(MaxNLocator(4, integer=True))
        axes.set_xlabel("accuracy on the test images")
        axes.set_ylabel("networks")
        _write_legend(
            figure,
            [(INK, "normal distribution with this mean and spread"), (WARM, "if images were missed independently")],
        )
    return figure


def draw_misses(curve: Sequence[Mapping[str, Any]]) -> Figure:
    """Draw the number of images that at least each share of the networks misses, on a logarithmic axis.

    Args:
        curve: points with `share` and `num_images`.
    """
    with house_style():
        figure, axes = _make_axes()
        shares, numbers = ([point[name] for point in curve] for name in ("share", "num_images"))
        axes.fill_between(shares, 0.5, numbers, step="pre", color=ACCENT, alpha=0.25, linewidth=0)
        axes.step(shares, numbers, where="pre", color=ACCENT, linewidth=2)
        axes.set_yscale("log")
        axes.set_ylim(0.8, 1.5 * max(*numbers, 2))
        axes.set_xlim(0, 1)
        axes.xaxis.set_major_locator(MaxNLocator(5))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:.4g} %"))
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
        axes.yaxis.set_minor_formatter(FuncFormatter(lambda _, __: ""))
        axes.set_xlabel("missed by at least this share of the networks")
        axes.set_ylabel("images")
    return figure


def draw_early(early: Sequence[Mapping[str, Any]]) -> Figure:
    """Draw the correlation of the accuracies after each epoch with the final ones, with its 95 % interval."""
    with house_style():
        figure, axes = _make_axes()
        band: dict[str, Any] = {"linewidth": 6, "alpha": 0.35, "solid_capstyle": "butt"}
        for row in early:
            ends = [row["correlation"][end] for end in ("low", "high")]
            axes.plot([row["epoch"]] * 2, ends, color=ACCENT, **band)
        epochs, values = [row["epoch"] for row in early], [row["correlation"]["value"] for row in early]
        axes.plot(epochs, values, "o-", color=ACCENT, markersize=6, linewidth=1.5)
        axes.axhline(0, color=MUTED, linewidth=1)
        axes.set_ylim(min(-0.1, *(row["correlation"]["low"] for row in early)) - 0.02, 1)
        axes.xaxis.set_major_locator(MaxNLocator(8, integer=True))
        axes.yaxis.set_major_locator(MaxNLocator(5))
        axes.set_xlabel("epoch")
        axes.set_ylabel("correlation")
    return figure


def _make_axes() -> tuple[Figure, Any]:
    figure = new_figure(WIDTH, _TOP + _HEIGHT + _BOTTOM)
    axes = add_axes(figure, _LEFT, _TOP, WIDTH - _LEFT - _RIGHT, _HEIGHT)
    axes.grid(axis="y")
    axes.spines["left"].set_visible(False)
    axes.tick_params(left=False)
    return figure, axes


def _write_legend(figure: Figure, entries: Sequence[tuple[str, str]]) -> None:
    """Write the meaning of each line in its colour above the chart."""
    whole, left = _TOP + _HEIGHT + _BOTTOM, _LEFT
    for colour, text in entries:
        figure.text(left / WIDTH, 1 - 40 / whole, f"\N{EM DASH} {text}", color=colour, va="center")
        left += 24 + round(6.6 * len(text))
