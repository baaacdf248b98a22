"""A section of the page as values: what it shows and does not, and its tables, charts and galleries in order; as HTML.

    Section        shows, does_not_show: "The network's predictions for ..."
      Table        header, rows
      Chart        drawing, and its numbers as a table
      Gallery      cards: a picture with lines of text each

The `title` of a part says what its numbers show, such as "People rejected 15 test labels". Its `look` says how to read
it, such as "Each dot is a run".

Every text is data, which the template escapes.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from convscope.evidence.records import ClassesRecord
from convscope.report.document import render_template
from convscope.report.pixels import Pixels, pixels_view, scale_to
from convscope.report.style import Drawing, svg_element
from convscope.texts import Sentence, get_texts, say


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
        name: the name of its file and its element; no other chart of the page has it.
        is_wide: True if it scrolls where the page is narrower, instead of shrinking.
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
        split, index: those of the image, if it is an unchanged image of the data set.
    """

    picture: Pixels
    lines: Sequence[str] = ()
    split: str | None = None
    index: int | None = None


@dataclass(frozen=True, eq=False)
class Gallery:
    """Small pictures side by side, each enlarged by a whole factor to at most `size` pixels.

    Attributes:
        columns: the number of cards in a row, if rows have a meaning; None for as many as the page has room for.
        num_open: how many cards are shown; a click opens the others. None shows all.
    """

    title: str
    look: str
    cards: Sequence[Card]
    size: int = 84
    columns: int | None = None
    num_open: int | None = None


@dataclass(frozen=True, eq=False)
class Section:
    """One topic of the page.

    Attributes:
        anchor: the element's id, which links use.
        name: its title in the table of contents.
        shows, does_not_show: a sentence each.
        main: the index of the part whose title is the section's finding.
        link: a file beside the page, and the sentence that leads to it.
    """

    anchor: str
    name: str
    shows: str
    does_not_show: str
    parts: Sequence[Table | Chart | Gallery]
    main: int = 0
    link: tuple[str, str] | None = None

    @property
    def finding(self) -> str:
        """The sentence of the folded section: the title of its main part, or else its description."""
        title = self.parts[self.main].title if self.parts else ""
        return say("sentence", text=title) if title else self.shows


def topic_section(
    topic: str,
    parts: Sequence[Table | Chart | Gallery],
    *,
    shows: str | None = None,
    does_not_show: str | None = None,
    main: int = 0,
    link: tuple[str, str] | None = None,
) -> Section:
    """Make the section of a topic, with its texts in the catalogue.

    Args:
        shows, does_not_show: replace the topic's texts of these names.
    """
    texts = f"evidence.{topic}"
    shows = say(f"{texts}.shows") if shows is None else shows
    does_not_show = say(f"{texts}.doesNotShow") if does_not_show is None else does_not_show
    return Section(topic, say(f"{texts}.name"), shows, does_not_show, parts, main, link)


def say_images(topic: str, value: ClassesRecord, **facts: str | int) -> Sentence:
    """Say what a topic measured, on all images of a split or on a sample of them."""
    left_out = value.num_images_left_out
    key = "showsSampled" if left_out else "shows"
    return say(f"evidence.{topic}.{key}.{value.split}", images=value.num_images, leftOut=left_out, **facts)


def heads(topic: str, *names: str) -> list[str]:
    """Look up heads of columns by name, among the topic's own texts first, then among those of all tables."""
    # A topic may have its own word for a common head.
    topic_heads = get_texts(f"evidence.{topic}.head")
    return [say(f"evidence.{topic}.head.{name}" if name in topic_heads else f"head.{name}") for name in names]


def render_section(section: Section, *, is_folded: bool = False) -> Markup:
    """Write `section` as an element for a page that has the report's style sheet.

    Args:
        is_folded: True if it shows only its name and finding until the reader opens it.
    """
    parts = [_part(part) for part in section.parts]
    return Markup(render_template("evidence/section.html.jinja", section=section, parts=parts, is_folded=is_folded))


def _part(part: Table | Chart | Gallery) -> dict[str, object]:
    if isinstance(part, Table):
        return {"kind": "table", **vars(part)}
    if isinstance(part, Chart):
        return {"kind": "chart", **vars(part), "svg": Markup(svg_element(part.drawing, part.name, part.title))}
    return {"kind": "gallery", **vars(part), "cards": [_card(card, part.size) for card in part.cards]}


def _card(card: Card, size: int) -> dict[str, object]:
    picture = pixels_view(card.picture, scale_to(max(card.picture.shape[:2]), size))
    # The first line of a card, its title, also describes the picture to a screen reader.
    return {**vars(card), **picture, "alt": next(iter(card.lines), say("label.picture"))}
