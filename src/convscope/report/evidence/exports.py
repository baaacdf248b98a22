"""The section on exported files: how far each one's answers are from the model's, and what they cost."""

from typing import Any

from convscope.interchange.parity import HEADER, parity_cells, parity_sentence
from convscope.report.evidence.section import Section, Table
from convscope.report.texts import say


def exports_section(value: dict[str, Any]) -> Section:
    """Return the section of what `convscope export` kept as exports.json."""
    rows = value["exports"]
    table = Table(
        parity_sentence(rows),
        say("evidence.exports.look"),
        HEADER,
        parity_cells(rows),
        left=2,
    )
    return Section(
        "exports",
        say("evidence.exports.name"),
        say("evidence.exports.shows"),
        say("evidence.exports.doesNotShow"),
        [table],
    )
