"""Values as tables: aligned text for terminals, HTML for notebooks.

A cell is data and may be any string: a terminal gets no control characters from it, a page no markup.
"""

import csv
import re
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from io import StringIO
from itertools import accumulate
from typing import ClassVar
from unicodedata import category, east_asian_width

from convscope.base.palette import Rgb

# A spreadsheet takes a cell that begins so for a formula; the last four are the full-width forms of the first four.
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")


@dataclass(frozen=True)
class Tint:
    """A cell's text on a colour of opacity 0 to 1."""

    text: str
    colour: Rgb
    opacity: float


def percent(value: float) -> str:
    """Format a fraction as percent.

    >>> percent(0.9903)
    '99.03 %'
    """
    return f"{100 * value:.2f} %"


def percent_interval(interval: tuple[float, float], sign: str = "") -> str:
    """Format an interval of fractions as percent; `sign` is "+" to show plus signs.

    >>> percent_interval((0.98817, 0.99204)), percent_interval((-0.001, 0.02), "+")
    ('[98.82, 99.20]', '[-0.10, +2.00]')
    """
    return "[{:{sign}.2f}, {:{sign}.2f}]".format(*(100 * end for end in interval), sign=sign)


def percent_with_interval(value: float, interval: tuple[float, float]) -> str:
    """Format a fraction and its interval as percent.

    >>> percent_with_interval(0.9903, (0.98817, 0.99204))
    '99.03 % [98.82, 99.20]'
    """
    return f"{percent(value)} {percent_interval(interval)}"


def confidence_text(probability: float, digits: int = 1) -> str:
    """Format the probability of a prediction as percent.

    A probability that rounds to 100 % or 0 % is stated as a limit, because a softmax is never 1 or 0.

    >>> confidence_text(0.876), confidence_text(0.99997), confidence_text(0.0002), confidence_text(1, digits=2)
    ('87.6 %', '> 99.9 %', '< 0.1 %', '> 99.99 %')
    """
    number, step = f"{100 * probability:.{digits}f}", 10.0**-digits
    if float(number) >= 100:
        return f"> {100 - step:.{digits}f} %"
    return f"< {step:.{digits}f} %" if float(number) <= 0 else f"{number} %"


def printable(text: str) -> str:
    """Replace everything that a terminal would obey rather than show by U+FFFD."""
    # The space between number and unit is no control character, but not "printable" to Python.
    return "".join(c if c.isprintable() or c == "\N{NO-BREAK SPACE}" else "\N{REPLACEMENT CHARACTER}" for c in text)


def printable_lines(text: str) -> str:
    """Replace everything but line feeds that a terminal would obey rather than show by U+FFFD."""
    return "\n".join(map(printable, text.split("\n")))


def without_passwords(text: str) -> str:
    """Remove user names and passwords from the addresses in `text`.

    >>> without_passwords("no answer from http://ann:secret@host/path")
    'no answer from http://host/path'
    """
    return re.sub(r"//[^/\s]*@", "//", text)


def display_width(text: str) -> int:
    """Count the columns that printable `text` takes on a terminal: two for East Asian wide, none for combining."""
    return sum(0 if category(c) in ("Mn", "Me") else 2 if east_asian_width(c) in "WF" else 1 for c in text)


def clip(text: str, width: int) -> str:
    """Shorten printable `text` to `width` columns of a terminal, with an ellipsis at its end.

    >>> clip("Ankle boot", 6)
    'Ankle…'
    """
    text = printable(text)
    # The column at which each character ends.
    ends = list(accumulate(map(display_width, text)))
    if not ends or ends[-1] <= width:
        return text
    return text[: bisect_right(ends, width - 1)] + "…"  # cut by columns and not by characters, which may take two


def text_table(header: Sequence[str], rows: Iterable[Sequence[str]], left: int = 1) -> str:
    """Format a table with a rule under its header; the first `left` columns are aligned left, the others right.

    >>> print(text_table(("class", "recall"), [("zero", "99.0 %"), ("one", "100.0 %")]))
    class   recall
    --------------
    zero    99.0 %
    one    100.0 %
    """
    lines = [[printable(cell) for cell in line] for line in (header, *rows)]
    widths = [max(display_width(line[column]) for line in lines) for column in range(len(header))]
    text = []
    for line in lines:
        cells = []
        for column, (cell, width) in enumerate(zip(line, widths, strict=True)):
            space = " " * (width - display_width(cell))
            cells.append(cell + space if column < left else space + cell)
        text.append("  ".join(cells).rstrip())
    return "\n".join([text[0], "-" * (sum(widths) + 2 * (len(widths) - 1)), *text[1:]])


def csv_line(cells: Iterable[str | float | bool | None]) -> str:
    """Format a row of comma-separated values with its line feed; a spreadsheet takes none of its text as a formula.

    Text that a spreadsheet would compute, as it begins with = + - @, a tab or an end of a line, gets an apostrophe
    before it, which shows it as text. Numbers stay as they are, in full precision; None is empty.

    Source: OWASP, CSV Injection.

    >>> csv_line(["=1+1", -0.5, True, None])
    "'=1+1,-0.5,true,\\n"
    """
    line = StringIO()
    # The writer quotes the characters of its line terminator, so this one makes it quote a lone \r too.
    csv.writer(line, lineterminator="\r\n").writerow(map(_csv_cell, cells))
    return line.getvalue().removesuffix("\r\n") + "\n"


def guard_formula(text: str) -> str:
    """Put an apostrophe before text that a spreadsheet would compute."""
    return f"'{text}" if text.startswith(_FORMULA_STARTS) else text


def _csv_cell(value: str | float | bool | None) -> str:
    if isinstance(value, str):
        return guard_formula(value)
    if isinstance(value, bool):
        return str(value).lower()
    return "" if value is None else repr(float(value)) if isinstance(value, float) else str(value)


def html_table(header: Sequence[str], rows: Iterable[Sequence[str | Tint]], caption: str = "", left: int = 1) -> str:
    """Return `rows` as an HTML table that inherits its colours, so that it reads on dark and light alike."""
    parts = [
        '<table style="color: inherit; border-collapse: collapse; font-variant-numeric: tabular-nums; margin: 0.5em 0">'
    ]
    if caption:
        parts.append(f'<caption style="text-align: left; caption-side: top">{escape(caption)}</caption>')
    heads = "".join(
        f'<th scope="col" style="{_cell_style(column < left)}">{escape(name)}</th>'
        for column, name in enumerate(header)
    )
    parts.append(f"<thead><tr>{heads}</tr></thead><tbody>")
    for row in rows:
        cells = "".join(_html_cell(cell, column < left) for column, cell in enumerate(row))
        parts.append(f"<tr>{cells}</tr>")
    return "".join([*parts, "</tbody></table>"])


def _html_cell(cell: str | Tint, left: bool) -> str:
    style = _cell_style(left)
    if isinstance(cell, Tint):
        if cell.opacity > 0:
            style += "; background: rgba({}, {}, {}, {:.3f})".format(*cell.colour, cell.opacity)
        cell = cell.text
    return f'<td style="{style}">{escape(cell)}</td>'


def _cell_style(left: bool) -> str:
    side = "left" if left else "right"
    return f"text-align: {side}; padding: 2px 8px; border-bottom: 1px solid rgba(128, 128, 128, 0.3)"


def value_text(value: float | str | bool | None) -> str:
    """Return the value of a field as options take it.

    >>> [value_text(value) for value in (0.00125, 8, True, None, "relu")]
    ['0.00125', '8', 'true', 'none', 'relu']
    """
    if isinstance(value, float):
        return f"{value:.4g}"
    return f"{value}".lower() if value is None or isinstance(value, bool) else f"{value}"


class Tabular:
    """Base of results that are shown as a headline, tables and lines: as text, and as HTML in a notebook.

    A subclass has `_headline()`, `_rows()` and their `_header`; the first `_left` columns are aligned left.
    """

    __slots__ = ()
    _header: ClassVar[Sequence[str]]
    _left: ClassVar[int] = 1

    def _headline(self) -> str:
        raise NotImplementedError

    def _rows(self) -> Iterable[Sequence[str]]:
        raise NotImplementedError

    def _tables(self) -> list[tuple[Sequence[str], Iterable[Sequence[str]], str]]:
        """Return the header, the rows and the caption of each table."""
        return [(self._header, self._rows(), "")]

    def _lines(self) -> list[str]:
        """Return sentences below the tables."""
        return []

    def __str__(self) -> str:
        parts = [printable(self._headline())]
        for header, rows, caption in self._tables():
            parts.append(f"{caption}\n{text_table(header, rows, self._left)}".lstrip("\n"))
        return "\n".join(["\n\n".join(parts), *map(printable, self._lines())])

    def _repr_html_(self) -> str:
        tables = [html_table(*table, self._left) for table in self._tables()]
        lines = [f"<p>{escape(line)}</p>" for line in self._lines()]
        return "".join([f"<p>{escape(self._headline())}</p>", *tables, *lines])
