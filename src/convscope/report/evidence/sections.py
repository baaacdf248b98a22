"""All that was measured of a run beside its accuracy, in the order of the page."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from convscope.base.records import Record
from convscope.experiment.records import SeedsRecord
from convscope.report.evidence.ablation import ablation_section
from convscope.report.evidence.attacks import attacks_section
from convscope.report.evidence.audit import audit_section
from convscope.report.evidence.calibration import calibration_section
from convscope.report.evidence.comparison import comparison_section
from convscope.report.evidence.embedding import embedding_section
from convscope.report.evidence.experiment import experiment_section
from convscope.report.evidence.exports import exports_section
from convscope.report.evidence.filters import filters_section
from convscope.report.evidence.rejection import rejection_section
from convscope.report.evidence.robustness import robustness_section
from convscope.report.evidence.section import Chart, Gallery, Section, render_section
from convscope.report.style import Drawing
from convscope.texts import say, sentences


def seeds_section(seeds: SeedsRecord) -> Section:
    """Return the section of a run's own experiment and, where there are two networks, of their comparison."""
    section, comparison = experiment_section(seeds), seeds.comparison
    parts = [] if comparison is None else comparison_section(comparison).parts
    return replace(section, shows=sentences(section.shows, say("evidence.seeds.more")), parts=[*section.parts, *parts])


_SECTIONS: Mapping[str, Callable[..., Section]] = {
    "seeds": seeds_section,
    "calibration": calibration_section,
    "rejection": rejection_section,
    "filters": filters_section,
    "embedding": embedding_section,
    "ablation": ablation_section,
    "robustness": robustness_section,
    "attacks": attacks_section,
    "audit": audit_section,
    "exports": exports_section,
}

TOPICS = tuple(_SECTIONS)
"""What there can be a section of; each is the name of a file in the run folder, without its `.json`."""


@dataclass(frozen=True, eq=False)
class RenderedSection:
    """What was measured on a topic, its section and its element of the page: drawn once, since drawing takes longest.

    Attributes:
        record: what the topic's file holds.
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
        """Return which images of `split` its cards show, in their order."""
        galleries = [part for part in self.section.parts if isinstance(part, Gallery)]
        cards = [card for gallery in galleries for card in gallery.cards]
        return [card.index for card in cards if card.split == split and card.index is not None]


def render_evidence(evidence: Mapping[str, Record]) -> tuple[RenderedSection, ...]:
    """Return the sections of what was measured, the records by topic, in the order of the page.

    Raises:
        KeyError: for a topic that is none of `TOPICS`.
    """
    if unknown := sorted(evidence.keys() - _SECTIONS.keys()):
        raise KeyError(f"evidence has the unknown topic {unknown[0]!r}; it must be one of {', '.join(TOPICS)}")
    return tuple(_render(topic, evidence[topic]) for topic in TOPICS if topic in evidence)


def _render(topic: str, record: Record) -> RenderedSection:
    section = _SECTIONS[topic](record)
    return RenderedSection(topic, record, section, render_section(section, is_folded=True))
