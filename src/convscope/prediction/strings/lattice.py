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
from typing import Any

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
    blobs = segments.lines[line]
    pieces = _sort_pieces(blobs, line)
    spans = _find_spans(pieces, blobs, line, segments.height, _MAX_WHOLE_PIECES if merge else 1)
    return Lattice(line, pieces, _compute_cuts(pieces, blobs), tuple(islice(spans, max_spans)))


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
    # The canvases are the box with an edge around it. Their first pixel is (top, left) of the ink picture, and lies
    # outside of that if the box is at its border.
    left, top, right, bottom = span.box[0] - _EDGE_PIXELS, span.box[1] - _EDGE_PIXELS, *span.box[2:]
    is_span = np.zeros((bottom - top + _EDGE_PIXELS, right - left + _EDGE_PIXELS), bool)
    is_other, ink = np.zeros_like(is_span), np.zeros(is_span.shape, np.uint8)
    for number in lattice.pieces_near(span.box, 2 * _EDGE_PIXELS):
        piece = lattice.pieces[number]
        blob = segments.lines[piece.blob[0]][piece.blob[1]]
        canvas = is_span if span.first <= number < span.last else is_other
        x0, y0, x1, y1 = piece.box
        mask = blob.parts[y0 - blob.top : y1 - blob.top, x0 - blob.left : x1 - blob.left] == piece.part
        _paste(canvas, mask, y0 - top, x0 - left)
    _paste(ink, segments.ink, -top, -left)
    # The paler edge of the strokes belongs to the character, but no ink of other pieces.
    is_kept = binary_dilation(is_span, np.ones((3, 3)), _EDGE_PIXELS) & ~is_other
    return np.pad(np.where(is_kept, ink, 0).astype(np.uint8), max(2, max(is_span.shape) // 8))


def _paste(canvas: NDArray[Any], picture: NDArray[Any], top: int, left: int) -> None:
    """Put `picture` on a canvas that is 0 there, its first pixel at (top, left), as far as the two overlap."""
    # With top = -3, the first three rows of the picture lie above the canvas.
    picture = picture[max(0, -top) :, max(0, -left) :]
    target = canvas[max(0, top) :, max(0, left) :][: picture.shape[0], : picture.shape[1]]
    target |= picture[: target.shape[0], : target.shape[1]]


def _sort_pieces(blobs: Sequence[Blob], line: int) -> tuple[Piece, ...]:
    """List the pieces of a line by their middles, the parts of each blob in their own order.

    That order must stay, since `blob.cuts[k]` is the cut after part k + 1. So the key of a part is above that of the
    part before: parts with their middles at 5, 9 and 7 have the keys 5, 9 and 9.000001.
    """
    keyed_pieces: list[tuple[float, Piece]] = []
    for number, blob in enumerate(blobs):
        key = -np.inf
        for part in range(1, blob.num_parts + 1):
            box, ink = _find_box(blob, part)
            key = max(key + 1e-6, (box[0] + box[2]) / 2)
            keyed_pieces.append((key, Piece((line, number), part, box, ink)))
    keyed_pieces.sort(key=lambda pair: pair[0])
    return tuple(piece for _, piece in keyed_pieces)


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
    """Compute `Lattice.cuts`.

    Between the two parts of blob A may lie a blob B: pieces A1 B A2. A character that ends before B or before A2 cuts
    A, whose cut crosses 3 stroke widths, say: the cuts before A1, B and A2 and at the end are 0, 3, 3 and 0.
    """
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
        # The span grows piece by piece to the right, until the next piece cannot belong to it.
        box, gaps = pieces[first].box, 0.0
        part_counts = Counter[int]()  # number of parts in the span, by blob
        for last in range(first + 1, min(first + max_pieces, len(pieces)) + 1):
            piece, is_single = pieces[last - 1], last == first + 1
            if not is_single and piece.blob[1] not in part_counts:
                gap = (piece.box[0] - box[2]) / height
                if gap > _MAX_GAP or not _may_belong(box, blobs[piece.blob[1]], height):
                    break
                gaps += max(0.0, gap)
            part_counts[piece.blob[1]] += 1
            box = _unite_boxes(box, piece.box)
            if not is_single and box[2] - box[0] > _MAX_WIDTH * height:
                break
            # A character may touch one of its neighbours and be cut from it, but not from two blobs at once.
            num_cut = sum(count < blobs[blob].num_parts for blob, count in part_counts.items())
            is_cut_off = num_cut == 1 and last - first <= MAX_PIECES and box[3] - box[1] >= _MIN_PART_HEIGHT * height
            if is_single or num_cut == 0 or is_cut_off:
                yield Span(line, first, last, box, gaps, len(part_counts))


def _unite_boxes(first: tuple[int, int, int, int], last: tuple[int, int, int, int]) -> tuple[int, int, int, int]:
    return min(first[0], last[0]), min(first[1], last[1]), max(first[2], last[2]), max(first[3], last[3])


def _may_belong(box: tuple[int, int, int, int], blob: Blob, height: float) -> bool:
    """Check whether a blob may belong to the character in `box`; `height` is the usual height of a character.

    It may if one of the two is low, as the bar of a broken 5, or if they overlap by half a width.
    """
    left, top, right, bottom = box
    is_low = min(bottom - top, blob.bottom - blob.top) < _MAX_FRAGMENT_HEIGHT * height
    overlap = right - max(blob.left, left)
    return is_low or overlap > 0.5 * min(right - left, blob.right - blob.left)
