"""What was measured of a run on one topic, as its JSON file holds it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from html import escape
from textwrap import fill
from typing import TYPE_CHECKING, Any

from convscope.base.tables import html_table, printable, text_table

if TYPE_CHECKING:
    from convscope.report.evidence.section import Section, Table


@dataclass(frozen=True, eq=False)
class Evidence(Mapping[str, Any]):
    """What was measured on a topic: a read-only mapping of its JSON file, as text the tables of its page section.

    Measured now or read back later, it is the same. docs/files.md lists the keys of each topic.

    Attributes:
        topic: such as "calibration"; the file is called so too.
        content: what the file holds.
    """

    topic: str
    content: Mapping[str, Any] = field(repr=False)

    def __getitem__(self, key: str) -> Any:
        return self.content[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self.content)

    def __len__(self) -> int:
        return len(self.content)

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain JSON."""
        return dict(self.content)

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
        from convscope.report.evidence import render_evidence  # matplotlib takes its time to load

        return render_evidence({self.topic: dict(self.content)})[0].section


def _tables(section: "Section") -> "Iterator[Table]":
    """Yield the tables of a section, and the numbers of its charts under their titles."""
    from dataclasses import replace

    from convscope.report.evidence import Chart, Table

    for part in section.parts:
        if isinstance(part, Table):
            yield part
        elif isinstance(part, Chart) and part.numbers is not None:
            yield replace(part.numbers, title=part.title)
