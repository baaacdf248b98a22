"""Which version this is, and what its extras install, held against pyproject.toml."""

import tomllib
from pathlib import Path

import pytest

from convscope.base.versions import install_command, own_version

PROJECT = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def test_the_version_is_that_of_the_project():
    assert own_version() == PROJECT["version"]


EXTRAS = PROJECT["optional-dependencies"].keys() - {"test", "docs"}  # what contributors install, from a checkout


@pytest.mark.parametrize("extra", sorted(EXTRAS))
def test_the_packages_of_an_extra_are_installed_by_their_names(extra: str):
    words = install_command(extra).replace('"', "").split()
    assert words[:2] == ["pip", "install"]
    assert sorted(words[2:]) == sorted(PROJECT["optional-dependencies"][extra])


def test_an_unknown_extra_is_a_mistake_of_ours():
    with pytest.raises(AssertionError, match="nothing"):
        install_command("nothing")
