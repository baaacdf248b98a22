"""Draw the layers from left to right, as SVG.

Maps are stacks of planes and vectors are bars, which hint at the shapes; the text below them has the numbers. A side
grows with the square root of its size, the number of planes and the height of a bar with the logarithm. Long networks
wrap into rows. An arc above the blocks leads from an earlier layer to the layer that reads it; if the two are in
different rows, the arc comes straight from above. No arrow leads from the previous layer to a `Branch`.
The drawing has no script, style sheet or ids. Its text has the colour of the page, its marks the colour `--accent`.

The heights of a row, in the names of the code:

    top ........  ┌───────────┐       arcs, in lanes
    blocks_top .  │   ┌───┐   │
    middle .....  □ → │   │ → □       the blocks, all centred at this height
                      └───┘
    baseline ... name  a     b
    bottom ..... MACs  0    9,216     the next row's `top` is `_ROW_GAP` below

A block's `centre` is the x of its middle.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from html import escape
from itertools import pairwise
from math import log2
from re import findall
from typing import NamedTuple

from convscope.architecture.layers import Activation, Add, Branch, Dropout, Layer, Pair, Shape, ZeroPadding2D
from convscope.architecture.table import Input, LayerRow, get_source_name

# All lengths are pixels. The font is monospaced, so that a text's width is known without a browser.
_FONT = "ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', monospace"
_FONT_SIZE, _LINE_HEIGHT, _CHARACTER_WIDTH = 12, 17, 7.4
_ACCENT = "var(--accent, #9a6ee0)"
_WIDTH = 1000  # the width of a full row, which a page shows without scrolling
_MARGIN, _GAP, _ROW_GAP = 20, 26, 44  # around all, between blocks, and between rows
_LANE = 12  # height between two arcs above the blocks
_LABELS = ("", "", "name", "output", "parameters", "MACs")  # kind and settings need none
_LABEL_WIDTH = 10 * _CHARACTER_WIDTH
_MAX_CHARACTERS = 16  # a longer line of text wraps
_MAP_SIDE, _BAR_HEIGHT, _BAR_WIDTH = 76, 96, 12  # sizes of the largest map and of the largest vector
_MAX_PLANES, _OFFSET = 10, 4  # planes of a stack, and the offset of each plane from the one before
# By the end of a layer's kind: DepthwiseConv2D looks like Conv2D, and all poolings are alike.
_FILLS = {"Conv2D": (_ACCENT, 0.6), "Dense": (_ACCENT, 0.6), "Pooling2D": (_ACCENT, 0.3)}
_PLAIN_FILL = ("currentColor", 0.14)


@dataclass(frozen=True)
class _Block:
    """The drawing of the input or a layer: its size, and lines of text for each of `_LABELS`."""

    kind: str
    texts: tuple[tuple[str, ...], ...]
    shape: Shape
    height: float  # height of one plane
    width: float
    planes: int
    read_by: Pair | None  # the window of the next layer, marked on the front plane
    source: "_Block | None"  # the layer that it reads by `from_layer`

    @property
    def full_height(self) -> float:
        return self.height + _OFFSET * (self.planes - 1)

    @property
    def full_width(self) -> float:
        return self.width + _OFFSET * (self.planes - 1)

    @property
    def cell_width(self) -> float:
        longest = max(len(line) for lines in self.texts for line in lines)
        return max(longest * _CHARACTER_WIDTH, self.full_width)


def diagram_svg(image: Input, table: tuple[LayerRow, ...]) -> str:
    """Draw the layers from left to right as one SVG element, self-contained and readable on dark and light pages."""
    rows = _arrange_rows(_make_blocks(image, table))
    left = _MARGIN + _LABEL_WIDTH + _GAP
    width = max(left + _row_width(row) for row in rows) + _MARGIN
    parts: list[str] = []
    top: float = _MARGIN
    row_end: tuple[float, float] | None = None  # where the arrow from the last row starts
    for row in rows:
        centres = list(_place_blocks(row, left))
        arcs = _assign_lanes(row)
        blocks_top = top + _LANE * max((arc.lane for arc in arcs), default=0)
        row_height = max(block.full_height for block in row)
        middle = blocks_top + row_height / 2
        if row_end is not None and row[0].kind != "Branch":
            parts.append(_draw_turn(row_end, (_arrow_end(*centres[0]), middle), top - _ROW_GAP / 2, width))
        for before, after in pairwise(centres):
            if after[0].kind != "Branch":
                parts.append(_draw_arrow([(_arrow_start(*before), middle), (_arrow_end(*after), middle)]))
        parts += [_draw_arrow(_route_arc(centres, arc, blocks_top - _LANE * arc.lane, middle)) for arc in arcs]
        parts += [_draw_block(block, centre, middle) for block, centre in centres]
        text, bottom = _draw_texts(centres, blocks_top + row_height + _LINE_HEIGHT + 6)
        parts.append(text)
        row_end = (_arrow_start(*centres[-1]), middle)
        top = bottom + _ROW_GAP
    height = top - _ROW_GAP + _MARGIN
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" viewBox="0 0 {width:.0f} {height:.0f}" '
        f'width="{width:.0f}" height="{height:.0f}" style="max-width:100%;height:auto" '
        f'font-family="{_FONT}" font-size="{_FONT_SIZE}" fill="currentColor">\n'
        f"<title>{escape(_write_title(image, table))}</title>\n<desc>{escape(_write_description(table))}</desc>\n"
        + "\n".join(parts)
        + "\n</svg>"
    )


# --- The blocks -------------------------------------------------------------------------------------------------------


def _make_blocks(image: Input, table: tuple[LayerRow, ...]) -> list[_Block]:
    """Make the block of the input and of each layer, in their order."""
    layers = [row.layer for row in table]
    # Each list has an item for every block: the input's first, then those of the layers.
    names = ["input", *(layer.name for layer in layers)]
    kinds = ["Input", *(layer.kind for layer in layers)]
    shapes = [image.shape, *(row.output_shape for row in table)]
    texts = [(("Input",), (), ("input",), (_to_text(image.shape),), ("0",), ("0",)), *map(_list_texts, table)]
    sources = ["", *map(get_source_name, layers)]
    # On each block, the window of the layer after it is marked: on the input that of the first layer.
    windows = [*(getattr(layer, "window", None) for layer in layers), None]
    # Sizes are drawn relative to the largest map and the largest vector of the network.
    largest_side = max(max(shape[:2]) for shape in shapes if len(shape) == 3)
    largest_vector = max(shape[0] for shape in shapes if len(shape) == 1)
    blocks: dict[str, _Block] = {}
    for name, kind, text, shape, source, window in zip(names, kinds, texts, shapes, sources, windows, strict=True):
        size = _scale_block(shape, largest_side, largest_vector)
        blocks[name] = _Block(kind, text, shape, *size, window.reach if window else None, blocks.get(source))
    return list(blocks.values())


def _scale_block(shape: Shape, largest_side: int, largest_vector: int) -> tuple[float, float, int]:
    """Compute the height and width of a plane, and the number of planes."""
    if len(shape) == 1:
        # By the logarithm: vectors of 10 and 1,000 units fit into one drawing.
        return max(_BAR_HEIGHT * (1 + log2(shape[0])) / (1 + log2(largest_vector)), 12), _BAR_WIDTH, 1
    # By the root, so that small maps stay visible beside large ones.
    height, width = (max(_MAP_SIDE * (size / largest_side) ** 0.5, 5) for size in shape[:2])
    # As many planes as channels up to 3; from there 4, 5, ... for 4, 8, ... channels.
    return height, width, shape[2] if shape[2] <= 3 else min(2 + round(log2(shape[2])), _MAX_PLANES)


def _list_texts(row: LayerRow) -> tuple[tuple[str, ...], ...]:
    """List the lines of text of a layer for each of `_LABELS`."""
    return (
        (row.layer.kind,),
        _list_settings(row.layer),
        _wrap_name(row.layer.name),
        (_to_text(row.output_shape),),
        (f"{row.parameters + row.non_trainable_parameters:,}",),
        (f"{row.macs:,}",),
    )


def _to_text(shape: Shape) -> str:
    return " × ".join(map(str, shape))


def _list_settings(layer: Layer) -> tuple[str, ...]:
    """List a layer's settings in lines of text, such as "3 × 3, stride 2," and "same, relu".

    A layer with a second source begins with it: "+ block_1", "of block_1" or "and block_1".
    """
    words = []
    if (window := getattr(layer, "window", None)) is not None:
        words.append(_to_text(window.size))
        pool_size = getattr(layer, "pool_size", (1, 1))
        for word, pair, default in (("stride", window.strides, pool_size), ("dilation", window.dilation, (1, 1))):
            if pair != default:
                words.append(f"{word} {pair[0] if pair[0] == pair[1] else _to_text(pair)}")
        if (groups := getattr(layer, "groups", 1)) > 1:
            words.append(f"groups {groups}")
        if window.padding == "same":
            words.append("same")
    if isinstance(layer, ZeroPadding2D):
        words += _list_padding(layer)
    if isinstance(layer, Dropout):
        words.append(f"rate {layer.rate:g}")
    if (activation := getattr(layer, "activation", "linear")) != "linear" or isinstance(layer, Activation):
        words.append(activation)
    if isinstance(layer, Activation) and activation == "leaky_relu":
        words.append(f"slope {layer.negative_slope:g}")
    relation = "+" if isinstance(layer, Add) else "of" if isinstance(layer, Branch) else "and"
    source = _wrap_name(f"{relation} {name}") if (name := get_source_name(layer)) else ()
    return (*source, *_wrap_words([f"{word}, " for word in words[:-1]] + words[-1:]))


def _list_padding(layer: ZeroPadding2D) -> list[str]:
    (above, below), (left, right) = layer.padding
    if above == below and left == right:
        return [f"{above} around"] if above == left else [f"rows {above}", f"columns {left}"]
    return [f"rows {above} + {below}", f"columns {left} + {right}"]


def _wrap_name(name: str) -> tuple[str, ...]:
    """Break a name into lines, after underscores if possible, otherwise where a line is full."""
    # "block_1_add" gives "block_", "1_" and "add".
    words = [
        word[i : i + _MAX_CHARACTERS]
        for word in findall("[^_]*_|[^_]+", name)
        for i in range(0, len(word), _MAX_CHARACTERS)
    ]
    return _wrap_words(words)


def _wrap_words(words: list[str]) -> tuple[str, ...]:
    lines: list[str] = []
    for word in words:
        if lines and len(lines[-1] + word.rstrip()) <= _MAX_CHARACTERS:
            lines[-1] += word
        else:
            lines.append(word)
    return tuple(line.rstrip() for line in lines)


def _write_title(image: Input, table: tuple[LayerRow, ...]) -> str:
    size, num_classes = _to_text(image.shape), table[-1].output_shape[0]
    return f"A network of {len(table)} layers, from images of {size} to {num_classes} classes"


def _write_description(table: tuple[LayerRow, ...]) -> str:
    return "; ".join(
        f"{row.layer.name} ({row.layer.kind}{_format_source(row.layer)}): output {_to_text(row.output_shape)}, "
        f"{row.parameters + row.non_trainable_parameters:,} parameters, {row.macs:,} multiply-adds"
        for row in table
    )


def _format_source(layer: Layer) -> str:
    return f" of {name}" if (name := get_source_name(layer)) else ""


# --- Their positions --------------------------------------------------------------------------------------------------


def _row_width(row: list[_Block]) -> float:
    return sum(block.cell_width for block in row) + _GAP * (len(row) - 1)


def _arrange_rows(blocks: list[_Block]) -> list[list[_Block]]:
    """Arrange the blocks in the fewest rows that fit the width, of about equal length."""
    full = int(_WIDTH - 2 * _MARGIN - _LABEL_WIDTH - _GAP)
    num_rows = len(_fill_rows(blocks, full))
    # Seven equal blocks, six in a row, would fill rows of 6 and 1. The narrowest limit that needs no third row, to
    # 20 pixels, makes them 4 and 3.
    limit = 0
    while len(_fill_rows(blocks, min(limit, full))) > num_rows:
        limit += 20
    return _fill_rows(blocks, min(limit, full))


def _fill_rows(blocks: list[_Block], limit: float) -> list[list[_Block]]:
    rows: list[list[_Block]] = [[]]
    for block in blocks:
        if rows[-1] and _row_width([*rows[-1], block]) > limit:
            rows.append([])
        rows[-1].append(block)
    return rows


def _place_blocks(row: list[_Block], left: float) -> Iterator[tuple[_Block, float]]:
    """Yield each block with the x of the middle of its cell."""
    for block in row:
        yield block, left + block.cell_width / 2
        left += block.cell_width + _GAP


class _Arc(NamedTuple):
    """An arc above a row, between two of its blocks by their index; the source is None if it is in another row.

    Lanes count from 1, upwards from the blocks.
    """

    source: int | None
    target: int
    lane: int

    @property
    def start(self) -> int:
        # An arc from another row comes straight down on its target.
        return self.target if self.source is None else self.source


def _assign_lanes(row: list[_Block]) -> list[_Arc]:
    """List the arcs of a row in lanes where none meets another: 0 → 2 and 3 → 5 in lane 1, 0 → 5 above in lane 2."""
    indices = {id(block): index for index, block in enumerate(row)}
    arcs = [_Arc(indices.get(id(block.source)), index, 0) for index, block in enumerate(row) if block.source]
    placed: list[_Arc] = []
    # Short arcs first, so that a long one finds the lanes of those that it spans.
    for arc in sorted(arcs, key=lambda arc: (arc.target - arc.start, arc.target)):
        below = [lower.lane for lower in placed if lower.start < arc.target and arc.start < lower.target]
        placed.append(arc._replace(lane=1 + max(below, default=0)))
    return placed


def _route_arc(
    centres: list[tuple[_Block, float]], arc: _Arc, height: float, middle: float
) -> list[tuple[float, float]]:
    """List the corners of an arc at `height`: from its source up, across, and down to its target."""
    block, centre = centres[arc.target]
    x = centre - 4  # so that an arc that leaves this block has a line of its own
    end = [(x, height), (x, middle - block.full_height / 2 - 4)]
    if arc.source is None:
        return end
    block, centre = centres[arc.source]
    return [(centre + 4, middle - block.full_height / 2 - 4), (centre + 4, height), *end]


def _arrow_end(block: _Block, centre: float) -> float:
    return centre - block.full_width / 2 - 5


def _arrow_start(block: _Block, centre: float) -> float:
    return centre + block.full_width / 2 + 5


# --- The marks --------------------------------------------------------------------------------------------------------


def _draw_block(block: _Block, centre: float, middle: float) -> str:
    """Draw the planes of a block's maps, the front one at the bottom left, or the bar of its vector."""
    fill, opacity = next((fill for end, fill in _FILLS.items() if block.kind.endswith(end)), _PLAIN_FILL)
    # The top left corner of the front plane, its width and height, and the offset of the plane behind it.
    x, y = centre - block.full_width / 2, middle + block.full_height / 2 - block.height
    w, h, d = block.width, block.height, _OFFSET
    marks = [
        # Only the visible part of the planes at the back is drawn, since translucent marks would add up:
        # along the top, down the right side and back along the edge of the plane before it.
        f'<path d="M{x + d * k:.1f} {y - d * k:.1f}h{w:.1f}v{h:.1f}h{-d}v{d - h:.1f}h{d - w:.1f}z" '
        f'fill-opacity="{opacity * 0.7:.2f}"/>'
        for k in range(block.planes - 1, 0, -1)
    ]
    marks.append(f'<rect x="{x:.1f}" y="{y:.1f}" width="{w:.1f}" height="{h:.1f}" fill-opacity="{opacity}"/>')
    if len(block.shape) == 1 and block.shape[0] <= 16:  # a line between two units; more lines would blur into grey
        steps = (y + h * k / block.shape[0] for k in range(1, block.shape[0]))
        marks += [f'<path d="M{x:.1f} {step:.1f}h{w:.1f}" stroke-opacity="0.6"/>' for step in steps]
    if block.read_by is not None and len(block.shape) == 3:
        marks.append(_draw_window(block, block.read_by, x, y))
    style = f"fill:{fill};stroke:currentColor"
    return f'<g style="{style}" stroke-width="0.8" stroke-opacity="0.6">{"".join(marks)}</g>'


def _draw_window(block: _Block, window: Pair, x: float, y: float) -> str:
    """Draw the window of the next layer on the front plane at (x, y), to scale, but at least 4 pixels large."""
    rows, columns = (min(n / size, 1) for n, size in zip(window, block.shape[:2], strict=True))
    height, width = max(block.height * rows, min(block.height, 4)), max(block.width * columns, min(block.width, 4))
    # A third of the free room above and to the left: off centre, as a window that moves.
    left, top = x + (block.width - width) / 3, y + (block.height - height) / 3
    return (
        f'<rect x="{left:.1f}" y="{top:.1f}" '
        f'width="{width:.1f}" height="{height:.1f}" fill="none" stroke-opacity="0.9"/>'
    )


def _draw_turn(start: tuple[float, float], end: tuple[float, float], between: float, width: float) -> str:
    """Draw the arrow from the end of a row, along the edges of the drawing, to the first block of the next row."""
    #  □ → □ ─┐    right edge
    #  ┌──────┘    at the height `between` the rows
    #  └→ □        left edge; both edges are 8 pixels from the border
    left, right = 8, width - 8
    return _draw_arrow([start, (right, start[1]), (right, between), (left, between), (left, end[1]), end])


def _draw_arrow(points: list[tuple[float, float]]) -> str:
    line = "L".join(f"{x:.1f} {y:.1f}" for x, y in points)
    x, y = points[-1]
    # The head points along the last piece of the line.
    is_downwards = points[-2][0] == x
    a, b = ((x - 3.5, y - 5), (x + 3.5, y - 5)) if is_downwards else ((x - 5, y - 3.5), (x - 5, y + 3.5))
    return (
        f'<path d="M{line}M{a[0]:.1f} {a[1]:.1f}L{x:.1f} {y:.1f}L{b[0]:.1f} {b[1]:.1f}" fill="none" '
        'stroke="currentColor" stroke-opacity="0.6" stroke-linejoin="round" stroke-linecap="round"/>'
    )


def _draw_texts(centres: list[tuple[_Block, float]], baseline: float) -> tuple[str, float]:
    """Draw the lines of text under a row of blocks, and return them with their lower end."""
    parts = []
    for field, label in enumerate(_LABELS):
        # The kind is bold, settings and name are paler.
        weight = ' font-weight="600"' if field == 0 else ' fill-opacity="0.75"' if field in (1, 2) else ""
        if label:
            parts.append(f'<text x="{_MARGIN}" y="{baseline:.1f}" fill-opacity="0.6">{label}</text>')
        for block, centre in centres:
            for number, line in enumerate(block.texts[field]):
                y = baseline + number * _LINE_HEIGHT
                parts.append(f'<text x="{centre:.1f}" y="{y:.1f}" text-anchor="middle"{weight}>{escape(line)}</text>')
        baseline += _LINE_HEIGHT * max(len(block.texts[field]) for block, _ in centres)
    return "\n".join(parts), baseline - _LINE_HEIGHT + 5
