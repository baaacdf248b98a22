"""Print how large the project is, room by room, beside its limits; exit with 1 if a part is larger.

    python .ci/size.py

A line of Python counts if it is code: not blank, not a comment, not part of a docstring. Docstrings and comments are
free, they are wanted. The other parts count whole lines, words or things.
"""

import ast
import io
import re
import sys
import tokenize
from collections.abc import Iterable, Iterator
from pathlib import Path

import click

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "src" / "convscope"
LIMITS = {
    "src/convscope, lines of code": 42_000,
    "largest room, lines of code": 5_800,
    "native without tests, lines": 12_300,
    "web/src, lines": 25_000,
    "tests of Python, lines": 46_000,
    "pages, words": 62_000,
    "schemas written by hand, lines": 0,
    "commands": 22,
    "options": 175,
    "`Any` in report": 34,
}
"""What each part may have. A change that goes above takes something away first; a part that shrank lowers its limit."""

# Tokens that are no code: a line with nothing else does not count.
_NO_CODE = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER}


def main() -> int:
    """Print the rooms and the parts; return 1 if a part is above its limit."""
    for room, count in sorted(measure_rooms().items(), key=lambda item: -item[1]):
        print(f"{count:>7,}  {room}")
    sizes = measure()
    print(f"\n{'now':>7}  {'limit':>7}")
    for name, size in sizes.items():
        print(f"{size:>7,}  {LIMITS[name]:>7,}  {name}{'  <- above' * (size > LIMITS[name])}")
    return int(any(size > LIMITS[name] for name, size in sizes.items()))


def measure() -> dict[str, int]:
    """Measure the size of each part that has a limit."""
    rooms = measure_rooms()
    options = [option for command in commands() for option in command.params if isinstance(option, click.Option)]
    report = [path.read_text(encoding="utf-8") for path in files("src/convscope/report", "*.py")]
    return {
        "src/convscope, lines of code": sum(rooms.values()),
        "largest room, lines of code": max(rooms.values()),
        "native without tests, lines": count_lines(
            path for path in files("native", "*.?pp") if "tests" not in path.relative_to(ROOT).parts
        ),
        "web/src, lines": count_lines(
            path
            for path in (*files("web/src", "*.ts"), *files("web/src", "*.svelte"))
            if path.name != "generated.ts"  # from payload.schema.json
        ),
        "tests of Python, lines": count_lines(files("tests", "*.py")),
        "pages, words": sum(len(path.read_text(encoding="utf-8").split()) for path in pages()),
        "schemas written by hand, lines": count_lines(files("docs", "*_by_hand.json")),
        "commands": len(commands()),
        "options": len(options),
        "`Any` in report": sum(len(re.findall(r"\bAny\b", text)) for text in report),
    }


def measure_rooms() -> dict[str, int]:
    """Count the lines of code of each room of the package."""
    sizes: dict[str, int] = {}
    for path in files("src/convscope", "*.py"):
        room = path.relative_to(PACKAGE).parts[0]
        sizes[room] = sizes.get(room, 0) + count_code_lines(path.read_text(encoding="utf-8"))
    return sizes


def count_code_lines(source: str) -> int:
    """Count the lines of a Python module that hold code.

    >>> count_code_lines('"It adds."' + "\\n\\n# why\\nx = [1,  # one\\n     2]\\n")
    2
    """
    lines: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type not in _NO_CODE:
            lines.update(range(token.start[0], token.end[0] + 1))
    for node in ast.walk(ast.parse(source)):
        for docstring in find_docstrings(node):
            lines -= set(range(docstring.lineno, (docstring.end_lineno or docstring.lineno) + 1))
    return len(lines)


def find_docstrings(node: ast.AST) -> Iterator[ast.Expr]:
    """Yield the strings that stand alone in a body, after its definition or after an attribute."""
    if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
        for statement in node.body:
            if (
                isinstance(statement, ast.Expr)
                and isinstance(statement.value, ast.Constant)
                and isinstance(statement.value.value, str)
            ):
                yield statement


def commands() -> list[click.Command]:
    """List all commands, those in groups too, without the groups themselves."""
    from convscope.cli import main as group

    return list(leaves(group))


def leaves(command: click.Command) -> Iterator[click.Command]:
    """Yield a command, or in place of a group the commands in it."""
    if isinstance(command, click.Group):
        for name in command.list_commands(click.Context(command)):
            inner = command.get_command(click.Context(command), name)
            assert inner is not None
            yield from leaves(inner)
    else:
        yield command


def pages() -> list[Path]:
    """List README, CONTRIBUTING, CHANGELOG and the pages of the documentation."""
    return [*(ROOT / f"{name}.md" for name in ("README", "CONTRIBUTING", "CHANGELOG")), *files("docs", "*.md")]


def files(folder: str, pattern: str) -> list[Path]:
    """List the files in a folder of the project and below whose names fit the pattern."""
    return sorted((ROOT / folder).rglob(pattern))


def count_lines(paths: Iterable[Path]) -> int:
    """Count all lines of some files."""
    return sum(len(path.read_text(encoding="utf-8").splitlines()) for path in paths)


if __name__ == "__main__":
    sys.exit(main())
