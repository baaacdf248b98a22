"""The sources of the documentation site are complete; the build checks links and names (see docs/build_site.py)."""

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest

import convscope as cs
from convscope.texts import glossary

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def site() -> ModuleType:
    spec = importlib.util.spec_from_file_location("build_site", ROOT / "docs" / "build_site.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def source(site: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site") / "source"
    site.write_source(folder)
    return folder


def test_every_exported_name_is_on_one_page_of_the_interface(site: ModuleType):
    text = "\n".join(site.api_pages().values())
    shown = re.findall(r"^\.\. auto(?:class|function):: convscope\.(\w+)$", text, re.MULTILINE)
    modules = {"presets", "recipes"}
    assert sorted(shown) == sorted((set(cs.__all__) | {"CNNClassifier"}) - modules)
    recipes = re.findall(r"^\.\. autodata:: convscope\.recipes\.presets\.(\w+)$", text, re.MULTILINE)
    assert recipes == list(cs.recipes.RECIPES)
    functions = re.findall(r"^\.\. autofunction:: convscope\.architecture\.presets\.(\w+)$", text, re.MULTILINE)
    assert set(cs.presets.PRESETS) <= set(functions)


def test_every_page_of_the_interface_is_listed(site: ModuleType):
    pages = site.api_pages()
    rooms = {Path(path).stem for path in pages} - {"index"}
    assert set(pages["docs/api/index.rst"].split(".. toctree::")[1].split()) == rooms


def test_the_glossary_holds_every_term_of_the_report(source: Path):
    entries = dict(re.findall(r"^(\S.*)\n: (.*)$", (source / "docs" / "glossary.md").read_text(), re.MULTILINE))
    assert entries == glossary()


def test_every_page_of_the_index_is_in_the_contents_once(site: ModuleType):
    listed = [path for _, paths in site.contents() for path in paths]
    links = re.findall(r"^- \[.*?\]\(([^)#]+\.md)\)", (ROOT / "docs" / "index.md").read_text(), re.MULTILINE)
    expected = [(ROOT / "docs" / link).resolve().relative_to(ROOT).as_posix() for link in links]
    assert sorted(listed) == sorted([*expected, "docs/api/index.md", "docs/glossary.md"])


def test_linked_files_are_copied_to_the_site(source: Path):
    links = 0
    for page in source.rglob("*.md"):
        text = re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
        for target in re.findall(r"\]\(([^)\s#]+)[^)]*\)", text):
            if "://" not in target:
                links += 1
                assert (page.parent / target).exists(), (page.name, target)
    assert links > 50


@pytest.mark.parametrize("page", sorted((ROOT / "docs" / "methods").glob("*.md")), ids=lambda page: page.stem)
def test_a_page_on_a_method_has_a_formula_a_source_and_limits(page: Path):
    text = page.read_text(encoding="utf-8")
    assert re.search(r"^#{2,3} Limits$", text, re.MULTILINE)
    assert re.search(r"[A-Z]\w+ (?:and \w+ |and others )?(?:1[89]|20)\d\d", text), "no author with a year"
    assert re.search(r"\$[^$]+\$", text), "no formula"


def test_the_start_page_links_to_the_live_pages(site: ModuleType):
    assert re.findall(r'href="live/(\w+)\.html', site.start_page()) == ["report", "report", "playground"]
