"""Names, docstrings and comments of the package avoid the words of a list; no room may use more of them than now."""

import ast
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

PACKAGE = Path(__file__).parents[1] / "src" / "convscope"

VAGUE_NAMES = {"one", "other", "each", "place", "places", "found", "given", "told", "asked", "most"}
"""In place of what a variable holds: an index, a path, a match, a limit."""
PARTICIPLES = {"begun", "said", "told", "known", "made", "kept", "held", "drawn", "shown", "given", "taken", "found"}
VERBS_IN_ED = {"embed", "exceed", "feed", "need", "proceed", "read", "seed", "speed", "succeed"}
AVOIDED = re.compile(r"\b_?MOST_|\blesions?\b|\bthereof\b|\bits like\b|\bhold against\b")
VAGUE_DOCSTRING = re.compile(r"(Return (what|which)|What)\b")

LIMITS = {
    "architecture": 1,
    "base": 2,
    "data": 8,
    "evidence": 9,
    "experiment": 1,
    "training": 1,
}
"""How often each room still uses them. A room that is not here has none; one that has fewer lowers its number."""


def test_no_room_uses_more_avoided_words_than_its_limit():
    counts = Counter(room for room, _ in find_avoided_words())
    too_many = [f"{room}: {name}" for room, name in find_avoided_words() if counts[room] > LIMITS.get(room, 0)]
    assert not too_many, "\n".join(too_many)
    assert all(limit <= counts[room] + 30 for room, limit in LIMITS.items()), "lower the limits"


def find_avoided_words() -> Iterator[tuple[str, str]]:
    """Yield each use of an avoided word: the room, and the use with its file and line."""
    for path in sorted(PACKAGE.rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        room = path.relative_to(PACKAGE).parts[0]
        for line, use in (*find_names(ast.parse(text)), *find_phrases(text)):
            yield room, f"{path.relative_to(PACKAGE)}:{line}: {use}"


def find_names(tree: ast.AST) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree):
        match node:
            case ast.Name(id=name, ctx=ast.Store()) | ast.arg(arg=name) if name.strip("_") in VAGUE_NAMES:
                yield node.lineno, name
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) if is_participle(name):
                yield node.lineno, f"{name}()"
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            docstring = ast.get_docstring(node) or ""
            if VAGUE_DOCSTRING.match(docstring):
                yield node.lineno, docstring.partition("\n")[0]
            # As a rename by lines leaves it that deletes the statement of a doctest.
            assert "\n\n\n" not in docstring, f"{node.name}: two blank lines in a docstring"


def is_participle(name: str) -> bool:
    words = name.strip("_").split("_")
    verb = words[0]
    return verb in PARTICIPLES or words[-1] in ("said", "told") or (verb.endswith("ed") and verb not in VERBS_IN_ED)


def find_phrases(text: str) -> Iterator[tuple[int, str]]:
    for number, line in enumerate(text.splitlines(), 1):
        if match := AVOIDED.search(line):
            yield number, match[0]
