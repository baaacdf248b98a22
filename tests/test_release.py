"""`.ci/release.py`, which checks what a release needs, and the files that hosts of code and documentation read."""

import re
import runpy
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]
SCRIPT = ROOT / ".ci" / "release.py"
CHANGELOG = "# Changelog\n\n## [Unreleased]\n\n## [1.2.3] - 2026-01-31\n\n### Added\n\n- All.\n"
PYTHONS = ("cp311-cp311", "cp312-abi3")
PLATFORMS = (
    "manylinux2014_x86_64.manylinux_2_17_x86_64", "manylinux2014_aarch64.manylinux_2_17_aarch64",
    "musllinux_1_2_x86_64", "musllinux_1_2_aarch64",
)  # fmt: skip
HOSTED = [
    *ROOT.glob(".github/**/*.yml"), ROOT / ".readthedocs.yaml", ROOT / "CITATION.cff", ROOT / ".pre-commit-config.yaml",
]  # fmt: skip


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout that is ready to be released as 1.2.3."""
    files = {
        "pyproject.toml": '[project]\nname = "convscope"\nversion = "1.2.3"\n',
        "CITATION.cff": "cff-version: 1.2.0\nversion: 1.2.3\ndate-released: 2026-01-31\n",
        "CHANGELOG.md": CHANGELOG,
        "tests/storage/corpus/1.2.3.zip": "",
        ".gitignore": "build/\ndist/\n",
        "build/docs/index.html": "",
        "build/convscope-1.2.3.cdx.json": "",
        "dist/convscope-1.2.3.tar.gz": "",
        **{f"dist/convscope-1.2.3-{python}-{platform}.whl": "" for python in PYTHONS for platform in PLATFORMS},
    }
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    git(tmp_path, "init", "--quiet")
    commit(tmp_path)
    return tmp_path


def git(folder: Path, *words: str) -> None:
    who = ("-c", "user.name=A", "-c", "user.email=a@b.c", "-c", "commit.gpgsign=false", "-c", "tag.gpgsign=false")
    subprocess.run(["git", *who, *words], cwd=folder, check=True, capture_output=True)


def commit(folder: Path) -> None:
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--allow-empty", "--message", "All")


def run_release(folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, SCRIPT, folder], capture_output=True, text=True, check=False)


def test_a_checkout_that_is_ready_gets_the_words_to_tag(checkout: Path):
    completed = run_release(checkout)
    assert (completed.returncode, completed.stderr) == (0, "")
    assert completed.stdout.startswith("Ready.")
    assert "  git tag --annotate v1.2.3 --message 1.2.3" in completed.stdout.splitlines()
    tags = subprocess.run(["git", "tag"], cwd=checkout, capture_output=True, text=True, check=True)
    assert tags.stdout == ""


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("pyproject.toml", '[project]\nname = "convscope"\nversion = "1.3"\n', "1.3 is not MAJOR.MINOR.PATCH"),
        ("CITATION.cff", "version: 1.2.2\ndate-released: 2026-01-31\n", "version is 1.2.2, but 1.2.3 in pyproject"),
        ("CHANGELOG.md", CHANGELOG.replace("1.2.3", "1.2.2"), "has no line '## [1.2.3] - YYYY-MM-DD'"),
        ("CHANGELOG.md", CHANGELOG.replace("## [Unreleased]\n", ""), "has no section Unreleased"),
        ("build/convscope-1.2.3.cdx.json", None, "build/convscope-1.2.3.cdx.json: missing; run `make wheels`"),
        ("tests/storage/corpus/1.2.3.zip", None, "tests/storage/corpus/1.2.3.zip: missing"),
        ("build/docs/index.html", None, "run `make docs`"),
        ("dist/convscope-1.2.3.tar.gz", None, "has no sdist"),
        (f"dist/convscope-1.2.3-cp312-abi3-{PLATFORMS[2]}.whl", None, "wheels of cp312 for musllinux_1_2_x86_64;"),
        ("dist/convscope-1.2.2-cp312-abi3-win_amd64.whl", "", "is not of convscope 1.2.3"),
        ("dist/notes.txt", "", "is neither a wheel nor an sdist"),
    ],
)
def test_missing_and_contradictory_parts_are_named(checkout: Path, file: str, content: str | None, message: str):
    if content is None:
        (checkout / file).unlink()
    else:
        (checkout / file).write_text(content)
    commit(checkout)
    completed = run_release(checkout)
    assert completed.returncode == 1
    assert message in completed.stdout


def test_uncommitted_changes_and_an_existing_tag_are_named(checkout: Path):
    git(checkout, "tag", "v1.2.3")
    (checkout / "new.txt").write_text("")
    lines = list(runpy.run_path(str(SCRIPT))["find_problems"](checkout))
    assert [line.partition(",")[0].partition(";")[0] for line in lines] == [
        "the checkout has 1 changes that are not committed",
        "the tag v1.2.3 is there already",
    ]


@pytest.mark.parametrize("path", HOSTED, ids=lambda path: path.name)
def test_the_files_for_hosts_are_yaml(path: Path):
    assert isinstance(yaml.safe_load(path.read_text(encoding="utf-8")), dict)


def test_the_citation_is_of_this_version_and_has_what_its_format_requires():
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert {"cff-version", "message", "title", "authors"} <= cited.keys()
    fields = (cited["title"], str(cited["version"]), cited["license"])
    assert fields == (project["name"], project["version"], project["license"])
    assert " ".join(cited["abstract"].split()).rstrip(".") == project["description"]


def test_the_changelog_begins_with_what_is_unreleased_and_has_the_sections_of_its_form():
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    titles = re.findall(r"^## (.*)$", text, re.MULTILINE)
    assert titles[0] == "[Unreleased]"
    assert all(re.fullmatch(r"\[\d+\.\d+\.\d+\] - \d{4}-\d\d-\d\d", title) for title in titles[1:])
    sections = set(re.findall(r"^### (.*)$", text, re.MULTILINE))
    assert sections <= {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}


def test_the_hosted_tests_run_existing_targets():
    jobs = yaml.safe_load((ROOT / ".github/workflows/tests.yml").read_text(encoding="utf-8"))["jobs"]
    steps = set(re.findall(r"^(?:step|  nice make) ([\w-]+)", (ROOT / ".ci/run").read_text(), re.MULTILINE))
    assert set(jobs["step"]["strategy"]["matrix"]["target"]) == steps
    assert steps <= set(re.findall(r"^([\w-]+):.*##", (ROOT / "Makefile").read_text(), re.MULTILINE))
    supported = re.findall(r"Python :: (3\.\d+)", (ROOT / "pyproject.toml").read_text())
    assert jobs["python"]["strategy"]["matrix"]["python"] == supported
