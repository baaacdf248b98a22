"""The report's sentences: English from the page's catalogue, with what another language needs to write them.

A sentence is a `str`, and is used like one wherever only English is needed: on the terminal, in figures, in tests. Put
into a template it becomes an element that says which text of the catalogue it is, with its values.
"""

import json
from collections.abc import Iterator, Mapping
from functools import cache
from html import escape
from importlib.resources import files
from re import compile as pattern
from types import MappingProxyType
from typing import Any

from convscope.base.tables import printable

_MARK = pattern(
    r"\{(\w+)\}|\[\[([^\]|]+)(?:\|([^\]]+))?\]\]"
)  # {value} and [[word|Term]], as in web/src/text/catalogue.ts


class Figure(str):
    """A number as English writes it, with the number itself.

    Attributes:
        value: in percent where `unit` is `%`.
        unit: `%`, `points` for a number with its sign, or nothing.
    """

    value: float
    digits: int
    unit: str

    def __new__(cls, text: str, value: float, digits: int, unit: str = "") -> "Figure":
        """Return `text` with the number that it stands for."""
        figure = super().__new__(cls, text)
        figure.value, figure.digits, figure.unit = float(value), digits, unit
        return figure


class Said(str):
    """A sentence of the catalogue, filled with its values.

    Attributes:
        key: of its text, below `report`.
        values: what stands in its places.
    """

    key: str
    values: Mapping[str, Any]

    def __new__(cls, key: str, values: Mapping[str, Any]) -> "Said":
        """Return the English text at `key` with `values` in it.

        Raises:
            KeyError: if there is no such text, or a value is missing.
        """
        said = super().__new__(cls, "".join(_pieces(_text(key, values), values)))
        said.key, said.values = key, MappingProxyType(dict(values))
        return said

    def __html__(self) -> str:
        """Return it as an element; terms that it explains carry their meaning."""
        values = ""
        if self.values:
            data = json.dumps(_plain(self.values), ensure_ascii=False, separators=(",", ":"))
            values = f" values='{escape(data, quote=False).replace(chr(39), '&#39;')}'"
        inner = "".join(
            f'<abbr title="{escape(glossary()[term])}">{escape(text)}</abbr>' if term else escape(text)
            for text, term in _marked(_text(self.key, self.values), self.values)
        )
        return f'<say-text key="{self.key}"{values}>{inner}</say-text>'


def say(key: str, **values: str | int | float) -> Said:
    """Return the report's text at `key` with its values: whole numbers, figures, other sentences, or data as it is."""
    return Said(key, values)


def figure(value: float, digits: int) -> Figure:
    """Return a number with so many decimals."""
    return Figure(f"{value:,.{digits}f}", value, digits)


def rounded(value: float, significant: int) -> Figure:
    """Return a number with so many digits, as short as they go."""
    text = f"{value:.{significant}g}"
    return Figure(text, value, len(text.partition(".")[2]))


@cache
def glossary() -> dict[str, str]:
    """Return the meaning of each term of the report."""
    return {name: term["meaning"] for name, term in _texts()["terms"].items()}


@cache
def _texts() -> dict[str, Any]:
    text = files("convscope.report").joinpath("bundle/texts.json").read_text(encoding="utf-8")
    texts: dict[str, Any] = json.loads(text)["en"]["report"]
    return texts


def _text(key: str, values: Mapping[str, Any]) -> str:
    found: Any = _texts()
    for name in key.split("."):
        found = found[name]
    return found if isinstance(found, str) else found["one" if values["n"] == 1 else "other"]


def _pieces(text: str, values: Mapping[str, Any]) -> Iterator[str]:
    return (piece for piece, _ in _marked(text, values))


def _marked(text: str, values: Mapping[str, Any]) -> Iterator[tuple[str, str | None]]:
    """Yield the pieces of a text, each with the term that it is."""
    end = 0
    for mark in _MARK.finditer(text):
        yield text[end : mark.start()], None
        slot, word, term = mark.groups()
        yield (_written(values[slot]), None) if slot else (word, term or word)
        end = mark.end()
    yield text[end:], None


def _written(value: Any) -> str:
    return f"{value:,}" if isinstance(value, int) else printable(str(value))


def _plain(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return values as the page's script reads them."""
    plain = dict[str, Any]()
    for name, value in values.items():
        if isinstance(value, Said):
            plain[name] = {"say": value.key, "values": _plain(value.values)}
        elif isinstance(value, Figure):
            plain[name] = {"value": value.value, "digits": value.digits, "unit": value.unit}
        else:
            plain[name] = value if isinstance(value, int) else printable(str(value))
    return plain
