"""What a trained run loses without its parts, kept in its folder part by part."""

import json
from pathlib import Path

import pytest

import convscope as cs
from convscope.storage import open_run

from .conftest import invoke


@pytest.fixture(scope="module")
def trained(small_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run whose filter 3 of the first convolution is zero, and filter 9 the same as filter 5."""
    out = tmp_path_factory.mktemp("runs") / "cnn"
    assert invoke("train", "--dataset", small_folder, "--epochs", 1, "--out", out, "--json").exit_code == 0
    folder = open_run(out)
    model = folder.load_model()
    weights = {name: weight.copy() for name, weight in model.weights.items()}
    weights["conv2d/kernel"][..., 3] = weights["conv2d/bias"][3] = 0
    folder.write_model(cs.Model(model.architecture, weights, model.class_names), folder.load_history())
    return out


def kept(out: Path) -> dict:
    return json.loads((out / "ablation.json").read_text())


@pytest.mark.slow
def test_a_zeroed_filter_costs_nothing(trained: Path) -> None:
    done = invoke("ablate", trained)
    assert done.exit_code == 0, done.output
    values = kept(trained)
    lesions = [one for one in values["filters"] if (one["layer"], one["filter"]) == ("conv2d", 3)]
    assert [(one["replacement"], one["accuracy_change"]) for one in lesions] == [("zero", 0), ("mean", 0)]
    assert f"To show them in the report, run: convscope report {trained}" in done.stdout
    assert {"filters", "inputs"} <= values.keys()
    assert "architectures" not in values
    model = cs.load_model(trained)
    assert values["weights_sha256"] == model.weights_sha256
    splits = cs.load_dataset(open_run(trained).record.dataset.argument)
    assert values["accuracy"] == cs.evaluate(model, splits.test).accuracy


@pytest.mark.slow
def test_a_later_call_adds_to_what_was_measured_and_json_is_all_of_it(small_folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "ann"
    arguments = ("--dataset", small_folder, "--architecture", "ann", "--epochs", 1, "--out", out)
    assert invoke("train", *arguments).exit_code == 0
    first = invoke("ablate", out, "--no-filters", "--json")
    assert first.exit_code == 0, first.output
    assert first.stderr == ""
    assert json.loads(first.stdout).keys() == {"inputs", "weights_sha256"}
    done = invoke("ablate", out, "--no-filters", "--no-inputs", "--architectures", "--seeds", 2, "--json")
    assert done.exit_code == 0, done.output
    values = json.loads(done.stdout)
    assert values == kept(out)
    assert values["inputs"] == json.loads(first.stdout)["inputs"]
    assert values["architectures"][0]["name"] == "whole network"
    assert {len(one["accuracies"]) for one in values["architectures"]} == {2}
    assert values["architecture_runs"]["recipe"] == "fast"


@pytest.mark.slow
def test_what_retraining_costs_is_said_before_it_begins(small_folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "ann"
    arguments = ("--dataset", small_folder, "--architecture", "ann", "--epochs", 1, "--out", out)
    assert invoke("train", *arguments).exit_code == 0
    done = invoke("ablate", out, "--no-filters", "--no-inputs", "--architectures", "--seeds", 1)
    assert done.exit_code == 0, done.output
    assert done.stdout.startswith("Training ann and 6 variants from 1 seed: 7 runs by recipe fast, about 6 times")
    assert "no difference shown" in done.stdout


@pytest.mark.slow
def test_what_was_measured_of_other_weights_is_forgotten(trained: Path) -> None:
    invoke("ablate", trained)
    (trained / "ablation.json").write_text(json.dumps({**kept(trained), "weights_sha256": 64 * "0"}))
    done = invoke("ablate", trained, "--no-filters", "--json")
    assert json.loads(done.stdout).keys() == {"inputs", "weights_sha256"}


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        (("--no-filters", "--no-inputs"), 2, "nothing to measure"),
        (("--seeds", 0), 2, "0 is not in the range x>=1"),
        (("--recipe", "slow", "--architectures"), 1, "no recipe is called 'slow'"),
        (("--no-filters", "--no-inputs", "--architectures", "--executor", "mars:1"), 1, "executor"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(
    trained: Path, options: tuple[object, ...], code: int, message: str
) -> None:
    done = invoke("ablate", trained, *options)
    assert done.exit_code == code
    assert message in done.stderr


def test_a_folder_that_is_no_run_is_refused(tmp_path: Path) -> None:
    done = invoke("ablate", tmp_path)
    assert done.exit_code == 1
    assert done.stderr.startswith("Error: ")
