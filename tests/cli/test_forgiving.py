"""Errors after typos, wrong paths and unfinished runs: each names the next step."""

import errno
import json
import os
import shlex
import shutil
from pathlib import Path

import numpy as np
import pytest

from convscope.base.png import encode_png
from convscope.storage.writing import LOCK_FILE

from .conftest import invoke, run_fails, succeed

pytestmark = pytest.mark.usefixtures("empty_reports")


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (("trian",), "did you mean 'train'?"),
        (("run", "--epoch", 1), "--epochs"),
        (("run", "--engine", "natve"), "did you mean 'native'?"),
        (("report", "RUN", "calibratoin"), "did you mean 'calibration'?"),
        (("summary", "lenet"), "did you mean 'lenet5'?"),
        (("train", "--dataset", "mnits"), "did you mean 'mnist'?"),
        (("data", "info", "medmnist:bloodmist"), "did you mean 'medmnist:bloodmnist'?"),
    ],
)
def test_a_typo_is_answered_with_the_name_that_was_meant(words: tuple[object, ...], hint: str):
    completed = invoke(*words)
    assert completed.exit_code in (1, 2)
    assert hint in completed.stderr


@pytest.mark.parametrize(
    "words",
    [
        ("summary", "no/net.json"),
        ("train", "--architecture", "net.json"),
        ("train", "--recipe", "no/recipe.json"),
        ("train", "--dataset", "no/folder"),
        ("predict", "no/run", "a.png"),
        ("log", "no/run", "--to", "tensorboard:logs"),
    ],
)
def test_a_missing_file_is_called_missing(words: tuple[str, ...]):
    error = run_fails(*words)
    assert ": no such f" in error  # file, file or folder, folder
    assert "check the path" in error


@pytest.fixture
def unfinished(shared_run: Path, tmp_path: Path) -> Path:
    """A run whose training was interrupted, in a folder with a space in its name."""
    folder = tmp_path / "my runs" / "first"
    folder.mkdir(parents=True)
    shutil.copy(shared_run / "run.json", folder)
    return folder


@pytest.mark.parametrize(
    "words",
    [
        ("evaluate", "{}"),
        ("predict", "{}", "a.png"),
        ("report", "{}"),
        ("compare", "{}", "{}"),
        ("export", "{}", "--format", "onnx"),
    ],
)
def test_an_unfinished_run_is_named_with_the_command_to_continue(unfinished: Path, words: tuple[str, ...]):
    error = run_fails(*(word.format(unfinished) for word in words))
    command = shlex.join(["convscope", "run", "--resume", str(unfinished)])
    assert "'" in command, "a path with a space is quoted"
    assert error.rstrip().endswith(f"; to continue it, run: {command}")


def test_only_a_run_is_offered_for_resume(small_folder: Path, shared_run: Path, tmp_path: Path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").write_text("dear")
    arguments = ("train", "--dataset", small_folder, "--architecture", "ann", "--epochs", 1, "--out")
    completed = invoke(*arguments, tmp_path / "mine")
    assert completed.stderr.endswith("mine: already exists and is not empty; choose another --out\n")
    assert f"or continue it with --resume {shared_run}" in invoke(*arguments, shared_run).stderr
    assert "mine/run.json: missing, so the folder is not a run" in invoke("run", "--resume", tmp_path / "mine").stderr


def test_options_change_recipe_and_width_and_the_recorded_command_repeats_them(small_folder: Path, tmp_path: Path):
    first, again = tmp_path / "first", tmp_path / "again"
    arguments = ("train", "--dataset", small_folder, "--recipe", "fast", "--json")
    changed = ("--lr", 0.004, "--batch-size", 50, "--width", 0.25, "--architecture", "small")
    succeed(*arguments, *changed, "--out", first)
    record = json.loads((first / "run.json").read_text())
    assert (record["recipe"]["optimizer"]["learning_rate"], record["recipe"]["batch_size"]) == (0.004, 50)
    assert record["architecture"]["name"] == "small-x0.25"
    assert record["architecture"]["layers"][0]["filters"] == 2
    assert "--lr 0.004 --batch-size 50" in record["command"]
    succeed(*shlex.split(record["command"])[1:], "--out", again)
    assert json.loads((again / "run.json").read_text())["weights_sha256"] == record["weights_sha256"]


def test_the_json_of_summary_is_an_architecture_for_every_command(small_folder: Path, tmp_path: Path):
    file = tmp_path / "a net.json"
    file.write_text(invoke("summary", "small", "--width", 0.5, "--json").stdout)
    common = ("--dataset", small_folder, "--architecture", file)
    assert "small-x0.5" in invoke("summary", file).stdout
    succeed("train", *common, "--epochs", 1, "--out", tmp_path / "run", "--json")
    printed = succeed("experiment", *common, "--epochs", 1, "--seeds", 1, "--out", tmp_path / "runs", "--json")
    assert printed["runs"][0]["architecture"] == "small-x0.5"


def test_faults_of_a_folder_of_pictures_are_named(tmp_path: Path):
    folder = tmp_path / "pictures"
    for name, count in (("cat", 3), ("dog", 1), ("owl", 2)):
        (folder / name).mkdir(parents=True)
        for number in range(count):
            (folder / name / f"{number}.png").write_bytes(encode_png(np.full((8, 8), 40 * number, np.uint8)))
    (folder / "cat" / "3.png").write_bytes(b"damaged")
    arguments = ("train", "--dataset", folder, "--architecture", "ann", "--epochs", 30, "--batch-size", 1, "--out")
    error = run_fails(*arguments, tmp_path / "refused")
    assert "3.png: " in error
    assert "leave it out with --skip-damaged" in error
    assert "leave it out with --skip-damaged" in run_fails("data", "info", folder)
    printed = succeed(*arguments, tmp_path / "run", "--skip-damaged", "--json")
    assert printed["warnings"] == ["class 'dog' has one image: add some or drop it", "1 damaged picture was left out"]
    assert "--skip-damaged" in json.loads((tmp_path / "run" / "run.json").read_text())["command"]
    assert "1 damaged picture was left out." in invoke("data", "info", folder, "--skip-damaged").stdout
    succeed("export", tmp_path / "run", "--format", "card")
    (row,) = [line for line in (tmp_path / "run" / "README.md").read_text().splitlines() if "left out" in line]
    assert row.split("|")[1:3] == [" damaged pictures, left out ", " 1 "]  # not counted once for each split
    for name in ("dog", "owl"):
        shutil.rmtree(folder / name)
    error = run_fails(*arguments, tmp_path / "one", "--skip-damaged")
    assert "holds one class only, 'cat'; add images of at least one other class" in error


def test_a_report_in_a_folder_that_cannot_be_written_says_what_to_do(shared_run: Path, monkeypatch: pytest.MonkeyPatch):
    real_open = os.open

    def open_all_but_the_lock(path: object, *arguments: int) -> int:
        if str(path).endswith(LOCK_FILE):
            raise OSError(errno.EROFS, "Read-only file system")
        return real_open(path, *arguments)

    monkeypatch.setattr(os, "open", open_all_but_the_lock)
    completed = invoke("report", shared_run)
    assert completed.stderr == (
        f"Error: {shared_run}: cannot be written to (Read-only file system); make it writable, or use a copy in "
        "another folder\n"
    )
