"""The sentences of the report and the page, in each language; Python fills in the English ones."""

from convscope.texts.catalogue import catalogues as catalogues, get_texts as get_texts, glossary as glossary
from convscope.texts.sentence import (
    Figure as Figure,
    Sentence as Sentence,
    attribute as attribute,
    figure as figure,
    find_text as find_text,
    follow_language as follow_language,
    format_rounded as format_rounded,
    format_signed as format_signed,
    join_sentences as join_sentences,
    join_texts as join_texts,
    say as say,
    translate_name as translate_name,
)
