"""Wrap the prose of Markdown pages at 100 characters: paragraphs and lists, but no code, table, heading or formula.

    python docs/wrap.py [PAGE.md ...]

The pages are rewritten; by default, they are all pages of the project.
"""

import re
import sys
from collections.abc import Iterable
from pathlib import Path
from textwrap import TextWrapper

ROOT = Path(__file__).parent.parent
WIDTH = 100
_ITEM = re.compile(r"( *)([-*]|\d+\.) +")
# Lines that are no prose, and are not wrapped.
_KEPT = re.compile(r" *(#|\||<|\[\w+\]: |\$\$|---$|:::)|    ")
_GLUE = "\0"  # stands for a blank at which no line may end
# Text that must stay on one line: code, formulas, and marks that would begin a list or heading at the start of a line.
_UNBREAKABLE = re.compile(r"`[^`\n]+`|\$[^$\n]+\$| (?:[-+*=#>|]|\d+\.)(?= )")


def pages() -> list[Path]:
    """List the pages whose prose is wrapped: not those of dev/, whose log is only ever added to."""
    folders = ("docs", "examples", "benchmarks")
    return sorted([*ROOT.glob("*.md"), *(page for folder in folders for page in (ROOT / folder).rglob("*.md"))])


def wrap(text: str) -> str:
    """Wrap the prose of a page.

    >>> print(wrap("- " + 20 * "word " + "\\n  end"), end="")
    - word word word word word word word word word word word word word word word word word word word
      word end
    """
    return "\n".join(_wrap_lines(text.splitlines())) + "\n"


def _wrap_lines(lines: Iterable[str]) -> Iterable[str]:
    prose, indent, fence = list[str](), "", ""

    def flush() -> Iterable[str]:
        if prose:
            yield from _fill(" ".join(prose), indent)
            prose.clear()

    for line in lines:
        mark = re.match(r" *(```+|~~~+|\$\$)", line)
        if fence or mark:
            yield from flush()
            yield line
            is_end = bool(fence) and line.strip() == fence
            is_short = bool(mark) and not fence and line.strip().count(mark[1]) == 2
            fence = "" if is_end or is_short else fence or mark[1]  # type: ignore[index]  # without a fence, this line opens one
        elif item := _ITEM.match(line):
            yield from flush()
            indent = item[0]
            prose.append(line[len(indent) :])
        elif not line.strip() or (_KEPT.match(line) and not (prose and line.startswith("    "))):
            yield from flush()
            indent = ""
            yield line.rstrip()
        else:
            if not prose:
                indent = re.match(" *", line)[0]  # type: ignore[index]  # it matches every line, with no blank too
            prose.append(line.strip())
    yield from flush()


def _fill(text: str, indent: str) -> list[str]:
    glued = _UNBREAKABLE.sub(lambda match: match[0].replace(" ", _GLUE), text)
    wrapper = TextWrapper(
        WIDTH,
        initial_indent=indent,
        subsequent_indent=" " * len(indent),
        break_long_words=False,
        break_on_hyphens=False,
    )
    return [line.replace(_GLUE, " ") for line in wrapper.wrap(glued)]


if __name__ == "__main__":
    for path in [Path(name) for name in sys.argv[1:]] or pages():
        before = path.read_text(encoding="utf-8")
        if (after := wrap(before)) != before:
            path.write_text(after, encoding="utf-8")
