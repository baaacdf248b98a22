"""What was measured beside the accuracy, as sections of the page: plain JSON in, tables, charts and galleries out."""

from convscope.report.evidence.section import Card, Chart, Gallery, Section, Table, render_section
from convscope.report.evidence.sections import TOPICS, RenderedSection, render_evidence

__all__ = [
    "TOPICS",
    "Card",
    "Chart",
    "Gallery",
    "RenderedSection",
    "Section",
    "Table",
    "render_evidence",
    "render_section",
]
