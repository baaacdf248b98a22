"""Texts that others may have chosen, such as class names, as YAML and as Markdown that they cannot break."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from convscope.base.tables import printable

_PUNCTUATION = re.compile(r"([\\`*_\[\]<>|#~$&]|^[-+=])")  # what Markdown obeys, also within a table


def yaml_lines(value: Mapping[str, Any], indent: str = "") -> Iterator[str]:
    """Yield `value` (plain JSON) as lines of YAML in block style; each text is quoted, so none reads as another type.

    >>> print(*yaml_lines({"tags": ["a: b"], "task": {"type": "no"}}), sep="\\n")
    tags:
    - "a: b"
    task:
      type: "no"
    """
    for key, one in value.items():
        if isinstance(one, Mapping):
            yield f"{indent}{key}:"
            yield from yaml_lines(one, f"{indent}  ")
        elif isinstance(one, Sequence) and not isinstance(one, str):
            yield f"{indent}{key}:"
            yield from _items(one, indent)
        else:
            yield f"{indent}{key}: {_scalar(one)}"


def _items(values: Sequence[Any], indent: str) -> Iterator[str]:
    for value in values:
        if isinstance(value, Mapping):
            first, *others = yaml_lines(value, f"{indent}  ")
            yield f"{indent}- {first.lstrip()}"
            yield from others
        else:
            yield f"{indent}- {_scalar(value)}"


def _scalar(value: str | int | float) -> str:
    if isinstance(value, float):
        return f"{value:.6f}"  # YAML 1.1 takes 1e-05 for a text
    return json.dumps(printable(value) if isinstance(value, str) else value, ensure_ascii=False)


def escaped(text: object) -> str:
    """Return a text of one line as Markdown that shows it as it is.

    >>> print(escaped("a|b <i> *c*"))
    a\\|b \\<i\\> \\*c\\*
    """
    return _PUNCTUATION.sub(r"\\\1", printable(str(text)))


def markdown_table(header: Sequence[str], rows: Iterable[Sequence[object]], left: int = 1) -> str:
    """Return a table of cells as Markdown, the first `left` columns text, the others numbers."""
    rules = ["---" if column < left else "---:" for column in range(len(header))]
    lines = [header, *rows]
    first, *others = [f"| {' | '.join(map(escaped, line))} |" for line in lines]
    return "\n".join([first, f"| {' | '.join(rules)} |", *others])


def fenced(lines: str, language: str) -> str:
    """Return lines of code as Markdown, in a fence that is longer than any in them."""
    runs = [len(run) for run in re.findall("`+", lines)]
    fence = "`" * max(3, *(length + 1 for length in runs), 0)
    shown = "\n".join(map(printable, lines.split("\n")))
    return f"{fence}{language}\n{shown}\n{fence}"
