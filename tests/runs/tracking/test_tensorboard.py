"""Runs that are logged to TensorBoard, read back with TensorBoard's own reader."""

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from tensorboard.backend.event_processing import event_accumulator as accumulator
from tensorboard.plugins.hparams import metadata

import convscope as cs
from convscope.cli.progress import JobProgress
from convscope.runs import page
from convscope.storage import open_run

from .conftest import invoke, succeed

pytestmark = pytest.mark.slow


def load_events(folder: Path):
    all_events = dict.fromkeys(accumulator.DEFAULT_SIZE_GUIDANCE, 0)  # 0 is no limit
    return accumulator.EventAccumulator(str(folder), size_guidance=all_events).Reload()


def read_logs(logs: Path) -> dict:
    """Read all values by (run, tag, step), each with its time; pictures and texts as bytes."""
    series = {}
    for file in sorted(logs.rglob("events.out.tfevents.*")):
        events = load_events(file.parent)
        for tag in events.Tags()["tensors"]:
            for event in events.Tensors(tag):
                value = tuple(event.tensor_proto.string_val) or tuple(event.tensor_proto.float_val)
                key = (file.parent.relative_to(logs).as_posix(), tag, event.step)
                assert key not in series, "twice"
                series[key] = (value, event.wall_time)
    return series


@pytest.fixture(scope="module")
def logged(tiny_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A run with baseline and two seeds, and the directory to which it was logged."""
    folder = tmp_path_factory.mktemp("logged")
    options = ("--dataset", tiny_folder, "--epochs", 2, "--seeds", 2, "--out", folder / "run")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(page, "list_quick_topics", lambda _: ())  # they take longest, and their files are logged alike
        completed = invoke("run", *options)
    assert completed.exit_code == 0, completed.output
    succeed("log", folder / "run", "--to", f"tensorboard:{folder / 'logs'}")
    return folder / "run", folder / "logs"


def test_a_run_its_baseline_and_a_further_seed_of_each_are_logged(logged: tuple[Path, Path]):
    assert len({folder for folder, _, _ in read_logs(logged[1])}) == 4


def test_logging_again_duplicates_nothing(logged: tuple[Path, Path], tmp_path: Path):
    run, logs = logged
    shutil.copytree(logs, tmp_path / "logs")
    before = read_logs(tmp_path / "logs")
    succeed("log", run, run, "--to", f"tensorboard:{tmp_path / 'logs'}")
    assert read_logs(tmp_path / "logs") == before


def test_the_scalars_equal_the_history_of_the_run(logged: tuple[Path, Path]):
    run, logs = logged
    folder = next(path for path in logs.iterdir())
    events, rows = load_events(folder), open_run(run).load_history().rows()
    for name in ("loss", "accuracy", "val_loss", "val_accuracy", "seconds"):
        logged_values = [(event.step, event.tensor_proto.float_val[0]) for event in events.Tensors(name)]
        assert logged_values == [(row["epoch"], np.float32(row[name])) for row in rows]
    evaluation = json.loads((run / "evaluation.json").read_text())
    (last,) = events.Tensors("test/accuracy")
    assert (last.step, last.tensor_proto.float_val[0]) == (2, np.float32(evaluation["accuracy"]))


def test_the_tab_of_hyper_parameters_has_each_run(logged: tuple[Path, Path]):
    _, logs = logged
    groups = set()
    for file in logs.rglob("events.out.tfevents.*"):
        plugin = load_events(file.parent).PluginTagToContent(metadata.PLUGIN_NAME)
        start = metadata.parse_session_start_info_plugin_data(plugin[metadata.SESSION_START_INFO_TAG])
        end = metadata.parse_session_end_info_plugin_data(plugin[metadata.SESSION_END_INFO_TAG])
        assert start.hparams["recipe.optimizer.learning_rate"].number_value == 0.001
        assert start.hparams["architecture.name"].string_value in ("cnn", "ann")
        assert end.status == 1  # STATUS_SUCCESS
        groups.add(start.group_name)
    assert len(groups) == 4


def test_an_interrupted_run_is_continued_in_the_same_logs(
    tiny_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    out, to = tmp_path / "run", f"tensorboard:{tmp_path / 'logs'}"
    on_epoch = JobProgress.on_epoch

    def interrupt(self: JobProgress, state: cs.TrainingState) -> None:
        on_epoch(self, state)
        if len(state.history) == 2:
            raise KeyboardInterrupt

    options = ("--dataset", tiny_folder, "--architecture", "ann", "--epochs", 4)
    with monkeypatch.context() as patch:
        patch.setattr(JobProgress, "on_epoch", interrupt)
        stopped = invoke("train", *options, "--out", out)
    assert stopped.exit_code == 1
    succeed("log", out, "--to", to)
    steps = [step for _, tag, step in read_logs(tmp_path / "logs") if tag == "loss"]
    assert sorted(steps) == [1, 2]
    succeed("train", "--resume", out)
    succeed("log", out, "--to", to)
    assert len(list((tmp_path / "logs").iterdir())) == 1
    succeed("log", out, "--to", f"tensorboard:{tmp_path / 'later'}")
    assert read_logs(tmp_path / "logs") == read_logs(tmp_path / "later")
    assert sorted(step for _, tag, step in read_logs(tmp_path / "logs") if tag == "loss") == [1, 2, 3, 4]


def test_names_are_text_and_never_markup(trained: Path, tmp_path: Path):
    run = Path(shutil.copytree(trained, tmp_path / "run"))
    record = json.loads((run / "run.json").read_text())
    record["dataset"]["name"] = "a | b <script> [x](y) **z**\nnew"
    (run / "run.json").write_text(json.dumps(record))
    succeed("log", run, "--to", f"tensorboard:{tmp_path / 'logs'}")
    (event,) = load_events(next((tmp_path / "logs").iterdir())).Tensors("run")
    (table,) = (text.decode() for text in event.tensor_proto.string_val)
    assert "a \\| b \\<script\\> \\[x\\]\\(y\\) \\*\\*z\\*\\* new" in table
    bars = [len(re.findall(r"(?<!\\)\|", line)) for line in table.splitlines()]  # those that no backslash escapes
    assert set(bars) == {3}  # of two columns: left, between and right


def test_the_runs_of_an_experiment_are_logged_each(tiny_folder: Path, tmp_path: Path):
    options = ("--dataset", tiny_folder, "--architecture", "ann", "--epochs", 2, "--seeds", 2)
    out, to = tmp_path / "ours", f"tensorboard:{tmp_path / 'logs'}"
    succeed("experiment", *options, "--out", out)
    succeed("log", out, "--to", to)
    first = read_logs(tmp_path / "logs")
    names = {path.rpartition("-")[0] for path, _, _ in first}
    assert names == {"ours/ann-classic-seed-0", "ours/ann-classic-seed-1"}
    succeed("log", out, "--to", to)
    assert read_logs(tmp_path / "logs") == first
