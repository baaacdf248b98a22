"""Sentences of the catalogue: their English, with what another language needs to write them.

A sentence is a `str`, and is used like one wherever only English is needed: on the terminal, in figures, in tests. Put
into a template it becomes an element that says which text of the catalogue it is, with its values; in an attribute or
in a drawing, an attribute `data-say` says so.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import reduce
from html import escape
from re import Match
from re import compile as pattern
from types import MappingProxyType
from typing import Self

from markupsafe import Markup

from convscope.base.tables import printable
from convscope.texts.catalogue import below, glossary

_MARK = pattern(
    r"\{(\w+)\}|\[\[([^\]|]+)(?:\|([^\]]+))?\]\]"
)  # {value} and [[word|Term]], as in web/src/text/catalogue.ts
_DRAWN = pattern(r"<text( [^>]*)>([^<]*)</text>")
Value = str | int | float
_MINUS = "\N{MINUS SIGN}"


class _Told(str):
    """A text that stays what it is when it is asked for as a string or copied, so that a drawing keeps it."""

    def __str__(self) -> str:
        return self

    def __deepcopy__(self, _: dict[int, object]) -> Self:
        return self

    def __reduce__(self) -> tuple[type[str], tuple[str]]:
        """Pickle it as plain English."""
        return str, (str.__str__(self),)


class Figure(_Told):
    """A number as English writes it, with the number itself.

    Attributes:
        value: in percent where `unit` is `%`.
        unit: `%`, `points` for a number with its sign, `e` for one with a power of ten, or nothing.
    """

    value: float
    digits: int
    unit: str

    def __new__(cls, text: str, value: float, digits: int, unit: str = "") -> "Figure":
        """Return `text` with the number that it stands for."""
        figure = super().__new__(cls, text)
        figure.value, figure.digits, figure.unit = float(value), digits, unit
        return figure


class Said(_Told):
    """A sentence of the catalogue, filled with its values.

    Attributes:
        key: of its text, below `report`.
        values: what stands in its places.
    """

    key: str
    values: Mapping[str, Value]

    def __new__(cls, key: str, values: Mapping[str, Value]) -> "Said":
        """Return the English text at `key` with `values` in it.

        Raises:
            KeyError: if there is no such text, or a value is missing.
        """
        said = super().__new__(cls, "".join(_pieces(_text(key, values), values)))
        said.key, said.values = key, MappingProxyType(dict(values))
        return said

    def __html__(self) -> str:
        """Return it as an element; terms that it explains carry their meaning."""
        values = f" values={_quoted(_plain(self.values))}" if self.values else ""
        inner = "".join(
            f'<abbr title="{escape(glossary()[term])}">{escape(text)}</abbr>' if term else escape(text)
            for text, term in _marked(_text(self.key, self.values), self.values)
        )
        return f'<say-text key="{self.key}"{values}>{inner}</say-text>'


def say(key: str, **values: Value) -> Said:
    """Return the report's text at `key` with its values: whole numbers, figures, other sentences, or data as it is."""
    return Said(key, values)


def known(group: str, name: str) -> str:
    """Return the report's text for a name that the program gives, or the name itself if it is data."""
    return say(f"{group}.{name}") if name in below(group) else printable(name)


def alike(name: str, candidates: Iterable[str]) -> str:
    """Return the first of `candidates` that is a name which the program gives, or the name itself if none is."""
    return next((said for said in candidates if said == name), printable(name))


def listed(texts: Sequence[str], key: str = "list") -> str:
    """Return texts behind each other, as the language sets them."""
    return reduce(lambda first, second: say(key, first=first, second=second), texts) if texts else ""


def sentences(*texts: str) -> str:
    """Return sentences behind each other, without those that are empty."""
    return listed([text for text in texts if text], "both")


def figure(value: float, digits: int) -> Figure:
    """Return a number with so many decimals, and zero with no sign."""
    value = value if round(value, digits) else 0.0
    return Figure(f"{value:,.{digits}f}".replace("-", _MINUS), value, digits)


def signed(value: float, digits: int) -> Figure:
    """Return a number with its sign, and zero with none."""
    number = round(value, digits)
    text = f"{number:+.{digits}f}" if number else f"{0:.{digits}f}"
    return Figure(text.replace("-", _MINUS), number, digits, "points")


def rounded(value: float, significant: int, unit: str = "") -> Figure:
    """Return a number with so many digits, as short as they go."""
    text = f"{value:.{significant}g}"
    if "e" in text:  # of a size that is written as a power of ten
        return Figure(text, value, significant, "e")
    digits = len(text.partition(".")[2])
    return Figure(text.replace("-", _MINUS) + (f"\N{NO-BREAK SPACE}{unit}" if unit else ""), value, digits, unit)


def attribute(name: str, text: str) -> Markup:
    """Return an attribute of an element, and with it what another language needs to write it."""
    written = f'{name}="{escape(printable(text))}"'
    return Markup(f"{written} data-say-{name}={_quoted(_told(text))}" if isinstance(text, _Told) else written)


def follow_language(svg: str, drawn: Iterable[str]) -> str:
    """Return an SVG whose sentences and figures follow the language.

    Args:
        drawn: all texts of the drawing, in which sentences and figures are what `say`, `figure` and their like return.
            Where data reads the same, neither follows.
    """
    texts = list(drawn)
    data = {text for text in texts if not isinstance(text, _Told)}
    told = {escape(text, quote=False): text for text in texts if isinstance(text, _Told) and text not in data}

    def mark(match: Match[str]) -> str:
        look, text = match.groups()
        return f"<text data-say={_quoted(_told(told[text]))}{look}>{text}</text>" if text in told else match[0]

    return _DRAWN.sub(mark, svg)


def _text(key: str, values: Mapping[str, Value]) -> str:
    found = below(key)
    return found if isinstance(found, str) else found["one" if values["n"] == 1 else "other"]


def _pieces(text: str, values: Mapping[str, Value]) -> Iterator[str]:
    return (piece for piece, _ in _marked(text, values))


def _marked(text: str, values: Mapping[str, Value]) -> Iterator[tuple[str, str | None]]:
    """Yield the pieces of a text, each with the term that it is."""
    end = 0
    for mark in _MARK.finditer(text):
        yield text[end : mark.start()], None
        slot, word, term = mark.groups()
        yield (_written(values[slot]), None) if slot else (word, term or word)
        end = mark.end()
    yield text[end:], None


def _written(value: Value) -> str:
    return f"{value:,}" if isinstance(value, int) else printable(str(value))


def _quoted(value: object) -> str:
    """Return JSON as an attribute's value."""
    data = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return f"'{escape(data, quote=False).replace(chr(39), '&#39;')}'"


def _plain(values: Mapping[str, Value]) -> dict[str, object]:
    """Return values as the page's script reads them."""
    return {name: _told(value) for name, value in values.items()}


def _told(value: Value) -> object:
    if isinstance(value, Said):
        return [value.key, _plain(value.values)] if value.values else [value.key]
    if isinstance(value, Figure):
        number = value.value if value.unit == "e" else round(value.value, value.digits)
        return [number, value.digits, value.unit] if value.unit else [number, value.digits]
    return value if isinstance(value, int) else printable(str(value))
