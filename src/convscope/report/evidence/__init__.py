"""What was measured beside the accuracy, as sections of the page: plain JSON in, tables, charts and galleries out."""

from convscope.report.evidence.markup import render_section
from convscope.report.evidence.section import Card, Chart, Gallery, Section, Table

__all__ = ["Card", "Chart", "Gallery", "Section", "Table", "render_section"]
