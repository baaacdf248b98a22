"""All that was measured of a run beside its accuracy, in the order of the page."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from msgspec import convert

from convscope.base.errors import RunError
from convscope.experiment.records import SeedsRecord
from convscope.report.evidence.ablation import ablation_section
from convscope.report.evidence.attacks import attacks_section
from convscope.report.evidence.attributions import attributions_section
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
from convscope.report.texts import say, sentences


def seeds_section(value: dict[str, Any]) -> Section:
    """Return the section of a run's own experiment and, where there are two networks, of their comparison."""
    seeds = convert(value, SeedsRecord)
    section, comparison = experiment_section(seeds), seeds.comparison
    parts = [] if comparison is None else comparison_section(comparison).parts
    return replace(section, shows=sentences(section.shows, say("evidence.seeds.more")), parts=[*section.parts, *parts])


_SECTIONS: Mapping[str, Callable[[dict[str, Any]], Section]] = {
    "seeds": seeds_section,
    "calibration": calibration_section,
    "rejection": rejection_section,
    "filters": filters_section,
    "attributions": attributions_section,
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
        value: what the topic's file holds.
    """

    topic: str
    value: Mapping[str, Any]
    section: Section
    html: str

    @property
    def drawings(self) -> dict[str, Drawing]:
        """Each chart's drawing by name."""
        return {part.name: part.drawing for part in self.section.parts if isinstance(part, Chart)}

    def indices(self, split: str) -> list[int]:
        """Return which images of `split` its cards show, in their order."""
        galleries = [part for part in self.section.parts if isinstance(part, Gallery)]
        cards = [card for gallery in galleries for card in gallery.cards]
        return [card.index for card in cards if card.split == split and card.index is not None]


def render_evidence(evidence: Mapping[str, dict[str, Any]]) -> tuple[RenderedSection, ...]:
    """Return the sections of what was measured, `evidence` by topic, in the order of the page.

    Raises:
        KeyError: for a topic that is none of `TOPICS`.
        RunError: if a value is not what was measured on its topic; its file may come from elsewhere.
    """
    if unknown := sorted(evidence.keys() - _SECTIONS.keys()):
        raise KeyError(f"evidence has the unknown topic {unknown[0]!r}; it must be one of {', '.join(TOPICS)}")
    return tuple(_render_topic(topic, evidence[topic]) for topic in TOPICS if topic in evidence)


def _render_topic(topic: str, value: dict[str, Any]) -> RenderedSection:
    """Return the section of one file.

    What is made of a file is text and drawings, and only making them tells that all of it fits together. So this is
    the border at which a damaged file is found, whatever it breaks.
    """
    try:
        return _render(topic, value)
    except (LookupError, TypeError, ValueError, ArithmeticError, AttributeError) as error:
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        raise RunError(
            f"{topic}.json: damaged ({reason:.200}); delete the file and run `convscope evidence` on this run again"
        ) from error


def _render(topic: str, value: dict[str, Any]) -> RenderedSection:
    section = _SECTIONS[topic](value)
    return RenderedSection(topic, value, section, render_section(section, is_folded=True))
