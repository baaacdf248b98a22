"""Run folders from elsewhere: no command follows a link out of one, or waits for a pipe in it."""

import errno
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import convscope as cs
from convscope.base.errors import RunError
from convscope.service import load_served
from convscope.storage import list_runs, writing

from .conftest import assert_one_error, invoke, succeed

pytestmark = pytest.mark.slow


def test_figures_are_not_written_through_a_link(run: Path, tmp_path: Path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "class-balance.png").write_bytes(b"mine")
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "elsewhere").iterdir()}
    (run / "figures").symlink_to(tmp_path / "elsewhere")
    assert_one_error(
        invoke("figures", run, "class-balance"), "figures: is a symbolic link", "replace it by the file it points to"
    )
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "elsewhere").iterdir()} == before


def test_weights_whose_logits_overflow_are_one_error(run: Path):
    model = cs.load_model(run)
    huge = replace(model, weights={name: np.full_like(weight, 3e38) for name, weight in model.weights.items()})
    cs.save_model(huge, run / "model.safetensors")
    record = json.loads((run / "run.json").read_text())
    (run / "run.json").write_text(json.dumps({**record, "weights_sha256": huge.weights_sha256}))
    for words in (("evaluate", run), ("report", run, "attacks"), ("report", run, "ablation"), ("report", run)):
        assert_one_error(invoke(*words), str(run), "images are not finite", "train again with a lower learning rate")


@pytest.mark.parametrize(
    ("part", "changes", "key"),
    [
        ("job", {"index": [1]}, "$.job.index"),
        ("job", {"colour": 1}, "$.job"),
        ("dataset", {"options": {"seed": None}}, "$.dataset.options.seed"),
    ],
)
def test_a_wrong_option_of_a_run_is_one_error_with_file_and_key(run: Path, part: str, changes: dict, key: str):
    record = json.loads((run / "run.json").read_text())
    record[part] |= changes
    (run / "run.json").write_text(json.dumps(record))
    (run / "DONE").unlink()
    assert_one_error(invoke("run", "--resume", run), f"{run / 'run.json'}: {key}: ", "use another copy of it")


def test_runs_whose_data_have_different_names_are_compared_if_the_images_are_the_same(run: Path):
    record = json.loads((run / "run.json").read_text())
    record["dataset"]["name"] = "renamed"
    (run / "run.json").write_text(json.dumps(record))
    succeed("compare", run, run / "baseline", "--json")


@pytest.mark.parametrize(
    "command",
    [
        "evaluate", "export", "report", "report calibration", "report ablation", "figures", "export --format card",
        "ensemble",
    ],
)  # fmt: skip
def test_a_model_of_other_classes_than_its_run_is_one_error(run: Path, tmp_path: Path, command: str):
    model = cs.load_model(run)
    cs.save_model(replace(model, class_names=("x", "y", "z")), run / "model.safetensors")
    arguments = {
        "export": ("--format", "safetensors", "--out", tmp_path / "exported"),
        "figures": ("--out", tmp_path / "figures"),
        "ensemble": (run / "seeds" / "runs", "--out", tmp_path / "joined"),
    }
    name, *more = command.split()
    completed = invoke(name, run, *(more or arguments.get(command, ())))
    if command in ("figures", "export --format card") and completed.exit_code == 0:  # these read no model
        return
    assert_one_error(completed, "model.safetensors: not the classes of this run; use another copy")


def first_stored_run(run: Path) -> Path:
    return list_runs(run / "seeds" / "runs")[0]


def test_a_stored_run_on_a_read_only_disk_names_the_remedy(run: Path, monkeypatch: pytest.MonkeyPatch):
    mkdir = Path.mkdir

    def refuse(path: Path, *arguments: object, **options: object) -> None:
        if path.name.endswith(".partial"):
            raise OSError(errno.EROFS, "Read-only file system")
        mkdir(path, *arguments, **options)

    monkeypatch.setattr(Path, "mkdir", refuse)
    path = first_stored_run(run)
    assert_one_error(invoke("evaluate", path), "Read-only file system", f"copy the folder {run / 'seeds'} to a disk")
    assert cs.load_model(path).class_names == cs.load_model(run).class_names  # loading only reads


def test_a_stored_run_is_exported_with_the_lock(run: Path, monkeypatch: pytest.MonkeyPatch):
    locked, path = list[Path](), first_stored_run(run)

    @contextmanager
    def note(folder: Path) -> Iterator[None]:
        locked.append(folder)
        with writing(folder):
            yield

    monkeypatch.setattr("convscope.runs.jobs.writing", note)
    succeed("export", path, "--format", "safetensors")
    assert locked == [path]


def test_a_report_that_is_a_link_is_not_served(run: Path):
    (run / "report.html").unlink()
    (run / "report.html").symlink_to("/etc/passwd")
    with pytest.raises(RunError, match=r"report\.html: is a symbolic link"):
        load_served([str(run)])
    assert_one_error(invoke("serve", run), "report.html: is a symbolic link")
