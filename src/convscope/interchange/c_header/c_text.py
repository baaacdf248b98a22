"""Values as C99 text: numbers without loss, and strings whose content stays content."""

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

LINE_LENGTH = 120
_SAFE = frozenset(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 _-+.,:;()[]{}<>=!&|^~#$@%*/'`")


@dataclass(frozen=True, eq=False)
class CArray:
    """A constant array: its name without the prefix, and numbers of a dtype that C has too (float32, int8, ...)."""

    name: str
    values: NDArray[Any]

    @property
    def type(self) -> str:
        return "float" if self.values.dtype == np.float32 else f"{self.values.dtype.name}_t"

    @property
    def num_bytes(self) -> int:
        return prod(self.values.shape) * self.values.dtype.itemsize


@dataclass(frozen=True, eq=False)
class StepText:
    """One step in C: a comment, the functions it needs, its arrays and its calls."""

    comment: str
    functions: tuple[str, ...]
    arrays: tuple[CArray, ...]
    calls: tuple[str, ...]


def float_literal(value: float) -> str:
    """Return a float32 in hexadecimal, such as 0x1.8p-3f: the same bits in every compiler.

    >>> float_literal(0.1875)
    '0x1.8p-3f'
    """
    mantissa, exponent = float(np.float32(value)).hex().split("p")
    return f"{mantissa.rstrip('0').rstrip('.') if '.' in mantissa else mantissa}p{exponent}f"


def string_literal(text: str) -> str:
    r"""Return `text` as a C string in UTF-8; whatever could end it, or begin a trigraph, is an octal escape.

    >>> print(string_literal('a "b"?'))
    "a \042b\042\077"
    """
    content = text.encode(errors="backslashreplace")
    literal = "".join(chr(byte) if byte in _SAFE else f"\\{byte:03o}" for byte in content)
    return '"' + literal.replace("PREFIX_", "PREFIX\\137") + '"'  # which `with_prefix` leaves alone


def comment_json(value: Any) -> str:
    """Return plain JSON that may stand in a C comment: no slash, which begins and ends them, and no trigraph."""
    text = json.dumps(value, sort_keys=True).replace("/", "\\u002f").replace("?", "\\u003f")
    return text.replace("PREFIX_", "PREFIX\\u005f")  # which `with_prefix` leaves alone


def call(function: str, *arguments: str | int) -> str:
    """Return the statement that calls PREFIX_`function`, broken at `LINE_LENGTH`."""
    return "\n".join(wrapped(map(str, arguments), f"    PREFIX_{function}(", " " * 8, ");"))


def wrapped(items: Iterable[str], start: str, indent: str, end: str) -> list[str]:
    """Return `items` with commas between them as lines of at most `LINE_LENGTH`, but for what cannot be broken."""
    lines = [start]
    words = list(items)
    for number, word in enumerate(words):
        word += end if number + 1 == len(words) else ","
        if not lines[-1].strip() or lines[-1].endswith(("(", "{")):
            lines[-1] += word
        elif len(lines[-1]) + 1 + len(word) <= LINE_LENGTH:
            lines[-1] += " " + word
        else:
            lines.append(indent + word)
    return lines


def array_text(array: CArray) -> str:
    """Return the definition of `array`."""
    flat = array.values.reshape(-1).tolist()
    literals = [float_literal(value) for value in flat] if array.type == "float" else [str(value) for value in flat]
    start = f"static const {array.type} PREFIX_{array.name}[{len(literals)}] = {{"
    lines = wrapped(literals, "    ", "    ", "};")
    return "\n".join([start, *lines])


@cache
def function_text(file: str, name: str) -> str:
    """Return the C function `name` of this package's `file`.c, in which a line `//// NAME` begins each function."""
    text = (Path(__file__).parent / f"{file}.c").read_text()
    _, _, function = f"\n{text}".partition(f"\n//// {name}\n")
    assert function, f"{file}.c has no {name}"
    return function.partition("\n//// ")[0].rstrip("\n") + "\n"


def with_prefix(text: str, prefix: str) -> str:
    """Return C `text` with `prefix` for PREFIX in the names of functions and arrays, in capitals in those of macros."""

    def named(match: re.Match[str]) -> str:
        name = match[1]
        return f"{prefix.upper() if name.isupper() else prefix}_{name}"

    return re.sub(r"\bPREFIX_(\w+)", named, text)
