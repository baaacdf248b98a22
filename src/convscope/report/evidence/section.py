"""A section of the page as values: what it shows and does not, and its tables, charts and galleries in order.

Every text is data, which the template escapes.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from convscope.report.pixels import Pixels
from convscope.report.style import Drawing


@dataclass(frozen=True)
class Table:
    """Rows under a header, the first `left` columns text, the others numbers."""

    title: str
    look: str
    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    left: int = 1


@dataclass(frozen=True, eq=False)
class Chart:
    """A drawing called `name`, with its numbers as a table that a click opens.

    Attributes:
        name: of its file and its element; no other chart of the page has it.
        is_wide: whether it keeps its size, and scrolls where the page is narrower, rather than shrinks.
    """

    name: str
    title: str
    look: str
    drawing: Drawing
    numbers: Table | None = None
    is_wide: bool = False


@dataclass(frozen=True, eq=False)
class Card:
    """A small picture with lines of text below it, the first of them strong.

    Attributes:
        split: with `index`, of which image it is, where it is one of the data set as it stands.
    """

    picture: Pixels
    lines: Sequence[str] = ()
    split: str | None = None
    index: int | None = None


@dataclass(frozen=True, eq=False)
class Gallery:
    """Small pictures side by side, each enlarged by a whole factor to at most `size` pixels.

    Attributes:
        columns: how many stand in a row, where rows have a meaning; else as many as the page is wide.
    """

    title: str
    look: str
    cards: Sequence[Card]
    size: int = 84
    columns: int | None = None


@dataclass(frozen=True, eq=False)
class Section:
    """One topic of the page.

    Attributes:
        anchor: the element's id, also what links to it say.
        name: as it stands in the contents.
        shows: in one sentence.
        does_not_show: in one sentence.
    """

    anchor: str
    name: str
    shows: str
    does_not_show: str
    parts: Sequence[Table | Chart | Gallery]
