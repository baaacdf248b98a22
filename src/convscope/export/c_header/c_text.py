"""Write values as C99: numbers without loss, strings and comments that cannot break out of their quotes."""

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
# Bytes that stand for themselves in a C string. Not among them: the quote, the backslash, and ? (two begin a trigraph).
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


def format_float(value: float) -> str:
    """Write a float32 in hexadecimal, 0x1.8p-3f for 0.1875."""
    # A decimal literal is rounded by the compiler; a hexadecimal one names the bits.
    mantissa, exponent = float(np.float32(value)).hex().split("p")
    return f"{mantissa.rstrip('0').rstrip('.') if '.' in mantissa else mantissa}p{exponent}f"


def format_string(text: str) -> str:
    r"""Write `text` as a C string in UTF-8, with octal escapes: "a \042b\042\077" for a "b"?"""
    content = text.encode(errors="backslashreplace")
    literal = "".join(chr(byte) if byte in _SAFE else f"\\{byte:03o}" for byte in content)
    return '"' + literal.replace("PREFIX_", "PREFIX\\137") + '"'  # an escaped _, so that `replace_prefix` skips it


def format_comment(value: Any) -> str:
    """Write JSON for a C comment, without a slash, which could end the comment, and without trigraphs."""
    text = json.dumps(value, sort_keys=True).replace("/", "\\u002f").replace("?", "\\u003f")
    return text.replace("PREFIX_", "PREFIX\\u005f")  # an escaped _, so that `replace_prefix` skips it


def format_call(function: str, *arguments: str | int) -> str:
    """Write a call of PREFIX_`function`, broken at `LINE_LENGTH`."""
    return "\n".join(wrap_items(map(str, arguments), f"    PREFIX_{function}(", " " * 8, ");"))


def wrap_items(items: Iterable[str], start: str, indent: str, end: str) -> list[str]:
    """Join `items` by commas in lines of at most `LINE_LENGTH`; a longer item has a line of its own."""
    lines = [start]
    words = list(items)
    for number, word in enumerate(words):
        word += end if number + 1 == len(words) else ","
        # The first item of a line follows its indent or opening bracket without a space.
        if not lines[-1].strip() or lines[-1].endswith(("(", "{")):
            lines[-1] += word
        elif len(lines[-1]) + 1 + len(word) <= LINE_LENGTH:
            lines[-1] += " " + word
        else:
            lines.append(indent + word)
    return lines


def format_array(array: CArray) -> str:
    """Write the definition of `array`."""
    flat = array.values.reshape(-1).tolist()
    literals = [format_float(value) for value in flat] if array.type == "float" else [str(value) for value in flat]
    start = f"static const {array.type} PREFIX_{array.name}[{len(literals)}] = {{"
    lines = wrap_items(literals, "    ", "    ", "};")
    return "\n".join([start, *lines])


@cache
def read_function(file: str, name: str) -> str:
    """Read the C function `name` from `file`.c of this package, where a line `//// NAME` begins each function."""
    text = (Path(__file__).parent / f"{file}.c").read_text()
    _, _, function = f"\n{text}".partition(f"\n//// {name}\n")
    assert function, f"{file}.c has no {name}"
    return function.partition("\n//// ")[0].rstrip("\n") + "\n"


def replace_prefix(text: str, prefix: str) -> str:
    """Replace PREFIX in all names by `prefix`, in macros by `prefix` in capitals.

    Example: with `net`, PREFIX_SCRATCH_BYTES becomes NET_SCRATCH_BYTES, and PREFIX_scratch becomes net_scratch.
    """
    text = re.sub(r"\bPREFIX_(?=[A-Z0-9_]*\b)", f"{prefix.upper()}_", text)  # macros: capitals up to the name's end
    return re.sub(r"\bPREFIX_(?=\w)", f"{prefix}_", text)  # all other names
