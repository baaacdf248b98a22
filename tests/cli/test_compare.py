"""`convscope compare` of two runs, of a folder of runs and of an experiment, and what it refuses."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest

import convscope as cs
from convscope.evidence.evaluating import evaluate_predictions
from convscope.experiment import RunSpec
from convscope.runs.run_record import make_run_record
from convscope.storage import create_run, open_run, writing
from convscope.training import History

from .conftest import invoke, run_fails, succeed

CNN, ANN = cs.presets.cnn(), cs.presets.ann()
HISTORY = History(loss=(0.1,), accuracy=(0.9,), val_loss=(0.2,), val_accuracy=(0.8,), seconds=(1.5,))


def write_run(path, splits, architecture=CNN, recipe=cs.recipes.fast, seed=0, accuracy=0.8):
    """Write a finished run without a model, whose predictions are correct for about `accuracy` of the test images."""
    record = make_run_record(RunSpec("mnist", architecture, recipe, seed), splits, 1, "convscope train")
    folder = create_run(path, record)
    stream = np.random.default_rng([seed, len(architecture.name), int(1000 * accuracy)])
    labels = splits.test.labels.astype(np.int64)
    predictions = np.where(stream.random(len(labels)) < accuracy, labels, (labels + 1) % splits.num_classes)
    logits = 5 * np.eye(splits.num_classes, dtype=np.float32)[predictions]
    folder.write_evaluation(evaluate_predictions(logits, splits.test))
    folder.write_history(HISTORY)
    return path


@pytest.fixture
def runs(small_mnist, tmp_path):
    """A folder with three runs of `cnn`, about 95 % correct, and three of `ann`, about 60 % correct."""
    for seed in range(3):
        write_run(tmp_path / "runs" / f"cnn-{seed}", small_mnist, CNN, seed=seed, accuracy=0.95)
        write_run(tmp_path / "runs" / f"ann-{seed}", small_mnist, ANN, seed=seed, accuracy=0.6)
    return tmp_path / "runs"


def compare(*arguments):
    completed = invoke("compare", *arguments, "--json")
    assert completed.exit_code == 0, completed.output
    assert completed.stderr == ""
    return json.loads(completed.stdout)


def test_two_runs_are_compared_image_by_image(runs):
    value = compare(runs / "cnn-0", runs / "ann-0")["comparisons"][0]
    predictions = [{**np.load(runs / name / "predictions.npz")} for name in ("cnn-0", "ann-0")]
    cnn_correct, ann_correct = (arrays["y_true"] == arrays["y_pred"] for arrays in predictions)
    assert value["names"] == ["cnn", "ann"]
    assert value["only_a_correct"] == (cnn_correct & ~ann_correct).sum()
    assert value["accuracy_difference"] == pytest.approx(cnn_correct.mean() - ann_correct.mean())
    assert value["a"]["training_seconds"] == HISTORY.seconds[0]
    assert value["a"]["parameters"] == CNN.parameters


def test_a_folder_of_runs_is_grouped_by_network(runs):
    value = compare(runs)
    assert [group["name"] for group in value["groups"]] == ["ann", "cnn"]
    assert value["groups"][0]["seeds"] == [0, 1, 2]
    assert value["comparisons"][0]["is_distinguishable"]
    assert value["left_out"] == []


def test_runs_of_several_folders_are_named_by_their_differences(runs, small_mnist, tmp_path):
    longer = write_run(tmp_path / "longer", small_mnist, ANN, replace(cs.recipes.fast, name="slow", epochs=9), seed=5)
    value = compare(runs / "ann-0", runs / "ann-1", longer)
    names = [group["name"] for group in value["groups"]]
    assert names == ["ann, fast, seed 0", "ann, fast, seed 1", "ann, slow, seed 5"]
    assert len(value["comparisons"]) == 3
    assert all(comparison["adjusted_p_value"] is not None for comparison in value["comparisons"])


@pytest.mark.slow
def test_runs_that_repeat_a_seed_or_are_not_finished_are_left_out_and_named(runs, small_mnist):
    write_run(runs / "cnn-again", small_mnist, CNN, seed=1)
    write_run(runs / "cnn-new", small_mnist, CNN, seed=9)
    (runs / "cnn-new" / "predictions.npz").unlink()
    left_out = compare(runs)["left_out"]
    assert [line.split()[0] for line in left_out] == [str(runs / "cnn-new"), str(runs / "cnn-again")]
    text = invoke("compare", runs).stdout
    assert f"Left out: {runs / 'cnn-again'} has the same seed (1) as another run of its group" in text


@pytest.mark.slow
def test_an_experiment_is_compared_by_its_groups(small_folder, small_mnist, tmp_path):
    out = tmp_path / "experiment"
    options = ("--architecture", "cnn", "--architecture", "ann", "--epochs", 1, "--num-images", 100, "--threads", 1)
    succeed("experiment", "--dataset", small_folder, *options, "--seeds", "2", "--out", out, "--json")
    shutil.rmtree(out / "runs" / "weights")  # the comparison reads predictions only
    value = compare(out)
    experiment = json.loads((out / "experiment.json").read_text())
    assert [group["name"] for group in value["groups"]] == ["cnn", "ann"]
    for group, row in zip(value["groups"], experiment["table"], strict=True):
        assert group["accuracy"] == pytest.approx(row["mean"])
        assert group["num_models"] == 2
    shutil.copytree(out / "runs", tmp_path / "copy" / "runs")
    assert len(compare(tmp_path / "copy")["groups"]) == 2  # without experiment.json
    write_run(tmp_path / "copy" / "own", small_mnist, ANN)  # a run folder beside the stored runs
    assert len(compare(tmp_path / "copy")["groups"]) == 3


def test_a_single_group_is_refused(runs):
    assert "contains only runs of cnn with recipe fast; name another folder" in run_fails("compare", runs / "cnn-0")


def test_the_first_group_of_a_running_experiment_is_refused_with_the_advice_to_wait(runs):
    with writing(runs / "cnn-0"):
        why = "with recipe fast; wait until its experiment has ended, or name another folder"
        assert why in run_fails("compare", runs / "cnn-0")


def test_other_test_images_are_refused(runs, small_mnist, tmp_path):
    fewer = cs.Splits(small_mnist.train, small_mnist.test.take(np.arange(200)))
    second = write_run(tmp_path / "other", fewer)
    assert f"{second} and {runs / 'cnn-0'} have different test images" in run_fails("compare", runs / "cnn-0", second)


def test_the_same_digest_over_other_labels_is_refused(runs, small_mnist):
    folder = open_run(runs / "ann-0")
    y_true = np.roll(small_mnist.test.labels.astype(np.int64), 1)
    np.savez(folder.path / "predictions.npz", y_true=y_true, y_pred=y_true)
    assert "have different test images" in run_fails("compare", runs / "cnn-0", runs / "ann-0")


def test_too_many_pairs_are_refused_with_the_way_out(runs, small_mnist, monkeypatch):
    monkeypatch.setattr("convscope.runs.comparing.MAX_PAIRS", 9)
    for number in range(3):
        write_run(runs / f"more-{number}", small_mnist, ANN, replace(cs.recipes.fast, epochs=number + 2))
    assert "compare each group with the first: --pairs first" in run_fails("compare", runs)
    assert len(compare(runs, "--pairs", "first")["comparisons"]) == 4  # of 5 groups; all pairs would be 10


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda path: shutil.rmtree(path), "no such folder"),
        (lambda path: (path / "run.json").unlink(), "contains no run"),
        (lambda path: (path / "predictions.npz").unlink(), "is not finished; "),
        (lambda path: (path / "predictions.npz").write_bytes(b"no"), "is not a complete .npz archive"),
        (lambda path: (path / "run.json").write_text("{"), "damaged"),
        (lambda path: (path / "history.jsonl").write_text("{"), "damaged"),
        (lambda path: edit_test_record(path, lambda test: test.pop("num_images")), "$.dataset.test: "),
        (lambda path: edit_test_record(path, lambda test: test.update(num_images=9)), "must be 9 whole"),
    ],
)
def test_damaged_runs_are_refused_in_one_line(runs, damage, message):
    damage(runs / "ann-0")
    assert message in run_fails("compare", runs / "cnn-0", runs / "ann-0")


def edit_test_record(path, edit):
    """Change what the run.json in the folder `path` says of the test images."""
    record = json.loads((path / "run.json").read_text())
    edit(record["dataset"]["test"])
    (path / "run.json").write_text(json.dumps(record))


def test_a_margin_says_whether_groups_are_equivalent(runs):
    value = compare(runs, "--margin", "5")
    assert [comparison["equivalence"] for comparison in value["comparisons"]] == ["different"]
    assert "differ by more than 5 points" in invoke("compare", runs, "--margin", "5").output.replace("\n", " ")
    assert invoke("compare", runs, "--margin", "100").exit_code == 2
