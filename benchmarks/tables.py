"""Write a table of results in Markdown: its cells, the prose below it, and the origin of its numbers."""

import re
import textwrap
from collections.abc import Iterable, Sequence
from typing import Any

Part = dict[str, Any]


def provenance(part: Part) -> Iterable[str]:
    here, versions = part["machine"], part["versions"]
    first = min((row["date"] for row in part.get("rows", ()) if "date" in row), default=part["date"])
    when = f"on {part['date']}" if first == part["date"] else f"from {first} on, last on {part['date']}"
    text = (
        f"Measured {when} with the engine of commit `{part['commit'][:12]}`: {here['processor']}, "
        f"{here['cores']} cores, NumPy {versions['numpy']}, Python {versions['python']}."
    )
    if checked := {row["checked"] for row in part.get("rows", ()) if "checked" in row}:
        text += (
            f" The engine has changed since. On {max(checked)} one network of each row that this concerns was trained "
            "again, and its weights were the same bit for bit."
        )
    yield from ("", prose(text))
    row = r"(--dataset \S+) --architecture \S+ --recipe \S+ (--seeds \S+)$"
    words = r"\1 --architecture NETWORK --recipe RECIPE \2"
    general = (re.sub(row, words, command) for command in part["commands"])
    commands = dict.fromkeys(re.sub(r"--points \S+", "--points NAME", command) for command in general)
    yield from ("", "```text", *commands, "```")


def prose(text: str) -> str:
    """Wrap text as docs/wrap.py wraps a page: code stays on one line."""
    glued = re.sub(r"`[^`]+`", lambda code: code[0].replace(" ", "\0"), text)
    return textwrap.fill(glued, 100, break_long_words=False, break_on_hyphens=False).replace("\0", " ")


def seeds(seeds: Sequence[int]) -> str:
    return f"{len(seeds)} ({min(seeds)} to {max(seeds)})"


def percent(fraction: float, digits: int = 3) -> str:
    return f"{100 * fraction:.{digits}f} %"


def points(fraction: float) -> str:
    return f"{100 * fraction:.3f}"


def interval(interval: Sequence[float]) -> str:
    low, high = (f"{100 * value:.2f}" for value in interval)
    return f"[{low}, {high}]"


def table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    return [f"| {' | '.join(cells)} |" for cells in (columns, ["---"] * len(columns), *rows)]
