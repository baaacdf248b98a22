"""The sentences of the report and the page, in each language; Python fills in the English ones."""

from convscope.texts.catalogue import catalogues, get_texts, glossary
from convscope.texts.sentence import (
    Figure,
    Sentence,
    attribute,
    figure,
    find_text,
    follow_language,
    format_rounded,
    format_signed,
    join_sentences,
    join_texts,
    say,
    translate_name,
)

__all__ = [
    "Figure",
    "Sentence",
    "attribute",
    "catalogues",
    "figure",
    "find_text",
    "follow_language",
    "format_rounded",
    "format_signed",
    "get_texts",
    "glossary",
    "join_sentences",
    "join_texts",
    "say",
    "translate_name",
]
