"""The language of the catalogues: French punctuation, and one word for one thing."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from convscope.texts import catalogues

NARROW = "\N{NARROW NO-BREAK SPACE}"


def texts_of(catalogue: Mapping[str, Any], start: str = "") -> Iterator[tuple[str, str]]:
    """Yield each text of a catalogue with its key."""
    for name, value in catalogue.items():
        if isinstance(value, str):
            yield start + name, value
        else:
            yield from texts_of(value, f"{start}{name}.")


TEXTS = {language: dict(texts_of(catalogue)) for language, catalogue in catalogues().items()}


def test_no_text_shows_a_backtick() -> None:
    assert [(language, key) for language, texts in TEXTS.items() for key, text in texts.items() if "`" in text] == []


def test_french_has_a_narrow_space_before_high_punctuation_and_inside_quotes() -> None:
    # A "?" in brackets that stands for itself has none.
    wrong = re.compile(f"(?<![{NARROW}(])[:;?!»]|«(?!{NARROW})|'")
    terms = re.compile(r"\|[^\]]+(?=\]\])")  # the English name in [[mot|word's name]]
    assert {key: text for key, text in TEXTS["fr"].items() if wrong.search(terms.sub("", text))} == {}
    # A "%" after a comma is a unit by itself.
    assert {key: text for key, text in TEXTS["fr"].items() if re.search(r"[\d}] %", text)} == {}


def test_german_has_one_word_for_maps_units_and_undo() -> None:
    german = TEXTS["de"]
    assert {key: text for key, text in german.items() if re.search(r"\bMaps?\b|\bEinheit(en)?\b", text)} == {}
    undo = [key for key, text in TEXTS["en"].items() if text == "Undo"]
    assert {german[key] for key in undo} == {"Rückgängig"}


def test_a_single_image_is_not_compared_with_others() -> None:
    plural = re.compile(r"\b(they|them) have\b|\b(en común|en commun|gemeinsam)\b")
    singular = {key: text for texts in TEXTS.values() for key, text in texts.items() if key.endswith(".one")}
    assert {key for key, text in singular.items() if key.startswith("filter.top.") and plural.search(text)} == set()
