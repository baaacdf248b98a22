"""The documentation against what it documents: links, paths, commands, code, keys."""

import hashlib
import json
import re
import shlex
import shutil
import sqlite3
import subprocess
import sys
import tomllib
from contextlib import closing
from importlib import import_module
from pathlib import Path
from types import ModuleType

import click
import jsonschema
import numpy as np
import pytest
from safetensors import safe_open
from tests.shared import output_schema

import convscope as cs
from convscope.cli import main
from convscope.report import figures

ROOT = Path(__file__).parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "examples").glob("*.md")])
PLANS = {"design.md", "style.md"}  # they also speak of what is not built yet
USED = [page for page in PAGES if page.name not in PLANS]


@pytest.fixture(scope="module")
def wrap() -> ModuleType:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(ROOT / "docs"))
        return import_module("wrap")


def name(page: Path) -> str:
    return str(page.relative_to(ROOT))


def blocks(page: Path) -> list[tuple[str, str]]:
    """The fenced blocks of a page, each as (language, text)."""
    return re.findall(r"^```(\w*)\n(.*?)^```$", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


# --- What is generated ------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_generated_pages_and_schemas_match_the_code():
    completed = subprocess.run(
        [sys.executable, ROOT / "docs" / "generate.py", "--check"], capture_output=True, text=True, check=False
    )
    assert completed.returncode == 0, completed.stderr


# --- Prose ------------------------------------------------------------------------------------------------------------


def test_prose_is_wrapped_at_100_characters(wrap: ModuleType):
    assert len(wrap.pages()) > 40
    for page in wrap.pages():
        text = page.read_text(encoding="utf-8")
        assert wrap.wrap(text) == text, f"run: python docs/wrap.py {name(page)}"


def test_code_tables_formulas_and_headings_are_not_wrapped(wrap: ModuleType):
    long = 30 * "word "
    kept = [f"# {long}", f"| {long} |", f"```text\n{long}\n```", f"    {long}", f"$$\n{long}\n$$", f"- `{long}`"]
    for text in kept:
        assert wrap.wrap(text).split() == text.split()
        assert len(wrap.wrap(text).splitlines()) <= len(text.splitlines()) + 1
    assert all(len(line) <= 100 for line in wrap.wrap(f"{long}\n\n- {long}").splitlines())
    # "- " or "2. " at the start of a line would begin a list; here they stand after 18 · 5 = 90 characters, at its end.
    assert not re.search(r"^(-|2\.) ", wrap.wrap(18 * "word " + "- 2. " + long), re.MULTILINE)


def test_the_readme_s_picture_is_of_today_s_page():
    lines = (ROOT / "docs" / "report.sha256").read_text(encoding="utf-8").splitlines()
    assert len(lines) == 5
    for digest, path in map(str.split, lines):
        current = hashlib.sha256((ROOT / path).read_bytes()).hexdigest()
        assert current == digest, f"{path} has changed; run `make readme-picture` and look at docs/report-light.png"


# --- Links, paths, commands -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_relative_link_leads_somewhere(page: Path):
    text = re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    for target in re.findall(r"(?:\]\(|\bsrc(?:set)?=\")([^)\s\"]+)", text):
        if "://" in target:
            continue
        path, _, anchor = target.partition("#")
        linked = page.parent / path if path else page
        assert linked.exists(), f"{target} does not exist"
        if anchor:
            headings = re.findall(r"^#+ (.*)$", linked.read_text(encoding="utf-8"), re.MULTILINE)
            anchors = {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}
            assert anchor in anchors, f"{target}: no such heading"


@pytest.mark.parametrize("page", USED, ids=name)
def test_every_path_of_the_project_that_a_page_names_exists(page: Path):
    folders = r"(?:src|tests|docs|native|examples|benchmarks|dev|\.ci)"
    for path in re.findall(rf"`({folders}/[\w./-]*)`", page.read_text(encoding="utf-8")):
        assert (ROOT / path).exists(), path


def test_every_python_file_that_the_makefile_runs_exists():
    for path in re.findall(r"(?<!\S)[\w./]+/\w+\.py\b", (ROOT / "Makefile").read_text(encoding="utf-8")):
        assert (ROOT / path).exists(), path


def file_tree(text: str) -> list[str]:
    """The paths of an indented file tree; what follows the last path of a line is its comment."""
    paths, folders = [], list[tuple[int, str]]()
    for line in text.splitlines():
        line = re.sub("[│├└─]", " ", line)
        indent = len(line) - len(line.lstrip())
        while folders and folders[-1][0] >= indent:
            folders.pop()
        parent = folders[-1][1] if folders else ""
        for word in line.split():
            if not re.fullmatch(r"[\w-]*[./][\w./-]*|Makefile|LICENSE", word):
                break
            paths.append(parent + word)
        if line.split() and line.split()[0].endswith("/"):
            folders.append((indent, parent + line.split()[0]))
    return paths


def test_a_file_tree_is_read_with_its_folders():
    tree = "src/convscope/\n  cli/  report/   one a command, e.g. run.py\n    run.py  the main job\nMakefile  all of it"
    assert file_tree(tree) == ["src/convscope/", "src/convscope/cli/", "src/convscope/report/",
                               "src/convscope/cli/run.py", "Makefile"]  # fmt: skip


def test_everything_in_the_file_tree_of_the_design_exists():
    (tree,) = [text for _, text in blocks(ROOT / "docs" / "design.md") if text.startswith("src/convscope/")]
    paths = file_tree(tree)
    assert len(paths) > 30
    for path in paths:
        assert (ROOT / path).exists(), path


def commands(page: Path) -> list[list[str]]:
    text = "\n".join(text for language, text in blocks(page) if language in ("sh", "bash", "console", ""))
    lines = [line.removeprefix("$ ").partition(" #")[0] for line in text.splitlines()]
    # A line with capitals between brackets is a usage line and not a command.
    return [shlex.split(line) for line in lines if re.match(r"(\w+=\S+ )?convscope ", line) and "[OPTIONS]" not in line]


@pytest.mark.parametrize("page", USED, ids=name)
def test_every_command_on_a_page_exists(page: Path):
    for words in commands(page):
        arguments = words[words.index("convscope") + 1 :]
        command: click.Command = main
        context = click.Context(main, info_name="convscope")
        while isinstance(command, click.Group) and arguments and arguments[0] not in ("--help", "--version"):
            child = command.get_command(context, arguments[0])
            assert child is not None, words
            command, arguments = child, arguments[1:]
        if "--help" not in arguments and "--version" not in arguments:
            command.make_context(words[0], arguments)  # raises for an unknown option or a missing argument


def test_no_page_names_a_place_on_someone_s_machine():
    for page in [*PAGES, *(ROOT / "examples").glob("*.ipynb"), ROOT / "docs" / "generate.py", ROOT / "Makefile"]:
        paths = re.findall(r"(?<![\w.~])/(?:home|root|work|tmp|Users|mnt|opt)/\S*", page.read_text(encoding="utf-8"))
        assert not paths, (page, paths)


def test_every_page_is_in_the_index():
    index = (ROOT / "docs" / "index.md").read_text(encoding="utf-8")
    for page in (ROOT / "docs").rglob("*.md"):
        path = page.relative_to(ROOT / "docs").as_posix()
        assert path == "index.md" or f"({path})" in index, path


# --- Dependencies -----------------------------------------------------------------------------------------------------


def test_every_run_time_dependency_has_its_cost_and_reason_on_the_page_about_installing():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = {re.split(r"[<>=!~\[ ]", line)[0] for line in project["dependencies"]}
    section = (ROOT / "docs" / "install.md").read_text(encoding="utf-8").partition("\n## What it installs\n")[2]
    cells = re.findall(r"^\| (`[^|]+) \|", section.partition("\n## ")[0], re.MULTILINE)
    assert {name for cell in cells for name in re.findall("`([^`]+)`", cell)} == wanted


# --- The run folder ---------------------------------------------------------------------------------------------------

FILES = ROOT / "docs" / "files.md"


def keys(page: Path, heading: str) -> list[str]:
    """The first column of the table under a heading."""
    text = page.read_text(encoding="utf-8").partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    keys_of_table = re.findall(r"^\| `([^`]+)` \|", text, re.MULTILINE)
    assert keys_of_table, heading
    return keys_of_table


@pytest.fixture(scope="module")
def finished_run(shared_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return Path(shutil.copytree(shared_run, tmp_path_factory.mktemp("documented") / "run"))


def test_every_file_of_a_run_is_documented_and_there(finished_run: Path):
    tree = next(text for _, text in blocks(FILES) if "run.json" in text)
    assert {line.split()[0].rstrip("/") for line in tree.splitlines()} == {path.name for path in finished_run.iterdir()}
    checkpoints = {path.name for path in (finished_run / "checkpoints").iterdir()}
    assert checkpoints > {"step-000001.safetensors", "state.safetensors"}
    assert {name for name in checkpoints if "epoch" in name} == {f"epoch-{epoch:04}.safetensors" for epoch in range(3)}


def test_the_keys_of_a_run_are_those_documented(finished_run: Path):
    assert list(json.loads((finished_run / "run.json").read_text())) == keys(FILES, "run.json")


NO_RESULTS = {"run.json", "explanation.json", "timings.json"}  # of these the page says more or less than a definition


@pytest.mark.slow
def test_every_result_has_a_table_row_with_its_definition(measured_run: Path):
    section = FILES.read_text(encoding="utf-8").partition("\n## Results\n")[2].partition("\n## ")[0]
    table = dict(re.findall(r"^\| `(\S+\.json)` \| .* \| `(\w+)` \|", section, re.MULTILINE))
    assert table.keys() == {path.name for path in measured_run.glob("*.json")} - NO_RESULTS | {"exports.json"}
    definitions = output_schema()["$defs"]
    assert definitions.keys() >= {*table.values()}
    for file in table.keys() - {"exports.json"}:
        record = json.loads((measured_run / file).read_text())
        jsonschema.Draft202012Validator({"$ref": f"#/$defs/{table[file]}", "$defs": definitions}).validate(record)


@pytest.mark.slow
def test_the_calibration_in_a_model_is_documented(measured_run: Path):
    section = FILES.read_text(encoding="utf-8").partition("\n## model.safetensors\n")[2].partition("\n## ")[0]
    assert all(f"`{key}`" in section for key in cs.load_model(measured_run).calibration)


def test_the_keys_of_a_line_of_the_history_are_those_documented(finished_run: Path):
    lines = (finished_run / "history.jsonl").read_text().splitlines()
    assert [list(json.loads(line)) for line in lines] == 2 * [keys(FILES, "history.jsonl")]


def test_the_metadata_of_a_model_is_that_documented(finished_run: Path):
    with safe_open(finished_run / "model.safetensors", framework="numpy") as file:
        assert list(file.metadata()) == ["convscope"]
        assert list(json.loads(file.metadata()["convscope"])) == keys(FILES, "model.safetensors")


def test_the_files_of_stored_runs_are_those_documented(finished_run: Path):
    runs = finished_run / "seeds" / "runs"
    with closing(sqlite3.connect(runs / "runs.db")) as database:
        columns = [
            f"{table}.{row[1]}"
            for (table,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
            for row in database.execute(f"PRAGMA table_info({table})")
        ]
        groups = [json.loads(record) for (record,) in database.execute("SELECT record FROM grp")]
    assert columns == keys(FILES, "runs.db")
    section = FILES.read_text(encoding="utf-8").partition("\n## runs.db\n")[2].partition("\n## ")[0]
    assert all(f"`{key}`" in section for group in groups for key in group)
    tree = section.partition("```text\n")[2].partition("```")[0]
    names = {line.split()[0].rpartition("/")[0] or line.split()[0] for line in tree.splitlines()}
    assert names == {path.name for path in runs.iterdir()}


def test_the_arrays_of_the_predictions_are_those_documented(finished_run: Path):
    with np.load(finished_run / "predictions.npz") as arrays:
        assert list(arrays) == keys(FILES, "predictions.npz")
        assert (str(arrays["y_true"].dtype), str(arrays["y_prob"].dtype)) == ("int64", "float32")


@pytest.mark.slow
def test_every_figure_is_documented(finished_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(figures, "figure_bytes", lambda *_: b"")  # only the names are read
    layers = "conv2d_1|max_pooling2d_1|conv2d|max_pooling2d"
    paths = cs.open_run(finished_run).figures(dpi=18, out=tmp_path)
    names = {re.sub(f"-({layers})", "-LAYER", path.stem) for path in paths}
    assert names == set(keys(FILES, "figures/"))
