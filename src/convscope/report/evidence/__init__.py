"""Sections of the page on measurements other than accuracy: plain JSON in, tables, charts and galleries out."""

from convscope.report.evidence.section import (
    Chart as Chart,
    Gallery as Gallery,
    Section as Section,
    Table as Table,
    render_section as render_section,
)
from convscope.report.evidence.sections import (
    RenderedSection as RenderedSection,
    make_section as make_section,
    render_evidence as render_evidence,
)
