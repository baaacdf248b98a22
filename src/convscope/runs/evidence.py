"""The evidence of a run: all topics as one record, and a topic's file as a value."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from html import escape
from textwrap import fill
from typing import TYPE_CHECKING, Any

from msgspec import UNSET, UnsetType, defstruct

from convscope.base.records import Record
from convscope.base.tables import html_table, printable, text_table
from convscope.runs.topics import TOPICS

if TYPE_CHECKING:
    from convscope.report.evidence.section import Section, Table

    # `defstruct` makes a class that a type checker cannot see.
    class EvidenceRecords(Record):
        """The evidence of a run by topic; each is a file of the run folder."""

else:
    # From `TOPICS`, so that a new topic needs no field here.
    EvidenceRecords = defstruct(
        "EvidenceRecords",
        [(name, topic.record | UnsetType, UNSET) for name, topic in TOPICS.items()],
        bases=(Record,),
        namespace={"__doc__": "The evidence of a run by topic; each is a file of the run folder."},
        kw_only=True,
    )


@dataclass(frozen=True, eq=False)
class Evidence(Mapping[str, Any]):
    """The evidence on a topic: a read-only mapping of its JSON file; as text, the tables of its page section.

    docs/files.md names the definition of each topic.

    Attributes:
        topic: such as "calibration", which is also the name of the file.
        record: the content of the file, with an attribute for each key.
    """

    topic: str
    record: Record = field(repr=False)

    @cached_property
    def _content(self) -> dict[str, Any]:
        return self.record.to_dict()

    def __getitem__(self, key: str) -> Any:
        return self._content[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._content)

    def __len__(self) -> int:
        return len(self._content)

    def to_dict(self) -> dict[str, Any]:
        """Convert it to JSON types."""
        return dict(self._content)

    def __str__(self) -> str:
        section = self._section()
        parts = [fill(f"{section.name}: {section.shows}", 100), fill(section.does_not_show, 100)]
        for table in _tables(section):
            title = f"{fill(printable(table.title), 100)}\n" if table.title else ""
            parts.append(title + text_table(table.header, table.rows, table.left))
        return "\n\n".join(parts)

    def _repr_html_(self) -> str:
        from convscope.report.evidence import Chart, Table

        section = self._section()
        parts = [
            f"<p><strong>{escape(section.name)}</strong>: {escape(section.shows)} {escape(section.does_not_show)}</p>"
        ]
        for part in section.parts:
            if isinstance(part, Chart):
                parts.append(f"<p>{escape(part.title)}</p>{part.drawing._repr_html_()}")
            elif isinstance(part, Table):
                parts.append(html_table(part.header, part.rows, part.title, part.left))
        return "".join(parts)

    def _section(self) -> "Section":
        from convscope.report.evidence import make_section  # matplotlib takes its time to load

        return make_section(self.topic, self.record)


def _tables(section: "Section") -> "Iterator[Table]":
    """Yield the tables of a section, and the numbers of its charts under their titles."""
    from convscope.report.evidence import Chart, Table

    for part in section.parts:
        if isinstance(part, Table):
            yield part
        elif isinstance(part, Chart) and part.numbers is not None:
            yield replace(part.numbers, title=part.title)  # text has no drawing
