"""Build the documentation site into build/docs: put its pages together in build/docs-source, then run Sphinx on them.

The pages are those of the repository, in the same folders, so that their relative links hold; the files that they link
to come along. Three kinds are generated: the start page with the contents from docs/index.md, the pages of the Python
interface from the docstrings of what `convscope` exports, and the glossary from the report's terms.
"""

import argparse
import inspect
import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from types import ModuleType

import convscope
from convscope.runs.listeners import SILENT
from convscope.runs.playground import make_playground
from convscope.texts import glossary

ROOT = Path(__file__).parent.parent
SOURCE, OUTPUT = ROOT / "build" / "docs-source", ROOT / "build" / "docs"
CONTENTS = "docs/index.md"
_README_PICTURES = ROOT / "docs"
LIVE = "live"  # the folder of the pages that the site shows the product with
LIVE_LINKS = f"""\
<p><strong>Live:</strong>
<a href="{LIVE}/report.html">the page of a run</a> ·
<a href="{LIVE}/report.html#bench?n=convolution">a lesson: convolution</a> ·
<a href="{LIVE}/playground.html">train in this browser</a></p>
"""
LIVE_MARK = "<!-- live pages -->"
# In the order of the design page: data, networks, training, then what is measured.
_ROOMS = (
    "data", "architecture", "recipes", "runs", "training", "storage", "evidence", "prediction", "export", "interchange",
    "classifier", "experiment", "base",
)  # fmt: skip
# The modules that `convscope` exports as a whole, and where they are defined.
_DEFINED_IN = {"presets": "convscope.architecture.presets", "recipes": "convscope.recipes.presets"}


def main() -> int:
    """Build the site and return Sphinx's exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--check-links", action="store_true", help="follow the links to other sites too, by the network"
    )
    check_links = parser.parse_args().check_links
    write_source(SOURCE)
    from sphinx.cmd.build import main as sphinx_build

    builder = "linkcheck" if check_links else "html"
    output = ROOT / "build" / "docs-links" if check_links else OUTPUT
    shutil.rmtree(output, ignore_errors=True)
    strict = ["--fail-on-warning", "--keep-going", "--nitpicky", "--quiet"]
    folders = ["-c", str(ROOT / "docs"), "-d", str(ROOT / "build" / "docs-cache"), str(SOURCE), str(output)]
    failed = int(sphinx_build(["-b", builder, *strict, *folders]))
    if not failed and not check_links:
        write_live_pages(OUTPUT / LIVE)
        for picture in _README_PICTURES.glob("report-*.png"):  # Sphinx copies no file that only HTML in a page shows
            _copy(picture, OUTPUT / picture.relative_to(ROOT))
    return failed


def write_live_pages(folder: Path) -> None:
    """Train the default network, and write its page and the playground into `folder`."""
    folder.mkdir()
    with TemporaryDirectory() as name:
        convscope.run("mnist", recipe="fast", seeds=3, out=Path(name) / "run")
        shutil.copyfile(Path(name) / "run" / "report.html", folder / "report.html")
    make_playground(folder / "playground.html", SILENT)


def write_source(folder: Path) -> None:
    """Empty `folder`, and write the files that Sphinx reads into it."""
    shutil.rmtree(folder, ignore_errors=True)
    listed = {ROOT / path for _, paths in contents() for path in paths}
    for page in pages():
        text = page.read_text(encoding="utf-8")
        _write(folder / page.relative_to(ROOT), text if page in listed else f"---\norphan: true\n---\n\n{text}")
        for linked in _find_linked_files(page, text):
            _copy(linked, folder / linked.relative_to(ROOT))
    for name, text in {**api_pages(), "docs/glossary.md": glossary_page(), "index.md": start_page()}.items():
        _write(folder / name, text)


def pages() -> list[Path]:
    """List the pages of the repository that the site shows."""
    folders = ("docs", "examples", "benchmarks", "dev")
    files = [*ROOT.glob("*.md"), *(page for folder in folders for page in (ROOT / folder).rglob("*.md"))]
    return sorted(page for page in files if "node_modules" not in page.parts)  # fonts of benchmarks/own_pictures


def start_page() -> str:
    """Write the start page: README with links to the live pages, then the contents in the order of docs/index.md."""
    before, after = (ROOT / "README.md").read_text(encoding="utf-8").split(LIVE_MARK)
    parts = [before, LIVE_LINKS, after]
    for caption, paths in contents():
        lines = "\n".join(path.removesuffix(".md") for path in paths)
        parts.append(f"```{{toctree}}\n:hidden:\n:caption: {caption}\n\n{lines}\n```\n")
    return "\n".join(parts)


def contents() -> list[tuple[str, list[str]]]:
    """Read the sections of the site from docs/index.md: captions, and the paths of the pages from the root."""
    text = (ROOT / CONTENTS).read_text(encoding="utf-8")
    sections = []
    for caption, items in re.findall(r"^(\S.*):\n\n((?:- .*\n?(?:  .*\n?)*)+)", text, re.MULTILINE):
        targets = [
            target for target in re.findall(r"^- .*?\]\(([^)#]+)\)", items, re.MULTILINE) if target[-3:] == ".md"
        ]
        resolved = [(ROOT / "docs" / target).resolve().relative_to(ROOT).as_posix() for target in targets]
        sections.append((caption.partition(",")[0], resolved))
    next(pages for caption, pages in sections if caption == "Look up").extend(["docs/api/index.md", "docs/glossary.md"])
    return sections


def glossary_page() -> str:
    """Write the page with the terms of the report."""
    entries = "\n".join(
        f"{term}\n: {meaning}\n" for term, meaning in sorted(glossary().items(), key=lambda entry: entry[0].lower())
    )
    return (
        f"# Glossary\n\nThe terms of the report, each with what it means. The page of a run has the same.\n\n{entries}"
    )


def api_pages() -> dict[str, str]:
    """Write a page for each room with the names that `convscope` exports from it, and their index, by path."""
    by_room: dict[str, list[str]] = {}
    for name in (*convscope.__all__, "CNNClassifier"):  # the class is not in __all__, since it needs scikit-learn
        by_room.setdefault(_find_room(name), []).append(name)
    if missing := by_room.keys() - set(_ROOMS):
        raise SystemExit(f"docs/build_site.py: _ROOMS has no {', '.join(sorted(missing))}; put it where it belongs")
    rooms = [room for room in _ROOMS if room in by_room]
    listed = "\n".join(f"   {room}" for room in rooms)
    index = f"The Python interface\n====================\n\n{_API_INTRODUCTION}\n\n.. toctree::\n\n{listed}\n"
    return {
        "docs/api/index.rst": index,
        **{f"docs/api/{room}.rst": "\n".join(_api_page(room, by_room[room])) for room in rooms},
    }


_API_INTRODUCTION = """\
What `import convscope as cs` gives, from the docstrings. :doc:`Python <../python>` shows the same in use, and
shapes are written as there: **N** images, **H** by **W** pixels, **C** channels, **K** classes."""


def _find_room(name: str) -> str:
    value = getattr(convscope, name)
    module = value.__name__ if isinstance(value, ModuleType) else value.__module__
    return str(module).split(".")[1]


def _api_page(room: str, names: list[str]) -> Iterator[str]:
    title = room.replace("_", " ").capitalize()
    module = sys.modules[f"convscope.{room}"]
    yield from (title, "=" * len(title), "", inspect.cleandoc(module.__doc__ or "").split("\n\n")[0], "")
    for name in names:
        value = getattr(convscope, name)
        if isinstance(value, ModuleType):
            yield from _module_section(name)
        else:
            lines = ["class", "   :members:", *_exclude_inherited(value)] if inspect.isclass(value) else ["function"]
            yield from (name, "-" * len(name), "", f".. auto{lines[0]}:: convscope.{name}", *lines[1:], "")


def _exclude_inherited(value: type) -> list[str]:
    """Write the option of Sphinx that leaves out the methods that scikit-learn adds to a class."""
    added = [name for name, method in vars(value).items() if type(method).__module__.startswith("sklearn.")]
    return [f"   :exclude-members: {', '.join(added)}"] if added else []


def _module_section(name: str) -> Iterator[str]:
    """Yield the lines for a module that is exported as a whole: its own functions, and its recipes."""
    module = sys.modules[_DEFINED_IN[name]]
    yield from (name, "-" * len(name), "", inspect.cleandoc(module.__doc__ or "").split("\n\n")[0], "")
    for inner, value in vars(module).items():
        if inspect.isfunction(value) and value.__module__ == module.__name__ and not inner.startswith("_"):
            yield from (f".. autofunction:: {module.__name__}.{inner}", "")
        elif isinstance(value, convscope.Recipe):
            yield from (f".. autodata:: {module.__name__}.{inner}", "   :no-value:", "")


def _find_linked_files(page: Path, text: str) -> Iterator[Path]:
    """Yield the files of the repository that a page links to or shows, except other pages."""
    text = re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)
    for target in re.findall(r"\]\(([^)\s#]+)[^)]*\)", text):
        path = (page.parent / target).resolve()
        if "://" not in target and path.suffix != ".md" and path.is_file():
            yield path


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def _copy(source: Path, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, path)


if __name__ == "__main__":
    sys.exit(main())
