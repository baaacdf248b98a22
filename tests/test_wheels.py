"""The facts about wheels agree in the project's settings, in wheels/build_wheels.py and in the documentation."""

import importlib.util
import re
import sys
import tomllib
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parent.parent
SETTINGS = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def build_wheels() -> ModuleType:
    spec = importlib.util.spec_from_file_location("build_wheels", ROOT / "wheels" / "build_wheels.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # a dataclass looks its module up
    spec.loader.exec_module(module)
    return module


def test_the_versions_of_python_equal_those_of_the_workflow():
    declared = re.findall(r"Python :: (3\.\d+)", "\n".join(SETTINGS["project"]["classifiers"]))
    assert SETTINGS["tool"]["cibuildwheel"]["build"] == [f"cp{version.replace('.', '')}-*" for version in declared]


def test_a_tag_promises_the_system_that_zig_compiles_for(build_wheels: ModuleType):
    for target in build_wheels.TARGETS:
        promised = ".".join(re.findall(r"_(\d+)(?=_)", target.tag))
        compiled = re.search(r"gnu\.([\d.]+)$", target.zig)
        assert target.tag.startswith("musl") or (compiled is not None and compiled[1] == promised)
        assert target.zig.split("-")[0] == target.processor
        assert target.tag.endswith(target.processor)


def test_the_page_about_installing_names_every_platform(build_wheels: ModuleType):
    page = (ROOT / "docs" / "install.md").read_text(encoding="utf-8")
    assert [target.tag for target in build_wheels.TARGETS if f"`{target.tag}`" not in page] == []


def test_the_build_tools_of_the_wheels_are_pinned():
    lines = (ROOT / "wheels" / "requirements.txt").read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if not re.fullmatch(r"#.*|[\w-]+(\[[\w-]+\])?==[\d.]+", line)] == []
