"""The language of the catalogues: French punctuation, one word for one thing, and names of buttons in quotes."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from convscope.texts import catalogues

NARROW = "\N{NARROW NO-BREAK SPACE}"
QUOTED = {"de": "„([^“]+)“", "es": "«([^»]+)»", "fr": f"«{NARROW}([^»]+){NARROW}»"}


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


def test_german_has_one_word_for_maps_units_and_undo() -> None:
    german = TEXTS["de"]
    assert {key: text for key, text in german.items() if re.search(r"\bMaps?\b|\bEinheit(en)?\b", text)} == {}
    undo = [key for key, text in TEXTS["en"].items() if text == "Undo"]
    assert {german[key] for key in undo} == {"Rückgängig"}


@pytest.mark.parametrize("language", QUOTED)
def test_tasks_name_buttons_in_quotes_as_the_page_labels_them(language: str) -> None:
    texts = TEXTS[language]
    # "▶ {button} images" is the label "{n} images".
    labels = {re.sub(r"\{\w+\}", "{}", text) for text in texts.values()}
    tasks = {key: re.findall(QUOTED[language], text) for key, text in texts.items() if ".tasks." in key}
    names = {
        key: [re.sub(r"\{\w+\}", "{}", name.removeprefix("▶ ")) for name in quoted] for key, quoted in tasks.items()
    }
    unknown = {
        (key, name)
        for key, quoted in names.items()
        for name in quoted
        if name not in labels and not any(label.strip("¿").startswith(name) for label in labels if label[-1] == "?")
    }
    assert unknown == set()
    # The same tasks have quotes in each language, so that no name is left bare.
    assert [key for key, quoted in names.items() if quoted] == [
        key for key, text in TEXTS["de"].items() if ".tasks." in key and re.search(QUOTED["de"], text)
    ]


def test_a_single_image_is_not_compared_with_others() -> None:
    plural = re.compile(r"\b(they|them) have\b|\b(en común|en commun|gemeinsam)\b")
    singular = {key: text for texts in TEXTS.values() for key, text in texts.items() if key.endswith(".one")}
    assert {key for key, text in singular.items() if key.startswith("filter.top.") and plural.search(text)} == set()
