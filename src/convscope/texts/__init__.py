"""Every sentence that the report and the page show, in each language, and the English of those that Python fills in."""

from convscope.texts.catalogue import below, catalogues, glossary
from convscope.texts.said import (
    Figure,
    Said,
    alike,
    attribute,
    figure,
    follow_language,
    known,
    listed,
    rounded,
    say,
    sentences,
    signed,
)

__all__ = [
    "Figure",
    "Said",
    "alike",
    "attribute",
    "below",
    "catalogues",
    "figure",
    "follow_language",
    "glossary",
    "known",
    "listed",
    "rounded",
    "say",
    "sentences",
    "signed",
]
