"""The chart of how selective filters are, layer by layer, beside what shuffled labels give."""

from collections.abc import Sequence

import numpy as np

from convscope.base.tables import clip
from convscope.evidence.explanation.filter_cards import FilterCard, FilterCards, FilterLayerCards
from convscope.report.axes import LINE, FilterSlots, draw_grid, number_tick, set_ticks
from convscope.report.evidence.section import Chart, Table
from convscope.report.findings import counted, percent
from convscope.report.style import ACCENT, INK, MUTED, Drawing, add_axes, house_style, new_drawing
from convscope.texts import figure, rounded, say

_MOST_ROWS = 300  # of the table of filters
_MOST_DOTS = 400  # with more filters, a line
_LEFT, _RIGHT, _TOP, _HEIGHT = 64, 16, 40, 176
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
        percent(card.active_image_fraction, 1),
        alike,
    ]


def _draw(layers: Sequence[FilterLayerCards], title: str) -> Drawing:
    """Draw each filter's selectivity as a dot, layer by layer, the most selective first, above what chance gives."""
    groups = [
        sorted((card.selectivity for card in layer.filters if not card.is_dead), reverse=True) for layer in layers
    ]
    counts = {layer.layer: len(layer.filters) for layer in layers}
    slots = FilterSlots(counts, _LEFT + _RIGHT)
    width, slot, is_line = slots.width, slots.slot, sum(counts.values()) > _MOST_DOTS
    height = _TOP + _HEIGHT + slots.below + 16 + 2 * LINE
    with house_style():
        drawing = new_drawing(_LEFT + width + _RIGHT, height, title)
        axes = add_axes(drawing, _LEFT, _TOP, width, _HEIGHT)
        for number, (layer, group) in enumerate(zip(layers, groups, strict=True)):
            size, start = min(6.0, max(0.5 * slot, 2.0)), slots.starts[number]
            places, look = slots.places(number, len(group)), "-" if is_line else "o"
            axes.plot(places, group, look, color=ACCENT, markersize=size, markeredgewidth=0, clip_on=False)
            end = start + slot * len(layer.filters)
            axes.hlines(layer.shuffled_selectivity, start, end, color=INK, linewidth=1.5)
        slots.name_layers(axes)
        axes.set_ylim(0, 1 if max(map(max, filter(None, groups)), default=1) > 0.5 else 0.5)
        draw_grid(axes, has_base=False)
        set_ticks(axes.yaxis, 5, number_tick)
        axes.set_ylabel(say("evidence.filters.axis"))
        axes.yaxis.set_label_coords(-44 / width, 0.5)
        drawing.text(8 / (_LEFT + width + _RIGHT), 12 / height, say("evidence.filters.legend"), color=MUTED)
    return drawing
