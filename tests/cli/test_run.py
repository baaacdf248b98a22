"""`convscope run`: its files and JSON, early stopping, resuming, and bad recipes and calls."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.shared import bare_reports

import convscope as cs
from convscope.storage.state_file import load_state, save_state

from .conftest import invoke, run_fails, succeed

pytestmark = pytest.mark.usefixtures("empty_reports")


def test_run_leaves_every_file_of_its_contract(run_folder):
    out, _ = run_folder
    for name in (
        "run.json", "history.jsonl", "model.safetensors", "checkpoints/state.safetensors",
        "checkpoints/epoch-0000.safetensors", "checkpoints/epoch-0002.safetensors", "evaluation.json",
        "predictions.npz", "explanation.json", "ablation.json", "comparison.json", "timings.json", "report.html",
        "DONE", "baseline/run.json", "baseline/model.safetensors", "baseline/DONE",
    ):  # fmt: skip
        assert (out / name).is_file(), name
    assert not (out / "figures").exists()
    assert not list(out.rglob("*.partial"))


def test_run_prints_what_its_contract_says(run_folder):
    out, printed = run_folder
    assert set(printed) == {"run", "evaluation", "warnings", "comparison", "seeds", "timings"}
    assert printed["run"] == str(out)
    assert printed["evaluation"] == json.loads((out / "evaluation.json").read_text())
    assert printed["comparison"] == json.loads((out / "comparison.json").read_text())
    evaluation = printed["evaluation"]
    matrix = np.array(evaluation["confusion_matrix"])
    assert evaluation["num_images"] == matrix.sum() == 300  # the test images of `small_folder`
    assert evaluation["accuracy"] == pytest.approx(np.trace(matrix) / 300)
    low, high = evaluation["accuracy_interval"]
    assert low < evaluation["accuracy"] < high
    assert {
        "train", "evaluate", "explain", "seeds", "filters", "embedding", "ablation", "report", "total",
    } <= set(printed["timings"])  # fmt: skip


def test_run_records_how_it_was_made(run_folder):
    out, _ = run_folder
    record = json.loads((out / "run.json").read_text())
    assert {
        "format", "dataset", "architecture", "recipe", "seed", "engine", "threads", "versions", "cpu", "command",
        "weights_sha256",
    } <= set(record)  # fmt: skip
    assert (record["format"], record["seed"], record["recipe"]["epochs"]) == (1, 3, 2)  # as `shared_run` is trained
    assert record["weights_sha256"] == cs.load_model(out).weights_sha256
    lines = [json.loads(line) for line in (out / "history.jsonl").read_text().splitlines()]
    assert [line["epoch"] for line in lines] == [1, 2]
    assert set(lines[0]) == {"epoch", "loss", "accuracy", "val_loss", "val_accuracy", "seconds"}


def test_predictions_equal_the_models(run_folder, small_mnist: cs.Splits):
    out, _ = run_folder
    with np.load(out / "predictions.npz") as arrays:
        assert (arrays["y_pred"] == cs.load_model(out).predict(small_mnist.test.images)).all()
        assert (arrays["y_true"] == small_mnist.test.labels).all()


def test_evaluate_prints_what_the_run_measured_and_changes_nothing(run_folder):
    out, printed = run_folder
    before = {path: path.stat().st_mtime_ns for path in out.rglob("*")}
    completed = invoke("evaluate", out, "--json")
    assert json.loads(completed.stdout) == printed["evaluation"]
    assert {path: path.stat().st_mtime_ns for path in out.rglob("*")} == before


@pytest.mark.slow
def test_resuming_a_finished_run_keeps_the_time_that_training_took(run_folder, tmp_path: Path):
    out = shutil.copytree(run_folder[0], tmp_path / "run")
    digest = cs.load_model(out).weights_sha256
    for run in (out, out / "baseline"):
        lines = [json.loads(line) for line in (run / "history.jsonl").read_text().splitlines()]
        state = load_state(run / "checkpoints" / "state.safetensors", cs.load_model(run).architecture)
        assert [line["seconds"] for line in lines] == list(state.history.seconds)
        history = replace(state.history, seconds=(100.0, 200.0))  # much longer than resuming takes
        save_state(replace(state, history=history), run / "checkpoints" / "state.safetensors")
    printed = succeed("run", "--resume", out, "--json")
    timings = json.loads((out / "timings.json").read_text())
    assert timings == printed["timings"]
    assert set(timings.pop("memory")) == {"peak_memory_bytes", "data_bytes", "training_bytes"}
    assert 300 < timings["train"] < 330  # 100 + 200 s, and at most 30 s to resume
    assert 300 < timings["baseline"] < 330
    assert timings["total"] == pytest.approx(sum(seconds for step, seconds in timings.items() if step != "total"))
    assert cs.load_model(out).weights_sha256 == digest


@pytest.mark.slow
def test_a_run_that_stops_early_says_so_wherever_it_is_read(small_mnist: cs.Splits, early_run: tuple[Path, str]):
    out, printed = early_run
    record = json.loads((out / "run.json").read_text())
    lines = [json.loads(line) for line in (out / "history.jsonl").read_text().splitlines()]
    trained, best = record["epochs_trained"], record["best_epoch"]
    assert len(lines) == trained == best + 1 < 9  # --patience 1 of --epochs 9
    assert min(lines, key=lambda line: line["val_loss"])["epoch"] == best
    words = f"stopped after epoch {trained} of 9, 1 epoch without a better val_loss; weights of epoch {best}"
    assert f"cnn {words}\n" in printed
    assert "1,000 training images (20 % of them held out) and 300 test images" in printed
    assert f"and used for early stopping ({words})." in (out / "report.html").read_text()
    model = cs.load_model(out)
    kept = cs.load_model(out / "checkpoints" / f"epoch-{best:04}.safetensors")
    assert model.weights_sha256 == record["weights_sha256"] == kept.weights_sha256
    _, validation = small_mnist.train.divide(0.2)
    assert np.mean(model.predict(validation.images) == validation.labels) == lines[best - 1]["val_accuracy"]


@pytest.fixture(scope="module")
def early_run(small_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The folder of a run that stops early, because its learning rate is too large, and what it printed."""
    folder = tmp_path_factory.mktemp("early")
    recipe = cs.Recipe(optimizer=cs.Adam(0.02), name="hasty").to_dict()
    (folder / "recipe.json").write_text(json.dumps(recipe))
    stopping = ("--epochs", 9, "--validation-fraction", 0.2, "--patience", 1, "--seeds", 1)
    arguments = ("--dataset", small_folder, "--recipe", folder / "recipe.json", *stopping, "--out", folder / "run")
    with bare_reports():
        return folder / "run", succeed("run", *arguments)


BAD_RECIPES = {
    "an unknown field": ('{"epoch": 3}', "recipe has no 'epoch'; it has epochs, batch_size"),
    "a field out of range": ('{"batch_size": 0}', "recipe: batch_size is 0; it must be a whole number from 1"),
    "a part out of range": ('{"optimizer": {"momentum": 1, "kind": "SGD"}}', "recipe: momentum is 1"),
    "classes of other data": ('{"class_weights": [1, 2]}', "2 class weights, but architecture cnn has 10 outputs"),
    "no validation images": ('{"early_stopping": {"patience": 2}}', "set validation_fraction to a number such as 0.1"),
    "no JSON": ("{epochs", "Expecting property name"),
    "no text": (b"\xff\xfe\x00", "can't decode"),
    "no object": ("[1]", "recipe must be an object with epochs"),
    "far too large": (" " * ((1 << 20) + 1), "has more than 1,048,576 bytes; give a JSON file of a few kB"),
}


@pytest.mark.parametrize("case", BAD_RECIPES)
def test_a_bad_recipe_file_is_one_line_with_file_and_field(small_folder: Path, tmp_path: Path, case: str):
    content, message = BAD_RECIPES[case]
    path = tmp_path / "recipe.json"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    error = run_fails("train", "--dataset", small_folder, "--recipe", path, "--out", tmp_path / "run")
    assert str(path) in error
    assert message in error
    assert not (tmp_path / "run").exists()


BAD_CALLS = {
    "no such data": (("--dataset", "nowhere"), "nowhere"),
    "recipe out of range": (("--epochs", 0), "epochs is 0"),
    "patience out of range": (("--patience", 0, "--validation-fraction", 0.1), "patience is 0"),
    "fraction out of range": (
        ("--validation-fraction", 1),
        "validation_fraction is 1.0; it must be a number of at least 0 and below 1",
    ),
    "fraction too small": (("--validation-fraction", 1e-4), "validation_fraction 0.0001 of the 1000 images of small"),
    "nothing to choose by": (("--patience", 2), "set validation_fraction to a number such as 0.1"),
    "no such recipe": (
        ("--recipe", "slow"),
        "no recipe is called 'slow'; use one of classic, fast, accurate, thorough, ",
    ),
    "no such architecture": (("--architecture", "rnn"), "no architecture is called 'rnn'; use one of cnn, ann"),
}


@pytest.mark.parametrize("case", BAD_CALLS)
def test_a_bad_call_prints_one_line_and_leaves_no_folder(small_folder: Path, tmp_path: Path, monkeypatch, case: str):
    monkeypatch.chdir(tmp_path)
    arguments, message = BAD_CALLS[case]
    assert message in run_fails("run", "--dataset", small_folder, *arguments)
    assert not list(tmp_path.iterdir())


def test_resume_refuses_data_that_have_changed(small_mnist: cs.Splits, tmp_path: Path):
    data = tmp_path / "data.npz"
    train, test = small_mnist.train.take(np.arange(50)), small_mnist.test
    arrays = {"x_train": train.images, "y_train": train.labels, "x_test": test.images, "y_test": test.labels}
    np.savez(data, **arrays)
    succeed("train", "--dataset", data, "--epochs", 1, "--out", tmp_path / "run")
    np.savez(data, **{**arrays, "x_train": 255 - train.images})
    assert f"{data}: the train images, labels or weights have changed since" in run_fails(
        "train", "--resume", tmp_path / "run"
    )
