"""Sentences of the catalogue in English, with their keys and values, so that the page can show them in any language.

For example, with the text "{n} images have a [[wide margin|margin]]." at the key `audit.wide`:

    say("audit.wide", n=3)     3 images have a wide margin.
    in a template              <say-text key="audit.wide" values='{"n":3}'>3 images have a
                               <abbr title="(meaning of margin)">wide margin</abbr>.</say-text>

A sentence is a `str`, and is used as text where only English is needed: on the terminal, in figures, in tests. In a
template it becomes an element `<say-text>` with its key and values, from which the page's script writes the sentence
again in the reader's language. In an attribute or a drawing, an attribute `data-say` holds key and values.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import reduce
from html import escape
from re import Match, compile as pattern
from types import MappingProxyType
from typing import Self

from markupsafe import Markup

from convscope.base.tables import printable
from convscope.texts.catalogue import get_texts, glossary

# {value} and [[word|Term]], or [[Term]] if the word is the term itself, as in web/src/text/catalogue.ts.
_MARK = pattern(r"\{(\w+)\}|\[\[([^\]|]+)(?:\|([^\]]+))?\]\]")
_TEXT_ELEMENT = pattern(r"<text( [^>]*)>([^<]*)</text>")  # an element of an SVG with a single text in it
Value = str | int | float  # the values that fill a text; a str may be a `Sentence` or a `Figure`
_MINUS = "\N{MINUS SIGN}"  # in place of the hyphen that Python writes


class _CatalogueText(str):
    """A text that keeps its class when it is converted to a string or copied, as matplotlib does with labels."""

    def __str__(self) -> str:  # a plain subclass would return a plain `str`, which has lost key and values
        return self

    def __deepcopy__(self, _: dict[int, object]) -> Self:
        return self

    def __reduce__(self) -> tuple[type[str], tuple[str]]:
        """Pickle it as plain English."""
        return str, (str.__str__(self),)


class Figure(_CatalogueText):
    """A number as English writes it, with the number itself.

    Attributes:
        value: the number; in percent where `unit` is `%`.
        unit: `%`, `points` for a number with its sign, `e` for one with a power of ten, or nothing.
    """

    value: float
    digits: int
    unit: str

    def __new__(cls, text: str, value: float, digits: int, unit: str = "") -> "Figure":
        """Make a text with its number."""
        figure = super().__new__(cls, text)
        figure.value, figure.digits, figure.unit = float(value), digits, unit
        return figure


class Sentence(_CatalogueText):
    """A sentence of the catalogue, filled with its values.

    Attributes:
        key: the key of its text, below `report`.
        values: the values in the text, by name.
    """

    key: str
    values: Mapping[str, Value]

    def __new__(cls, key: str, values: Mapping[str, Value]) -> "Sentence":
        """Fill `values` into the English text at `key`.

        Raises:
            KeyError: if there is no such text, or a value is missing.
        """
        sentence = super().__new__(cls, "".join(piece for piece, _ in _split(_find_template(key, values), values)))
        sentence.key, sentence.values = key, MappingProxyType(dict(values))
        return sentence

    def __html__(self) -> str:
        """Format the sentence as an element, with the meaning of each explained term."""
        values = f" values={_format_attribute_value(_to_page_values(self.values))}" if self.values else ""
        inner = "".join(
            f'<abbr title="{escape(glossary()[term])}">{escape(text)}</abbr>' if term else escape(text)
            for text, term in _split(_find_template(self.key, self.values), self.values)
        )
        return f'<say-text key="{self.key}"{values}>{inner}</say-text>'


def say(key: str, **values: Value) -> Sentence:
    """Make the report's sentence at `key` with its values: numbers, figures, other sentences, or text from data."""
    return Sentence(key, values)


def translate_name(group: str, name: str) -> str:
    """Find the report's text for a name that the program defines; a name from the data stays as it is."""
    return say(f"{group}.{name}") if name in get_texts(group) else printable(name)


def find_text(name: str, candidates: Iterable[str]) -> str:
    """Find the text among `candidates` that reads as `name`; a name from the data stays as it is."""
    return next((sentence for sentence in candidates if sentence == name), printable(name))


def join_texts(texts: Sequence[str], key: str = "list") -> str:
    """Join texts as the language does, such as with commas."""
    return reduce(lambda first, second: say(key, first=first, second=second), texts) if texts else ""


def join_sentences(*texts: str) -> str:
    """Join sentences, without empty ones."""
    return join_texts([text for text in texts if text], "both")


def figure(value: float, digits: int) -> Figure:
    """Format a number with `digits` decimals."""
    value = value if round(value, digits) else 0.0  # not "-0.0"
    return Figure(f"{value:,.{digits}f}".replace("-", _MINUS), value, digits)


def format_signed(value: float, digits: int) -> Figure:
    """Format a number with its sign; zero has none."""
    number = round(value, digits)
    text = f"{number:+.{digits}f}" if number else f"{0:.{digits}f}"
    return Figure(text.replace("-", _MINUS), number, digits, "points")


def format_rounded(value: float, significant: int, unit: str = "") -> Figure:
    """Format a number with at most `significant` digits, without zeros at the end."""
    text = f"{value:.{significant}g}"
    if "e" in text:  # so large or small that it is written as a power of ten
        return Figure(text, value, significant, "e")
    digits = len(text.partition(".")[2])
    return Figure(text.replace("-", _MINUS) + (f"\N{NO-BREAK SPACE}{unit}" if unit else ""), value, digits, unit)


def attribute(name: str, text: str) -> Markup:
    """Format an attribute of an element, with a second one that holds the key and values of its sentence."""
    # The attribute has the English text, so that the page can be read without its script.
    plain = f'{name}="{escape(printable(text))}"'
    if not isinstance(text, _CatalogueText):
        return Markup(plain)
    return Markup(f"{plain} data-say-{name}={_format_attribute_value(_to_page_value(text))}")


def follow_language(svg: str, drawn_texts: Iterable[str]) -> str:
    """Mark the sentences and figures of an SVG, so that the page can show them in the reader's language.

    Args:
        drawn_texts: all texts of the drawing. A text from the catalogue that is equal to a text from the data is not
            marked, because the SVG does not show which is which.
    """
    texts = list(drawn_texts)
    # A class may be called like a sentence of the catalogue: its name must not be translated.
    data = {text for text in texts if not isinstance(text, _CatalogueText)}
    catalogue_texts = {
        escape(text, quote=False): text for text in texts if isinstance(text, _CatalogueText) and text not in data
    }

    def mark(match: Match[str]) -> str:
        attributes, text = match.groups()  # position, font, ...
        if text not in catalogue_texts:
            return match[0]
        value = _format_attribute_value(_to_page_value(catalogue_texts[text]))
        return f"<text data-say={value}{attributes}>{text}</text>"

    return _TEXT_ELEMENT.sub(mark, svg)


def _find_template(key: str, values: Mapping[str, Value]) -> str:
    template = get_texts(key)
    # A text with a number `n` is a dict of plural forms. English has two; the page's script knows those of each
    # language.
    return template if isinstance(template, str) else template["one" if values["n"] == 1 else "other"]


def _split(text: str, values: Mapping[str, Value]) -> Iterator[tuple[str, str | None]]:
    """Yield the pieces of a text, values filled in; each with the term that it mentions, or None.

    The text above gives ("", None), ("3", None), (" images have a ", None), ("wide margin", "margin"), (".", None).
    """
    end = 0
    for mark in _MARK.finditer(text):
        yield text[end : mark.start()], None
        slot, word, term = mark.groups()  # ("n", None, None) or (None, "wide margin", "margin")
        yield (_format_value(values[slot]), None) if slot else (word, term or word)
        end = mark.end()
    yield text[end:], None


def _format_value(value: Value) -> str:
    return f"{value:,}" if isinstance(value, int) else printable(str(value))


def _format_attribute_value(value: object) -> str:
    """Format JSON as an attribute's value in single quotes, since JSON is full of double ones."""
    data = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return f"'{escape(data, quote=False).replace(chr(39), '&#39;')}'"


def _to_page_values(values: Mapping[str, Value]) -> dict[str, object]:
    """Convert values to JSON as the page's script reads it: [key, values], [number, digits, unit] or plain."""
    return {name: _to_page_value(value) for name, value in values.items()}


def _to_page_value(value: Value) -> object:
    """Convert a value to JSON, so that the page can format it again in its language.

    97.5 % is [97.5, 1, "%"], the sentence above ["audit.wide", {"n": 3}], a name from the data "shirt", and 3 is 3.
    """
    if isinstance(value, Sentence):
        return [value.key, _to_page_values(value.values)] if value.values else [value.key]
    if isinstance(value, Figure):
        # Rounded as its text is; `digits` of a power of ten are significant ones, which the page rounds itself.
        number = value.value if value.unit == "e" else round(value.value, value.digits)
        return [number, value.digits, value.unit] if value.unit else [number, value.digits]
    return value if isinstance(value, int) else printable(str(value))
