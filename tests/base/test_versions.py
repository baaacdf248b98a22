"""The commands that install an extra, compared with pyproject.toml and the page on installing."""

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from convscope.base.versions import install_command

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


EXTRAS = PROJECT["optional-dependencies"].keys() - {"test", "docs"}  # what contributors install, from a checkout


@pytest.mark.parametrize("extra", sorted(EXTRAS))
def test_the_packages_of_an_extra_are_installed_by_their_names(extra: str):
    words = install_command(extra).replace('"', "").split()
    assert words[:2] == ["pip", "install"]
    assert {Requirement(word) for word in words[2:]} == set(map(Requirement, PROJECT["optional-dependencies"][extra]))


@pytest.mark.parametrize("extra", sorted(EXTRAS))
def test_the_page_on_installing_has_the_command(extra: str):
    page = (ROOT / "docs" / "install.md").read_text(encoding="utf-8")
    (row,) = [line for line in page.splitlines() if line.startswith(f"| `{extra}` |")]
    assert row.endswith(f"| `{install_command(extra)}` |")


def test_no_page_advises_to_install_convscope_from_an_index():
    """`pip install 'convscope[...]'` works only once convscope is published on PyPI."""
    pages = [*(ROOT / "docs").rglob("*.md"), *(ROOT / "src").rglob("*.py"), *(ROOT / "examples").glob("*.ipynb")]
    pages += [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "web" / "src").rglob("*.json")]
    advises = re.compile(r"pip install[^\n`]*[ \"']convscope(\[|[ \"'`=<>.]|$)|[ \"'`]convscope\[\w", re.MULTILINE)
    assert len(pages) > 500
    assert [str(page) for page in pages if advises.search(page.read_text(encoding="utf-8"))] == []


def test_an_unknown_extra_fails_an_assertion():
    with pytest.raises(AssertionError, match="nothing"):
        install_command("nothing")
