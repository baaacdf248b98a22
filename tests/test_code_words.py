"""Names, docstrings and comments avoid the words of a list, in every language."""

import ast
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = "src/convscope"
OTHER_PARTS = ("tests", "benchmarks", "fuzz", "docs", "wheels", ".ci", "native", "web/src", "web/tests", "web/tools")

VAGUE_NAMES = {"one", "other", "each", "place", "places", "found", "given", "told", "asked", "most"}
"""In place of what a variable holds: an index, a path, a match, a limit."""
PARTICIPLES = {"begun", "said", "told", "known", "made", "kept", "held", "drawn", "shown", "given", "taken", "found"}
VERBS_IN_ED = {"embed", "exceed", "feed", "need", "proceed", "read", "seed", "speed", "succeed"}
AVOIDED = re.compile(r"\b_?MOST_|\blesions?\b|\bthereof\b|\bits like\b|\bhold against\b")
VAGUE_DOCSTRING = re.compile(r"(Return (what|which)|What)\b")

_NAME = rf"\b({'|'.join(sorted(VAGUE_NAMES))})_?\b"
_CPP = re.compile(rf"(?:\b(?:auto|bool|char|double|float|int|\w+_t|[A-Z]\w+)|>)(?: const)?[ &*]+(?:__\w+ )?{_NAME}")
_SCRIPT = re.compile(
    rf"\b(?:const|let|as) (?:[{{[][^=;()\n]*)?{_NAME}|{_NAME} =>"
    rf"|{_NAME}(?=[^()=]*\) =>|: (?:[A-Z]\w*|string|number)[,)])"
)
DECLARATIONS = {".py": None, ".cpp": _CPP, ".hpp": _CPP, ".ts": _SCRIPT, ".mjs": _SCRIPT, ".svelte": _SCRIPT}
"""How a language declares a variable or a parameter. Python has a parser for it."""
NO_CODE = re.compile(r"//[^\n]*|<!--.*?-->|/\*.*?\*/|<style.*|'[^'\n]*'|\"[^\"\n]*\"|`[^`]*`", re.DOTALL)

LIMITS = {"architecture": 1, "base": 2, "evidence": 6, "experiment": 1, "training": 1}
"""How often each part still uses them. A part that is not here has none; one that has fewer lowers its number."""


@pytest.mark.slow
def test_no_part_uses_more_avoided_words_than_its_limit():
    uses = list(find_avoided_words())
    counts = Counter(part for part, _ in uses)
    too_many = [use for part, use in uses if counts[part] > LIMITS.get(part, 0)]
    assert not too_many, "\n".join(too_many)
    assert all(limit <= counts[part] + 30 for part, limit in LIMITS.items()), "lower the limits"


def find_avoided_words() -> Iterator[tuple[str, str]]:
    """Yield each use of an avoided word: the room or part, and the use with its file and line."""
    for folder in (PACKAGE, *OTHER_PARTS):
        for path in sorted((ROOT / folder).rglob("*")):
            if path.suffix not in DECLARATIONS or path.name in ("test_words.py", "test_code_words.py"):
                continue
            text = path.read_text(encoding="utf-8")
            part = path.relative_to(ROOT / PACKAGE).parts[0] if folder == PACKAGE else folder
            names = find_names(ast.parse(text)) if path.suffix == ".py" else find_declarations(text, path.suffix)
            for line, use in (*names, *find_phrases(text)):
                yield part, f"{path.relative_to(ROOT)}:{line}: {use}"


def find_names(tree: ast.AST) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store) and node.id.strip("_") in VAGUE_NAMES:
            yield node.lineno, node.id
        elif isinstance(node, ast.arg) and node.arg.strip("_") in VAGUE_NAMES:
            yield node.lineno, node.arg
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            is_value = any("fixture" in ast.unparse(decorator) for decorator in node.decorator_list)
            if not isinstance(node, ast.ClassDef) and is_participle(node.name) and not is_value:
                yield node.lineno, f"{node.name}()"
            docstring = ast.get_docstring(node) or ""
            if VAGUE_DOCSTRING.match(docstring):
                yield node.lineno, docstring.partition("\n")[0]
            # As a rename by lines leaves it that deletes the statement of a doctest.
            assert "\n\n\n" not in docstring, f"{node.name}: two blank lines in a docstring"


def is_participle(name: str) -> bool:
    words = name.strip("_").split("_")
    verb = words[0]
    return verb in PARTICIPLES or words[-1] in ("said", "told") or (verb.endswith("ed") and verb not in VERBS_IN_ED)


def find_declarations(text: str, suffix: str) -> Iterator[tuple[int, str]]:
    code = NO_CODE.sub(lambda match: "\n" * match[0].count("\n"), text)
    for match in DECLARATIONS[suffix].finditer(code):
        yield code.count("\n", 0, match.end()) + 1, match[0].strip()


def find_phrases(text: str) -> Iterator[tuple[int, str]]:
    for number, line in enumerate(text.splitlines(), 1):
        if match := AVOIDED.search(line):
            yield number, match[0]
