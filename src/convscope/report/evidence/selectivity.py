"""The chart of how selective filters are, layer by layer, beside what shuffled labels give."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.ticker import MaxNLocator

from convscope.base.tables import clip, display_width
from convscope.report.charts import CHART_WIDTH
from convscope.report.evidence.section import Chart, Table
from convscope.report.findings import percent
from convscope.report.style import ACCENT, INK, MUTED, Drawing, add_axes, house_style, new_drawing
from convscope.report.texts import figure, say

_MOST_ROWS = 300  # of the table of filters
_MOST_DOTS = 400  # with more filters, a line
_LEFT, _RIGHT, _TOP, _HEIGHT, _LINE, _LETTER = 64, 16, 40, 176, 16, 7.6
_NUMBERS = (
    "Layer",
    "Number",
    "Selectivity",
    "Class",
    "Median answer",
    "Highest",
    "Synthetic",
    "Active on",
    "Most similar to",
)


def selectivity_chart(value: dict[str, Any], noun: str) -> Chart:
    """Return the chart of what `FilterCards.to_dict()` holds, with at least one layer; `noun` is filter or unit."""
    layers = value["layers"]
    best = max(layers, key=lambda layer: layer["mean_selectivity"])
    mean, chance = best["mean_selectivity"], best["shuffled_selectivity"]
    figures = {"mean": figure(mean, 2), "chance": figure(chance, 2)}
    title = (
        say(f"evidence.filters.mostSelective.{noun}", layer=clip(best["layer"], 18), **figures)
        if len(layers) > 1
        else say("evidence.filters.selective", **figures)
    )
    counted = f"{value['num_images']:,} {value['split']} images"
    left_out = f" ({value['num_images_left_out']:,} left out)" if value["num_images_left_out"] else ""
    rows = [(layer, card) for layer in layers for card in layer["filters"]]
    shown = [rows[place] for place in np.linspace(0, len(rows) - 1, min(len(rows), _MOST_ROWS)).round().astype(int)]
    return Chart(
        "selectivity",
        title,
        "Selectivity is (a − b) / (a + b), where a is the mean activation for the preferred class and b for the other "
        f"classes. 0 means equal activation, 1 means activation for one class only. Measured over {counted}{left_out}. "
        "The line is the chance level.",
        _draw(layers, title),
        Table("", "", _NUMBERS, [_numbers(layer, card, value["class_names"]) for layer, card in shown], 2),
        is_wide=True,
    )


def _numbers(layer: dict[str, Any], card: dict[str, Any], names: Sequence[str]) -> list[str]:
    alike = "" if card["most_alike"] is None else f"{card['most_alike']} ({_signed(card['correlation'])})"
    return [
        clip(layer["layer"], 18),
        f"{card['filter']}",
        "" if card["is_dead"] else f"{card['selectivity']:.3f}",
        "" if card["is_dead"] else clip(names[card["selective_label"]], 12),
        number_text(card["quantiles"][2]),
        number_text(card["quantiles"][-1]),
        "" if card["synthetic_value"] is None else number_text(card["synthetic_value"]),
        percent(card["answering_fraction"], 1),
        alike,
    ]


def _draw(layers: Sequence[dict[str, Any]], title: str) -> Drawing:
    """Draw each filter's selectivity as a dot, layer by layer, the most selective first, above what chance gives."""
    groups = [
        sorted((card["selectivity"] for card in layer["filters"] if not card["is_dead"]), reverse=True)
        for layer in layers
    ]
    counts = [len(layer["filters"]) for layer in layers]
    count = sum(counts)
    width = float(np.clip(16 * count + 24 * (len(layers) - 1), 560 - _LEFT - _RIGHT, 2 * CHART_WIDTH - _LEFT - _RIGHT))
    gap = min(24.0, width / (4 * len(layers)))
    slot = (width - gap * (len(layers) - 1)) / count
    starts = np.cumsum([0, *(slot * one + gap for one in counts)])[:-1]
    names = [clip(layer["layer"], 18) for layer in layers]
    longest = max(_LETTER * display_width(name) for name in names)
    turned = any(_LETTER * display_width(name) > slot * one + gap for name, one in zip(names, counts, strict=True))
    height = _TOP + _HEIGHT + (longest if turned else _LINE) + 16 + 2 * _LINE
    with house_style():
        drawing = new_drawing(_LEFT + width + _RIGHT, height, title)
        axes = add_axes(drawing, _LEFT, _TOP, width, _HEIGHT)
        for layer, start, group, one in zip(layers, starts, groups, counts, strict=True):
            places = start + slot * (np.arange(len(group)) + 0.5)
            look: dict[str, Any] = {"marker": "o", "linestyle": "", "markersize": min(6.0, max(0.5 * slot, 2.0))}
            if count > _MOST_DOTS:
                look = {"linewidth": 2}
            axes.plot(places, group, color=ACCENT, markeredgewidth=0, clip_on=False, **look)
            chance = layer["shuffled_selectivity"]
            axes.hlines(chance, start, start + slot * one, color=INK, linewidth=1.5)
        axes.set_xlim(0, width)
        axes.set_ylim(0, 1 if max(map(max, filter(None, groups)), default=1) > 0.5 else 0.5)
        middles = starts + slot * np.array(counts) / 2
        every = -(-len(layers) * _LINE // int(width)) if turned else 1
        axes.set_xticks(middles[::every], names[::every], rotation=90 if turned else 0)
        axes.tick_params(axis="x", length=0, labelcolor=INK)
        axes.tick_params(axis="y", left=False)
        axes.yaxis.set_major_locator(MaxNLocator(5))
        axes.set_ylabel("selectivity")
        axes.yaxis.set_label_coords(-44 / width, 0.5)
        axes.grid(axis="y")
        axes.spines["left"].set_visible(False)
        axes.spines["bottom"].set_visible(False)
        legend = "line: mean of the layer with shuffled labels; dead ones have no dot"
        drawing.text(_LEFT / (_LEFT + width + _RIGHT), 12 / height, legend, color=MUTED)
    return drawing


def number_text(value: float) -> str:
    """Return a filter's output as text of three digits."""
    return f"{value:.3g}".replace("-", "\N{MINUS SIGN}")


def _signed(value: float) -> str:
    return f"{value:.2f}".replace("-", "\N{MINUS SIGN}")
