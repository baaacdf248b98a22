"""The section on filters: what activates each.

A filter has a card: nine pictures of what it reads at its strongest activations, three in a row, and lines such as
"selectivity 0.92, for 7". A filter that few images activate has fewer pictures.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from convscope.base.tables import clip
from convscope.evidence.explanation.filter_cards import NUM_EXCITING, FilterCard, FilterCards, FilterLayerCards
from convscope.evidence.explanation.filter_pictures import picture_box
from convscope.report.evidence.section import Card, Gallery, Section, Table, heads
from convscope.report.findings import count_images, percent
from convscope.report.layer_names import name_kinds
from convscope.report.pixels import Pixels, enlarge, image_pixels, scale_to, tile
from convscope.texts import figure, format_rounded, join_sentences, say

_GRID = 90  # pixels that the nine pictures of a card take, about
_GAP = 3
_DIMMED = 80  # opacity, of 255, of the pixels of a picture outside the receptive field
_MAX_GALLERIES = 8  # with more layers, all cards stand in one
_NUM_OPEN = 12  # cards that are shown, over all galleries; a click opens the others


def filters_section(value: FilterCards) -> Section:
    """Make the section of the filters of a network."""
    noun = _noun(value)
    return Section(
        "filters",
        say(f"evidence.filters.name.{noun}"),
        say(f"evidence.filters.shows.{noun}.{value.split}"),
        say(f"evidence.filters.doesNotShow.{noun}"),
        _parts(value, noun),
    )


def _parts(value: FilterCards, noun: str) -> list[Table | Gallery]:
    if not value.layers:
        return [Table(say("evidence.filters.nothing"), "", [say("head.layer")], [])]
    pictured = [layer for layer in value.layers if layer.pictures.filters]
    # A gallery for each layer, or one for all layers of a deep network.
    groups = [[layer] for layer in pictured] if len(pictured) <= _MAX_GALLERIES else [pictured]
    num_open = max(3, _NUM_OPEN // max(len(groups), 1))
    galleries = [replace(_gallery(value, group, noun), num_open=num_open) for group in groups]
    return [_layer_table(value, noun), *galleries]


def _noun(value: FilterCards) -> str:
    return "unit" if any(layer.kind == "Dense" for layer in value.layers) else "filter"


def _names(value: FilterCards) -> dict[str, str]:
    return name_kinds({layer.layer: layer.kind for layer in value.layers})


# --- Layers -----------------------------------------------------------------------------------------------------------


def _layer_table(value: FilterCards, noun: str) -> Table:
    layers = value.layers
    dead = sum(card.is_dead for layer in layers for card in layer.filters)
    total = sum(len(layer.filters) for layer in layers)
    title = say(f"evidence.filters.noneDead.{noun}")
    if dead:
        title = say(f"evidence.filters.dead.{noun}", n=dead, total=total)
    look = join_sentences(say("evidence.filters.lookDead"), say("evidence.filters.formula", images=count_images(value)))
    rows, names = [], _names(value)
    for layer in layers:
        cards = layer.filters
        counts = (len(cards), sum(card.is_dead for card in cards), sum(card.is_rare for card in cards))
        rows.append([names[layer.layer], *(f"{count:,}" for count in counts)])
    header = [say("head.layer"), say(f"nouns.{noun}"), *heads("filters", "dead", "rare")]
    return Table(title, look, header, rows)


# --- Pictures ---------------------------------------------------------------------------------------------------------


def _gallery(value: FilterCards, layers: Sequence[FilterLayerCards], noun: str) -> Gallery:
    cards = [card for layer in layers for card in _cards(value, layer, noun, is_named=len(layers) > 1)]
    total = sum(len(layer.filters) for layer in layers)
    if len(layers) > 1:
        title: str = say(f"evidence.filters.ofLayers.{noun}", shown=len(cards), n=total, layers=len(layers))
        reads = ""
    else:
        title, reads = _count_active(layers[0], noun, _names(value)), _describe_receptive_field(value, layers[0], noun)
        if len(cards) < total:
            title = say("semicolon", first=title, second=say("evidence.filters.areShown", n=len(cards)))
    look = join_sentences(say(f"evidence.filters.left.{value.split}.{noun}"), reads)
    height, width = (max(card.picture.shape[axis] for card in cards) for axis in (0, 1))
    cards = [replace(card, picture=_pad_pictures(card.picture, height, width)) for card in cards]  # one scale for all
    return Gallery(title, look, cards, max(height, width))


def _count_active(layer: FilterLayerCards, noun: str, names: Mapping[str, str]) -> str:
    cards, name = layer.filters, names[layer.layer]
    dead = sum(card.is_dead for card in cards)
    if not dead:
        return say(f"evidence.filters.alive.all.{noun}", layer=name, n=len(cards))
    return say(f"evidence.filters.alive.some.{noun}", layer=name, n=len(cards), active=len(cards) - dead)


def _describe_receptive_field(value: FilterCards, layer: FilterLayerCards, noun: str) -> str:
    height, width, _ = value.image_shape
    rows, columns = layer.receptive_field.size
    if layer.map_size == (1, 1) and rows >= height and columns >= width:
        return say(f"evidence.filters.whole.{noun}")
    if rows >= height and columns >= width:
        return say("evidence.filters.wholePositions")
    factor, size = layer.pictures.factor, f"{rows} × {columns}"
    if factor > 1:
        return say("evidence.filters.positionsReduced", size=size, factor=factor)
    return say("evidence.filters.positions", size=size)


def _cards(value: FilterCards, layer: FilterLayerCards, noun: str, *, is_named: bool) -> list[Card]:
    """Make a card for each filter that has pictures: of its strongest activations, the strongest first."""
    pictures = layer.pictures
    real = pictures.real.unpack()  # (n, 9, h, w, C): `number` counts the n filters that have pictures
    scale = scale_to(3 * max(real.shape[2:4]), _GRID)
    cards = []
    for number, index in enumerate(pictures.filters):
        card = layer.filters[index]
        positions = card.exciting.positions
        masked = [
            _mask_picture(value, layer, real[number, rank], position, scale) for rank, position in enumerate(positions)
        ]
        empty = np.zeros((*(scale * side for side in real.shape[2:4]), 4), np.uint8)
        # Nine cells, of which a filter that few images activate leaves some clear.
        grid = tile([*masked, *[empty] * (NUM_EXCITING - len(masked))], 3, _GAP, framed=True)
        name = say(f"evidence.filters.card.{noun}", index=str(index))
        if is_named:
            name = say(f"evidence.filters.cardOf.{noun}", layer=_names(value)[layer.layer], index=str(index))
        first_image = (value.split, card.exciting.index[0]) if positions else (None, None)
        cards.append(Card(grid, [name, *_lines(card, value.class_names)], *first_image))
    return cards


def _mask_picture(
    value: FilterCards, layer: FilterLayerCards, picture: NDArray[np.uint8], position: tuple[int, int], scale: int
) -> Pixels:
    """Turn a picture into pixels that are clear beyond the image and dimmed outside the receptive field.

    It is cut out of the image around the receptive field. At the upper edge of an image, with rows reduced by 2:

        rows of the image   -4  -2   0   2   4   6   8     a pixel of the picture stands for two rows
        receptive field              | rows 1 to 5 |
        opacity              0   0 255 255 255  80  80
    """
    height, width, _ = value.image_shape
    field = layer.receptive_field
    factor = layer.pictures.factor
    top, left, rows, columns = picture_box(field, position, (height, width))
    alphas = []  # the opacities along the rows, then along the columns
    for axis, (first, size, pixels) in enumerate(((top, rows, height), (left, columns, width))):
        start = field.start[axis] + position[axis] * field.jump[axis]
        # Each pixel of the picture stands for `factor` rows (or columns) of the image, from `begin` to `end` - 1.
        begin = np.arange(first, first + size, factor)
        end = begin + factor
        is_read = (end > start) & (begin < start + field.size[axis])
        alphas.append(np.where((end <= 0) | (begin >= pixels), 0, np.where(is_read, 255, _DIMMED)))
    shown = image_pixels(picture)
    shown[..., 3] = np.minimum(alphas[0][:, None], alphas[1][None, :])
    return enlarge(shown, scale)


def _pad_pictures(picture: Pixels, height: int, width: int) -> Pixels:
    """Put `picture` at the upper left of a clear ground."""
    pixels = np.zeros((height, width, 4), np.uint8)
    pixels[: picture.shape[0], : picture.shape[1]] = picture
    return pixels


def _lines(card: FilterCard, names: Sequence[str]) -> list[str]:
    highest = card.quantiles[-1]
    if card.is_dead:
        return [_line("dead", value=format_rounded(highest, 3))]
    name = clip(names[card.selective_label], 12)
    lines = [_line("selective", value=figure(card.selectivity, 2), name=name)]
    lines.append(_line("maximum", value=format_rounded(highest, 3)))
    if card.is_rare:
        lines.append(_line("rare", share=percent(card.active_image_fraction)))
    return lines


def _line(key: str, **values: str | int) -> str:
    return say(f"evidence.filters.line.{key}", **values)
