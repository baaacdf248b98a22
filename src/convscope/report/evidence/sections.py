"""The evidence of a run, topic by topic, as drawn sections of its page."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from importlib import import_module
from typing import Any

from convscope.base.records import Record
from convscope.report.evidence.section import Chart, Gallery, Section, render_section
from convscope.report.style import Drawing


@dataclass(frozen=True, eq=False)
class RenderedSection:
    """The evidence on a topic with its section and its HTML element, drawn once, since drawing takes longest.

    Attributes:
        record: the content of the topic's file.
    """

    topic: str
    record: Record
    section: Section
    html: str

    @cached_property
    def value(self) -> dict[str, Any]:
        """The record as plain JSON."""
        return self.record.to_dict()

    @property
    def drawings(self) -> dict[str, Drawing]:
        """Each chart's drawing by name."""
        return {part.name: part.drawing for part in self.section.parts if isinstance(part, Chart)}

    def indices(self, split: str) -> list[int]:
        """List the images of `split` that its cards show, in their order."""
        galleries = [part for part in self.section.parts if isinstance(part, Gallery)]
        cards = [card for gallery in galleries for card in gallery.cards]
        return [card.index for card in cards if card.split == split and card.index is not None]


def render_evidence(evidence: Mapping[str, Record]) -> tuple[RenderedSection, ...]:
    """Draw a section for each topic's record, in their order."""
    sections = {topic: make_section(topic, record) for topic, record in evidence.items()}
    return tuple(
        RenderedSection(topic, evidence[topic], section, render_section(section, is_folded=True))
        for topic, section in sections.items()
    )


def make_section(topic: str, record: Record) -> Section:
    """Make the section of a topic's record, by the function `TOPIC_section` of the module in this folder."""
    section: Section = getattr(import_module(f"convscope.report.evidence.{topic}"), f"{topic}_section")(record)
    return section
