"""The parameters, epochs and results of a run that a tracker receives."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

import convscope as cs
from convscope.base.errors import RunError
from convscope.recipes import Schedule
from convscope.runs.tracking import read_results, read_run
from convscope.storage import open_run

from .conftest import succeed


@pytest.fixture
def run(trained: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(trained, tmp_path / "mine"))


def test_the_parameters_describe_the_run(run: Path):
    parameters, record = read_run(run).parameters, json.loads((run / "run.json").read_text())
    assert parameters["architecture.parameters"] == cs.load_model(run).architecture.parameters
    assert parameters["recipe.optimizer.learning_rate"] == record["recipe"]["optimizer"]["learning_rate"]
    assert parameters["recipe.clip_norm"] == "none"
    assert parameters["dataset.train.sha256"] == record["dataset"]["train"]["sha256"]
    assert (parameters["seed"], parameters["engine"]) == (0, "native")
    assert parameters["versions.convscope"] == record["versions"]["convscope"]
    layers = [value for name, value in parameters.items() if name.startswith("architecture.layers.")]
    assert [line.split(":")[0] for line in layers] == [layer["name"] for layer in record["architecture"]["layers"]]


def test_each_epoch_has_its_row_of_the_history_and_the_learning_rate_of_its_last_step(run: Path):
    tracked, history = read_run(run), open_run(run).load_history()
    rates = open_run(run).recipe.learning_rates(300)
    assert [epoch.number for epoch in tracked.epochs] == [1, 2]
    for epoch, row, rate in zip(tracked.epochs, history.rows(), rates, strict=True):
        assert epoch.metrics == {**{k: v for k, v in row.items() if k != "epoch"}, "learning_rate": float(rate[-1])}
    times = [tracked.started_seconds, *(epoch.time_seconds for epoch in tracked.epochs)]
    assert times == sorted(times)


def test_the_learning_rates_count_only_training_images(tiny_folder: Path, tmp_path: Path):
    recipe = tmp_path / "recipe.json"
    settings = cs.Recipe(epochs=3, batch_size=50, validation_fraction=0.35, schedule=Schedule("linear"))
    recipe.write_text(json.dumps(settings.to_dict()))
    out = tmp_path / "run"
    options = ("--dataset", tiny_folder, "--architecture", "ann", "--recipe", recipe, "--out", out)
    succeed("train", *options)
    expected = settings.learning_rates(300 - 3 * 35)[:, -1]  # 35 images of each class are held out
    rates = [epoch.metrics["learning_rate"] for epoch in read_run(out).epochs]
    assert np.array_equal(np.float32(rates), expected)


def test_the_results_equal_the_evaluation(run: Path):
    results, evaluation = read_results(run), json.loads((run / "evaluation.json").read_text())
    assert results.is_finished
    assert results.metrics["test/accuracy"] == evaluation["accuracy"]
    bounds = [results.metrics["test/accuracy_low"], results.metrics["test/accuracy_high"]]
    assert bounds == evaluation["accuracy_interval"]
    assert results.tags["weights_sha256"] == cs.load_model(run).weights_sha256
    assert {"model.safetensors", "evaluation.json", "history.jsonl", "run.json"} <= set(results.files)


def test_a_run_keeps_its_id_when_it_is_moved(run: Path):
    first = read_run(run)
    moved = run.rename(run.with_name("elsewhere"))
    assert read_run(moved).id == first.id
    assert read_run(moved).segments == (f"elsewhere-{first.id[:8]}",)


def test_baseline_and_seeds_belong_to_their_run(run: Path, trained: Path):
    shutil.copytree(trained, run / "baseline")
    seed_folder = Path(shutil.copytree(trained, run / "seeds" / "runs" / "0123456789abcdef"))
    record = json.loads((seed_folder / "run.json").read_text()) | {"digest": seed_folder.name}
    (seed_folder / "run.json").write_text(json.dumps(record))
    assert read_results(run).children == (run / "baseline", run / "seeds" / "runs" / "0123456789abcdef")
    baseline, seed = map(read_run, read_results(run).children)
    assert baseline.parent == seed.parent == run
    assert baseline.segments == (*read_run(run).segments, "baseline")
    assert seed.segments == (*read_run(run).segments, f"ann-classic-seed-0-{seed.id[:8]}")


def test_a_hostile_name_stays_inside_the_trackers_folder(run: Path):
    record = json.loads((run / "run.json").read_text())
    record["architecture"]["name"], record["digest"] = "../../else/where", "0123456789abcdef"
    (run / "run.json").write_text(json.dumps(record))
    tracked = read_run(run)
    assert tracked.segments == (run.parent.parent.name, f".._.._else_where-classic-seed-0-{tracked.id[:8]}")


def test_links_and_foreign_files_are_not_logged(run: Path, tmp_path: Path):
    secret = tmp_path / "secret.json"
    secret.write_text("{}")
    (run / "link.json").symlink_to(secret)
    (run / "figures").symlink_to(tmp_path)
    (run / "notes.txt").write_text("mine")
    assert not {"link.json", "notes.txt", "tracking.json"} & set(read_results(run).files)
    assert not [name for name in read_results(run).files if name.startswith("figures/")]


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("tracking.json", "{}"),
        ("tracking.json", '{"id": "../../elsewhere", "started_seconds": 1}'),
        ("tracking.json", '{"id": "0123456789abcdef0123456789abcdef", "started_seconds": 1e300}'),
        ("tracking.json", '{"id": 7}'),
        ("tracking.json", "[" * 100_000),
        ("history.jsonl", '{"epoch": 1}\n'),
    ],
)
def test_a_damaged_file_is_named(run: Path, file: str, content: str):
    (run / file).write_text(content)
    with pytest.raises(RunError, match=file):
        read_run(run)
