"""Sections of the page on measurements other than accuracy: plain JSON in, tables, charts and galleries out."""

from convscope.report.evidence.section import Chart, Gallery, Section, Table, render_section
from convscope.report.evidence.sections import RenderedSection, make_section, render_evidence

__all__ = [
    "Chart",
    "Gallery",
    "RenderedSection",
    "Section",
    "Table",
    "make_section",
    "render_evidence",
    "render_section",
]
