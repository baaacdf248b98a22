"""Text that people read avoids the words and phrases of a list: help, messages, report, page and documentation.

Each pattern stands beside what to write instead. Code in Markdown (blocks and spans) is not read: identifiers may use
such words.
"""

import ast
import json
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import click
import pytest

from convscope.cli import main

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "src" / "convscope"
WEB = ROOT / "web" / "src"
CATALOGUES = ROOT / "src" / "convscope" / "texts" / "catalogues"
DOCS = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])

LESION = r"\blesion(s|ed)?\b(?! of the skin|\.\w)(?<!vascular lesions)(?<!-like lesions)"
AVOIDED = {
    LESION: "ablation, remove a filter",
    r"\bmend(s|ed|ing)?\b": "fix; newly correct",
    r"\b(answers?|predictions?|images?) broken\b": "newly wrong",
    r"\b(is|are|was|were) taken for\b|\bTaken for\b": "predicted as",
    r"\bread (right|wrongly)\b": "classified correctly",
    r"\b(answered|answers) (rightly|wrongly)\b": "classified wrongly",
    r"\bfrom the least to the most\b|\bleast and most\b": "from min to max",
    r"\bluck\b": "chance, sampling variation",
    r"\bstrangers?\b(?! (overlaid|photo|normal|uniform|shuffled|letters))": "out-of-distribution images",
    r"\bfor certain\b": "significantly",
    r"% sure\b|\b(too|how|so|most|least|not) sure\b|\bsure(st|ness|r)\b": "confident, confidence",
    r"\b(MACs|multiply-adds|numbers?|pixels?|parameters|weights?) an? image\b": "per image",
    r"\bis no (network|whole|JSON|IDX|Keras|data set|text|picture|list|number)\b": "is not a ...",
    r"\bby heart\b": "memorise",
    r"\banew\b": "again",
    r"\bevenly taken\b": "sampled evenly",
    r"\bto nonsense\b": "training diverged",
    r"\bpromises [^.]{0,60} bytes\b": "should contain",
    r"\bcut short\b": "incomplete",
    r"\bfetch it again\b": "download it again",
    r"\blet go\b|\blets? it go\b": "clear the selection",
    r"\bheld? against\b|\bholds against\b": "compare with",
    r"\bspeaks? (for|against)\b": "support, oppose",
    r"\bexcites?\b": "activates",
    r"\bwhoever\b|\bthereof\b|\bthat which\b|\bsuch as those\b|\bwhat is beside\b": "a plain noun",
    r"\bcannot be told\b": "is unclear, cannot be determined",
    r"\bby its own meaning\b|\bmeaning of that\b": "according to the method",
    r"\bto train on and\b": "training images",
}


def find_avoided(text: str) -> Iterator[tuple[str, str]]:
    """Yield each pattern that a text matches, with the words around the match."""
    plain = re.sub(r"\s+", " ", text)
    for pattern in AVOIDED:
        for match in re.finditer(pattern, plain, re.IGNORECASE):
            yield pattern, plain[max(0, match.start() - 40) : match.end() + 40]


def check(texts: dict[str, str]) -> None:
    wrong = list[str]()
    for name, text in texts.items():
        wrong += [f"{name}: ...{around}... (write: {AVOIDED[pattern]})" for pattern, around in find_avoided(text)]
    assert not wrong, "\n".join(wrong)


def help_pages(name: str, command: click.Command, parent: click.Context | None = None) -> Iterator[tuple[str, str]]:
    """Yield the help of a command and of all commands below it."""
    context = click.Context(command, info_name=name, parent=parent)
    yield f"help of {context.command_path}", command.get_help(context)
    if isinstance(command, click.Group):
        for below in command.list_commands(context):
            page = command.get_command(context, below)
            assert page is not None
            yield from help_pages(below, page, context)


def messages_of(module: Path) -> Iterator[str]:
    """Yield the texts of a module that hold a blank, but not its docstrings; `{}` stands for a value."""
    tree = ast.parse(module.read_text(encoding="utf-8"))
    left_out = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    open_nodes: list[ast.AST] = [tree]
    while open_nodes:
        node = open_nodes.pop()
        if id(node) in left_out:
            continue
        if isinstance(node, ast.JoinedStr):
            text = "".join(str(part.value) if isinstance(part, ast.Constant) else "{}" for part in node.values)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            text = node.value
        else:
            open_nodes += ast.iter_child_nodes(node)
            continue
        if " " in text.strip():
            yield text


def without_markup(template: str) -> str:
    return re.sub(r"\{[%#{].*?[%#}]\}|<style.*?</style>|<[^>]*>", " ", template, flags=re.DOTALL)


def page_texts(file: Path) -> str:
    """Return the visible text of a component or module: markup, and string literals that contain a blank."""
    text = re.sub(r"<style.*?</style>|<!--.*?-->", " ", file.read_text(encoding="utf-8"), flags=re.DOTALL)
    text = re.sub(r"^\s*//.*$|\s// .*$", " ", text, flags=re.MULTILINE)
    scripts = text if file.suffix == ".ts" else " ".join(re.findall(r"<script.*?</script>", text, re.DOTALL))
    markup = "" if file.suffix == ".ts" else re.sub(r"<script.*?</script>", " ", text, flags=re.DOTALL)
    literals = [part for group in re.findall(r"'([^'\n]*)'|`([^`]*)`|\"([^\"\n]*)\"", text) for part in group]
    shown = [re.sub(r"\$?\{[^{}]*\}", " ", part) for part in literals if " " in part.strip()]
    while "{" in markup and (fewer := re.sub(r"\{[^{}]*\}", " ", markup)) != markup:
        markup = fewer
    assert scripts or markup or not text.strip()
    return " . ".join([*shown, re.sub(r"<[^>]*>", " ", markup)])


def strings(texts: object) -> Iterator[str]:
    """Yield each text of a catalogue."""
    if isinstance(texts, dict):
        for value in texts.values():
            yield from strings(value)
    else:
        yield str(texts)


class Visible(HTMLParser):
    """The text of a page outside of scripts and style sheets."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.parts: list[str] = []
        self.hidden = 0
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.hidden += tag in ("script", "style")
        self.parts += [value for name, value in attrs if name in ("title", "aria-label", "alt") and value]

    def handle_endtag(self, tag: str) -> None:
        self.hidden -= tag in ("script", "style")

    def handle_data(self, data: str) -> None:
        if not self.hidden:
            self.parts.append(data)


def test_help_avoids_the_words_of_the_list() -> None:
    check(dict(help_pages("convscope", main)))


@pytest.mark.parametrize("room", sorted(path.name for path in PACKAGE.iterdir() if (path / "__init__.py").exists()))
def test_messages_and_findings_avoid_the_words_of_the_list(room: str) -> None:
    modules = sorted((PACKAGE / room).rglob("*.py"))
    assert modules
    check({str(path.relative_to(PACKAGE)): " . ".join(messages_of(path)) for path in modules})


def test_templates_avoid_the_words_of_the_list() -> None:
    templates = sorted(PACKAGE.rglob("*.jinja"))
    assert templates
    check({path.name: without_markup(path.read_text(encoding="utf-8")) for path in templates})


def test_the_page_avoids_the_words_of_the_list() -> None:
    files = sorted([*WEB.rglob("*.svelte"), *WEB.rglob("*.ts")])
    assert len(files) > 100
    catalogue = json.loads((CATALOGUES / "en.json").read_text(encoding="utf-8"))
    check(
        {str(path.relative_to(WEB)): page_texts(path) for path in files} | {"en.json": " . ".join(strings(catalogue))}
    )


def test_a_report_avoids_the_words_of_the_list(shared_run: Path) -> None:
    check({"report.html": " . ".join(Visible((shared_run / "report.html").read_text(encoding="utf-8")).parts)})


@pytest.mark.parametrize("page", DOCS, ids=lambda page: str(page.relative_to(ROOT)))
def test_documentation_avoids_the_words_of_the_list(page: Path) -> None:
    text = re.sub(r"^```.*?^```$|`[^`\n]*`", " ", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    check({str(page.relative_to(ROOT)): text})


@pytest.mark.parametrize(
    ("text", "is_avoided"),
    [
        ("a 4 is taken for a 9", True),
        ("a value taken from the file", False),
        ("12 answers broken, 3 mended", True),
        ("the file is broken", False),
        ("DermaMNIST, lesions of the skin", False),
        ("two lesions", True),
        ("the least value is at least 3", False),
        ("100.0 % sure", True),
    ],
)
def test_the_list_tells_its_words_from_others(text: str, is_avoided: bool) -> None:
    assert bool(list(find_avoided(text))) == is_avoided
