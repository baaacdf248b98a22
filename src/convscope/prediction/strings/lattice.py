"""Cut a line into characters: pieces of ink, spans of pieces, and the cheapest row of spans that covers the line.

A piece is a blob, or a part of a blob if cuts are possible. A span is a run of neighbouring pieces that may be a
character. Dynamic programming finds the cheapest row of spans:

    pieces    0   1   2   3
    spans    [0] [1] [2] [3]  [0 1] [1 2] [2 3]  [0 1 2] ...
    a row    [0 1] [2] [3]    its cost is the sum of its spans' costs and of the ink that its cuts cross

Source: LeCun, Bottou, Bengio and Haffner 1998, section V: heuristic over-segmentation, the segmentation graph, and the
best path through it (Viterbi).
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from convscope.base.deadline import check_deadline
from convscope.data.handwriting.segments import Blob, Segments

MAX_PIECES = 10
"""Limit for spans that cut a blob."""

_MAX_WHOLE_PIECES = 40  # limit for spans of whole blobs: a broken character of two blobs with 15 parts each has 30

# In units of the usual height of a character:
_MAX_WIDTH = 1.7  # a wider span is more than one character
_MAX_GAP = 0.35  # the widest gap between the blobs of one character
_MAX_FRAGMENT_HEIGHT = 0.7  # two higher blobs side by side are two characters
_MIN_PART_HEIGHT = 0.45  # a lower part that was cut off is no character

_EDGE_PIXELS = 2  # width of the paler ink around a piece that belongs to it


@dataclass(frozen=True, eq=False)
class Piece:
    """A blob of one part, or one part of a blob.

    Attributes:
        blob: index of its line in `Segments.lines`, then of the blob on that line.
        part: its number in `Blob.parts`.
        box: left, top, right, bottom in the ink picture.
        ink: its pixels.
    """

    blob: tuple[int, int]
    part: int
    box: tuple[int, int, int, int]
    ink: int


@dataclass(frozen=True, eq=False)
class Span:
    """Pieces `first` to `last - 1` of a line, which may be one character.

    Attributes:
        box: left, top, right, bottom in the ink picture.
        gaps: the sum of the gaps between its blobs, in usual heights.
        num_blobs: how many blobs it has pieces of.
    """

    line: int
    first: int
    last: int
    box: tuple[int, int, int, int]
    gaps: float
    num_blobs: int

    @property
    def width(self) -> int:
        return self.box[2] - self.box[0]

    @property
    def height(self) -> int:
        return self.box[3] - self.box[1]


@dataclass(frozen=True, eq=False)
class Lattice:
    """The pieces of a line, the spans of them, and the ink that is cut between the pieces.

    Attributes:
        cuts: `len(pieces) + 1` numbers: `cuts[i]` is the ink, in stroke widths, that is cut if a character ends before
            piece i.
    """

    line: int
    pieces: tuple[Piece, ...]
    cuts: tuple[float, ...]
    spans: tuple[Span, ...]

    @cached_property
    def _boxes(self) -> NDArray[np.int64]:
        return np.array([piece.box for piece in self.pieces], np.int64).reshape(-1, 4)

    def pieces_near(self, box: tuple[int, int, int, int], margin: int) -> list[int]:
        """Find the indices of the pieces whose boxes overlap `box`, or lie within `margin` of it."""
        left, top, right, bottom = self._boxes.T
        near = (
            (left < box[2] + margin) & (box[0] < right + margin) & (top < box[3] + margin) & (box[1] < bottom + margin)
        )
        return np.flatnonzero(near).tolist()


def make_lattice(segments: Segments, line: int, merge: bool = True, max_spans: int | None = None) -> Lattice:
    """Make the lattice of a line.

    Args:
        merge: whether spans may have several pieces.
        max_spans: further spans are left out.
    """
    check_deadline()
    keyed_pieces: list[tuple[float, Piece]] = []
    for number, blob in enumerate(segments.lines[line]):
        # Pieces are sorted by their middles. The parts of a blob must stay in their order, since `blob.cuts[k]` is the
        # cut after part k + 1: each has a larger key than the part before.
        key = -np.inf
        for part in range(1, blob.num_parts + 1):
            box, ink = _find_box(blob, part)
            key = max(key + 1e-6, (box[0] + box[2]) / 2)
            keyed_pieces.append((key, Piece((line, number), part, box, ink)))
    keyed_pieces.sort(key=lambda pair: pair[0])
    pieces = tuple(piece for _, piece in keyed_pieces)
    return Lattice(
        line,
        pieces,
        _compute_cuts(pieces, segments.lines[line]),
        tuple(
            islice(
                _find_spans(pieces, segments.lines[line], line, segments.height, _MAX_WHOLE_PIECES if merge else 1),
                max_spans,
            )
        ),
    )


def find_cheapest(lattice: Lattice, costs: Sequence[float], cut_cost: float) -> list[int]:
    """Find the indices of the spans that cover the line at the lowest cost, from left to right.

    Args:
        costs: the cost of each of `lattice.spans`; infinite for spans that must not be used.
        cut_cost: the cost of each stroke width of ink that is cut.
    """
    # best[i] is the lowest cost of covering the first i pieces, last_spans[i] the last span of that cover.
    num_pieces = len(lattice.pieces)
    best, last_spans = [0.0] + [np.inf] * num_pieces, [-1] * (num_pieces + 1)
    # By their ends, so that best[span.first] is final before it is used.
    for index in sorted(range(len(lattice.spans)), key=lambda i: lattice.spans[i].last):
        span = lattice.spans[index]
        cost = best[span.first] + costs[index] + cut_cost * lattice.cuts[span.last]
        if cost < best[span.last]:
            best[span.last], last_spans[span.last] = cost, index
    path, position = [], num_pieces
    while position > 0:
        path.append(last_spans[position])
        position = lattice.spans[last_spans[position]].first
    return path[::-1]


def cut_out(span: Span, lattice: Lattice, segments: Segments) -> NDArray[np.uint8]:
    """Cut out the ink of a span alone with a margin, (h, w) uint8, 255 is full ink."""
    from scipy.ndimage import binary_dilation

    check_deadline()
    left, top, right, bottom = span.box
    # Masks and ink of the box with an edge around it.
    is_span = np.zeros((bottom - top + 2 * _EDGE_PIXELS, right - left + 2 * _EDGE_PIXELS), bool)
    is_other = np.zeros_like(is_span)
    for number in lattice.pieces_near(span.box, 2 * _EDGE_PIXELS):
        piece = lattice.pieces[number]
        blob = segments.lines[piece.blob[0]][piece.blob[1]]
        canvas = is_span if span.first <= number < span.last else is_other
        _draw_piece(canvas, blob, piece, left - _EDGE_PIXELS, top - _EDGE_PIXELS)
    # The paler edge of the strokes belongs to the character, but no ink of other pieces.
    is_kept = binary_dilation(is_span, np.ones((3, 3)), _EDGE_PIXELS) & ~is_other
    ink = np.zeros(is_span.shape, np.uint8)
    # At the picture's own edge, the first rows and columns lie outside of it and stay empty.
    skipped_rows, skipped_columns = max(0, _EDGE_PIXELS - top), max(0, _EDGE_PIXELS - left)
    part = segments.ink[
        max(0, top - _EDGE_PIXELS) : bottom + _EDGE_PIXELS, max(0, left - _EDGE_PIXELS) : right + _EDGE_PIXELS
    ]
    ink[skipped_rows : skipped_rows + part.shape[0], skipped_columns : skipped_columns + part.shape[1]] = part
    return np.pad(np.where(is_kept, ink, 0).astype(np.uint8), max(2, max(is_span.shape) // 8))


def _draw_piece(canvas: NDArray[np.bool_], blob: Blob, piece: Piece, left: int, top: int) -> None:
    """Set the pixels of a piece on a canvas whose first pixel is (top, left) of the ink picture."""
    x0, y0, x1, y1 = piece.box
    mask = blob.parts[y0 - blob.top : y1 - blob.top, x0 - blob.left : x1 - blob.left] == piece.part
    # The part of the piece that lies on the canvas: without the rows above it and the columns to its left, ...
    rows_above, columns_before = max(0, top - y0), max(0, left - x0)
    mask = mask[rows_above:, columns_before:]
    y0, x0 = y0 + rows_above - top, x0 + columns_before - left
    # ... and without those below it and to its right.
    target = canvas[y0 : y0 + mask.shape[0], x0 : x0 + mask.shape[1]]
    target |= mask[: target.shape[0], : target.shape[1]]


def _find_box(blob: Blob, part: int) -> tuple[tuple[int, int, int, int], int]:
    mask = blob.parts == part
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return (
        blob.left + int(columns[0]),
        blob.top + int(rows[0]),
        blob.left + int(columns[-1]) + 1,
        blob.top + int(rows[-1]) + 1,
    ), int(np.count_nonzero(mask))


def _compute_cuts(pieces: tuple[Piece, ...], blobs: Sequence[Blob]) -> tuple[float, ...]:
    cuts = np.zeros(len(pieces) + 1)
    pieces_of_blob: dict[int, list[int]] = {}
    for number, piece in enumerate(pieces):
        pieces_of_blob.setdefault(piece.blob[1], []).append(number)
    for blob, numbers in pieces_of_blob.items():
        for k, crossed in enumerate(blobs[blob].cuts):
            # A character that ends after part k and before part k + 1 of the blob makes cut k.
            cuts[numbers[k] + 1 : numbers[k + 1] + 1] += crossed
    return tuple(cuts.tolist())


def _find_spans(
    pieces: tuple[Piece, ...], blobs: Sequence[Blob], line: int, height: float, max_pieces: int
) -> Iterator[Span]:
    """Yield the spans of at most `max_pieces` neighbouring pieces that may be one character, by their first piece."""
    for first in range(len(pieces)):
        left, top, right, bottom = pieces[first].box
        gaps, part_counts = 0.0, Counter({pieces[first].blob[1]: 1})  # number of parts in the span, by blob
        for last in range(first + 1, min(first + max_pieces, len(pieces)) + 1):
            if last > first + 1:
                piece, gap = pieces[last - 1], 0.0
                if piece.blob[1] not in part_counts:
                    gap = (piece.box[0] - right) / height
                    if gap > _MAX_GAP or not _may_belong((left, top, right, bottom), blobs[piece.blob[1]], height):
                        break
                part_counts[piece.blob[1]] += 1
                gaps += max(0.0, gap)
                left, top = min(left, piece.box[0]), min(top, piece.box[1])
                right, bottom = max(right, piece.box[2]), max(bottom, piece.box[3])
            # Blobs of which the span has some parts and not all.
            num_cut = sum(count < blobs[blob].num_parts for blob, count in part_counts.items())
            if right - left > _MAX_WIDTH * height and last != first + 1:
                break
            # A character may touch one of its neighbours and be cut from it, but not from two blobs at once.
            is_cut_off = num_cut == 1 and last - first <= MAX_PIECES and bottom - top >= _MIN_PART_HEIGHT * height
            if last == first + 1 or num_cut == 0 or is_cut_off:
                yield Span(line, first, last, (left, top, right, bottom), gaps, len(part_counts))


def _may_belong(box: tuple[int, int, int, int], blob: Blob, height: float) -> bool:
    """Check whether a blob may belong to the character in `box`; `height` is the usual height of a character.

    It may if one of the two is low, as the bar of a broken 5, or if they overlap by half a width.
    """
    left, top, right, bottom = box
    is_low = min(bottom - top, blob.bottom - blob.top) < _MAX_FRAGMENT_HEIGHT * height
    overlap = right - max(blob.left, left)
    return is_low or overlap > 0.5 * min(right - left, blob.right - blob.left)
