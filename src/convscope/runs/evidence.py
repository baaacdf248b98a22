"""What was measured of a run, topic by topic: the types of the JSON files, and what a file holds as a value."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from html import escape
from textwrap import fill
from typing import TYPE_CHECKING, Any, get_args

from msgspec import UNSET, UnsetType
from msgspec.structs import fields, replace

from convscope.base.records import Record
from convscope.base.tables import html_table, printable, text_table
from convscope.evidence.audit.faults import AuditRecord
from convscope.evidence.calibration import Calibration
from convscope.evidence.explanation import FilterCards
from convscope.evidence.explanation.embedding import Embedding
from convscope.evidence.rejection import Rejection
from convscope.evidence.robustness import Attacks, Robustness
from convscope.experiment.ablation import AblationRecord
from convscope.experiment.records import SeedsRecord
from convscope.interchange.parity import ParityTable
from convscope.storage import RunFolder
from convscope.training.model import Model

if TYPE_CHECKING:
    from convscope.report.evidence.section import Section, Table


class EvidenceRecords(Record, kw_only=True):
    """What was measured of a run, by topic; each is a file of the run folder."""

    seeds: SeedsRecord | UnsetType = UNSET
    calibration: Calibration | UnsetType = UNSET
    rejection: Rejection | UnsetType = UNSET
    filters: FilterCards | UnsetType = UNSET
    embedding: Embedding | UnsetType = UNSET
    ablation: AblationRecord | UnsetType = UNSET
    robustness: Robustness | UnsetType = UNSET
    attacks: Attacks | UnsetType = UNSET
    audit: AuditRecord | UnsetType = UNSET
    exports: ParityTable | UnsetType = UNSET


KINDS: Mapping[str, type[Record]] = {one.name: get_args(one.type)[0] for one in fields(EvidenceRecords)}
"""The type of each topic's file."""


def collect(records: Mapping[str, Record]) -> EvidenceRecords:
    """Return records by topic as one."""
    return replace(EvidenceRecords(), **records)


def read_topics(folder: RunFolder, topics: Iterable[str], model: Model) -> dict[str, Record]:
    """Return what is kept on those of `topics` that were measured of these weights, by topic.

    Raises:
        RunError: if a file is damaged.
    """
    found = {topic: folder.read_evidence(topic, KINDS[topic], model) for topic in topics}
    return {topic: record for topic, record in found.items() if record is not None}


@dataclass(frozen=True, eq=False)
class Evidence(Mapping[str, Any]):
    """What was measured on a topic: a read-only mapping of its JSON file, as text the tables of its page section.

    Measured now or read back later, it is the same. docs/files.md names the definition of each topic.

    Attributes:
        topic: such as "calibration"; the file is called so too.
        record: what the file holds, with an attribute for each key.
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
        """Return it as plain JSON."""
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
        from convscope.report.evidence import render_evidence  # matplotlib takes its time to load

        return render_evidence({self.topic: self.record})[0].section


def _tables(section: "Section") -> "Iterator[Table]":
    """Yield the tables of a section, and the numbers of its charts under their titles."""
    from dataclasses import replace as with_fields

    from convscope.report.evidence import Chart, Table

    for part in section.parts:
        if isinstance(part, Table):
            yield part
        elif isinstance(part, Chart) and part.numbers is not None:
            yield with_fields(part.numbers, title=part.title)
