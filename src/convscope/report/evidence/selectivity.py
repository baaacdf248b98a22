"""The chart of how selective filters are, layer by layer, beside what shuffled labels give."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.ticker import FuncFormatter, MaxNLocator

from convscope.base.tables import clip, display_width
from convscope.evidence.explanation.filter_cards import FilterCard, FilterCards, FilterLayerCards
from convscope.report.charts import CHART_WIDTH, number_tick
from convscope.report.evidence.section import Chart, Table
from convscope.report.findings import counted, percent
from convscope.report.style import ACCENT, INK, MUTED, Drawing, add_axes, house_style, new_drawing
from convscope.texts import figure, rounded, say

_MOST_ROWS = 300  # of the table of filters
_MOST_DOTS = 400  # with more filters, a line
_LEFT, _RIGHT, _TOP, _HEIGHT, _LINE, _LETTER = 64, 16, 40, 176, 16, 7.6
_NUMBERS = ("number", "selectivity", "class", "median", "highest", "active", "similar")


def selectivity_chart(value: FilterCards, noun: str) -> Chart:
    """Return the chart of filters, with at least one layer; `noun` is filter or unit."""
    layers = value.layers
    best = max(layers, key=lambda layer: layer.mean_selectivity)
    mean, chance = best.mean_selectivity, best.shuffled_selectivity
    figures = {"mean": figure(mean, 2), "chance": figure(chance, 2)}
    title = (
        say(f"evidence.filters.mostSelective.{noun}", layer=clip(best.layer, 18), **figures)
        if len(layers) > 1
        else say("evidence.filters.selective", **figures)
    )
    rows = [(layer, card) for layer in layers for card in layer.filters]
    shown = [rows[place] for place in np.linspace(0, len(rows) - 1, min(len(rows), _MOST_ROWS)).round().astype(int)]
    header = [say("head.layer")]
    header += [say("head.class") if name == "class" else say(f"evidence.filters.head.{name}") for name in _NUMBERS]
    return Chart(
        "selectivity",
        title,
        say("evidence.filters.formula", images=counted(value)),
        _draw(layers, title),
        Table("", "", header, [_numbers(layer, card, value.class_names) for layer, card in shown], 2),
        is_wide=True,
    )


def _numbers(layer: FilterLayerCards, card: FilterCard, names: Sequence[str]) -> list[str]:
    alike = ""
    if card.correlation is not None:
        correlation = figure(card.correlation, 2)
        alike = say("evidence.filters.similarTo", index=str(card.most_alike), correlation=correlation)
    return [
        clip(layer.layer, 18),
        f"{card.filter}",
        "" if card.is_dead else f"{card.selectivity:.3f}",
        "" if card.is_dead else clip(names[card.selective_label], 12),
        rounded(card.quantiles[2], 3),
        rounded(card.quantiles[-1], 3),
        percent(card.answering_fraction, 1),
        alike,
    ]


def _draw(layers: Sequence[FilterLayerCards], title: str) -> Drawing:
    """Draw each filter's selectivity as a dot, layer by layer, the most selective first, above what chance gives."""
    groups = [
        sorted((card.selectivity for card in layer.filters if not card.is_dead), reverse=True) for layer in layers
    ]
    counts = [len(layer.filters) for layer in layers]
    count = sum(counts)
    width = float(np.clip(16 * count + 24 * (len(layers) - 1), 560 - _LEFT - _RIGHT, 2 * CHART_WIDTH - _LEFT - _RIGHT))
    gap = min(24.0, width / (4 * len(layers)))
    slot = (width - gap * (len(layers) - 1)) / count
    starts = np.cumsum([0, *(slot * one + gap for one in counts)])[:-1]
    names = [clip(layer.layer, 18) for layer in layers]
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
            chance = layer.shuffled_selectivity
            axes.hlines(chance, start, start + slot * one, color=INK, linewidth=1.5)
        axes.set_xlim(0, width)
        axes.set_ylim(0, 1 if max(map(max, filter(None, groups)), default=1) > 0.5 else 0.5)
        middles = starts + slot * np.array(counts) / 2
        every = -(-len(layers) * _LINE // int(width)) if turned else 1
        axes.set_xticks(middles[::every], names[::every], rotation=90 if turned else 0)
        axes.tick_params(axis="x", length=0, labelcolor=INK)
        axes.tick_params(axis="y", left=False)
        axes.yaxis.set_major_locator(MaxNLocator(5))
        axes.yaxis.set_major_formatter(FuncFormatter(number_tick))
        axes.set_ylabel(say("evidence.filters.axis"))
        axes.yaxis.set_label_coords(-44 / width, 0.5)
        axes.grid(axis="y")
        axes.spines["left"].set_visible(False)
        axes.spines["bottom"].set_visible(False)
        drawing.text(8 / (_LEFT + width + _RIGHT), 12 / height, say("evidence.filters.legend"), color=MUTED)
    return drawing
