"""`convscope export --format card` and `Run.card`: a README.md for model hubs, from what a run folder holds."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import yaml

import convscope as cs
from convscope.data.datasets import DATASETS

from .conftest import run_fails, succeed

# Class names whose characters have a meaning in YAML or Markdown.
HOSTILE = ("quote \" and '", "colon: #hash", "- item | <b>*ñ*", "line\nbreak ---", "`tick` 😀", "[a](b) & {c}")


def read_metadata(path: Path) -> dict:
    """Return the YAML block at the head of a card."""
    return yaml.safe_load(path.read_text(encoding="utf-8").split("---\n", 2)[1])


@pytest.fixture
def copied(shared_run: Path, tmp_path: Path) -> Path:
    return shutil.copytree(shared_run, tmp_path / "run", ignore=shutil.ignore_patterns("checkpoints", "report.html"))


@pytest.mark.slow
def test_a_card_has_the_metadata_of_hubs_with_what_was_measured(copied: Path):
    printed = succeed("export", copied, "--format", "card", "--licence", "apache-2.0", "--json")
    path = copied / "README.md"
    assert printed == {"exports": [], "card": str(path), "missing": {}}
    card, evaluation = read_metadata(path), json.loads((copied / "evaluation.json").read_text())
    assert (card["license"], card["library_name"]) == ("apache-2.0", "convscope")
    assert card["pipeline_tag"] == "image-classification"
    (model,) = card["model-index"]
    (result,) = model["results"]
    assert result["task"]["type"] == "image-classification"
    assert result["dataset"] == {"type": "small", "name": "small", "split": "test"}
    accuracy, f1 = result["metrics"]
    assert accuracy["value"] == pytest.approx(evaluation["accuracy"], abs=1e-6)
    assert accuracy["args"]["num_images"] == 300
    assert accuracy["args"]["interval_95"] == pytest.approx(evaluation["accuracy_interval"], abs=1e-6)
    assert f1["value"] == pytest.approx(evaluation["macro_f1"], abs=1e-6)


def test_a_card_mentions_seeds_comparison_and_missing_evidence(copied: Path):
    text = cs.open_run(copied).card().read_text(encoding="utf-8")
    group = json.loads((copied / "seeds.json").read_text())["table"][0]
    assert f"Over {group['num_runs']} seeds" in text
    assert f"the mean accuracy is {100 * group['mean']:.2f} %" in text
    summary = text.partition("## Accuracy")[2].partition("Each class")[0]
    assert "errors" in summary  # the sentence that compares the run with its baseline
    assert "Not measured: calibration, rejection, robustness, attacks, audit." in text
    assert "license" not in read_metadata(copied / "README.md")
    assert "licence of the data | not known" in text


def test_a_card_has_title_and_licence_of_data_that_have_a_name(copied: Path):
    record = json.loads((copied / "run.json").read_text())
    record["dataset"]["argument"] = "fashion-mnist"
    (copied / "run.json").write_text(json.dumps(record))
    entry, path = DATASETS["fashion-mnist"], cs.open_run(copied).card()
    assert read_metadata(path)["model-index"][0]["results"][0]["dataset"]["name"] == entry.title
    assert f"| licence of the data | {entry.licence} |" in path.read_text(encoding="utf-8")


@pytest.mark.slow
def test_a_card_states_the_evidence(measured_run: Path, tmp_path: Path):
    text = cs.open_run(measured_run).card(tmp_path / "card.md").read_text(encoding="utf-8")
    for name in ("Calibration", "Robustness"):
        assert f"\n## {name}" in text
    assert "Not measured" not in text
    assert "calibrated_probabilities" in text
    assert not (measured_run / "README.md").exists()


def test_an_edited_card_is_kept_and_another_replaced(copied: Path):
    path = cs.open_run(copied).card()
    first = path.read_text(encoding="utf-8")
    succeed("export", copied, "--format", "card", "--licence", "mit")
    path.write_text(path.read_text(encoding="utf-8") + "Mine.\n", encoding="utf-8")
    error = run_fails("export", copied, "--format", "card")
    assert f"{path}: was not written by `convscope export --format card`, or was edited since; " in error
    assert "--force" in error
    assert path.read_text(encoding="utf-8").endswith("Mine.\n")
    succeed("export", copied, "--format", "card", "--force")
    assert path.read_text(encoding="utf-8") == first


@pytest.mark.usefixtures("empty_reports")
def test_names_that_yaml_and_markdown_obey_break_nothing(tmp_path: Path):
    generator = np.random.default_rng(0)
    images = generator.integers(0, 256, (120, 8, 8, 3), np.uint8)
    labels = np.arange(120) % len(HOSTILE)
    data = cs.Dataset(images, labels, HOSTILE, name='data: "x" | 1', split="train")
    network = cs.Architecture(cs.Input(8, 8, 3), (cs.Flatten(), cs.Dense(len(HOSTILE), "softmax")), "small")
    run = cs.run(data, architecture=network, recipe="fast", out=tmp_path / "run", seeds=1, baseline=False)
    text = run.card().read_text(encoding="utf-8")
    card = read_metadata(tmp_path / "run" / "README.md")
    assert card["datasets"] == ["data-x-1"]
    assert card["model-index"][0]["results"][0]["dataset"]["name"] == 'data: "x" | 1'
    rows = [line for line in text.splitlines() if line.startswith("| \\- item")]
    assert rows
    assert all(row.count(" \\| \\<b\\>\\*ñ\\*") == 1 for row in rows)
    assert text.count("\n---\n") == 1  # the end of the metadata; the class name with --- adds none
    assert "cs.run(data, " in text
    assert "architecture=architecture" in text
    assert str(tmp_path) not in text


@pytest.mark.slow
@pytest.mark.usefixtures("empty_reports")
def test_imported_networks_and_ensembles_have_cards(copied: Path, small_folder: Path, tmp_path: Path):
    imported, ensemble = tmp_path / "imported", tmp_path / "ensemble"
    succeed("import", copied / "model.safetensors", "--dataset", small_folder, "--out", imported)
    succeed("ensemble", copied, copied / "baseline", "--out", ensemble)
    text = cs.open_run(imported).card().read_text(encoding="utf-8")
    assert "Nobody knows whether it was trained on some of the test images." in text
    assert "The file of the network does not say which images it was trained on." in text
    assert "epochs" not in text
    text = cs.open_run(ensemble).card().read_text(encoding="utf-8")
    assert "It is an ensemble of 2 networks" in text
    assert "convscope ensemble run baseline\n" in text
    assert str(tmp_path) not in text


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("DONE", None, "is not finished; to continue it, run: convscope run --resume"),
        ("evaluation.json", None, "evaluation.json: cannot be read (No such file or directory)"),
        ("comparison.json", "{}", "comparison.json: $: object missing required field dataset"),
        (
            "run.json",
            lambda record: record["dataset"]["train"].pop("class_counts"),
            "run.json: $.dataset.train: object missing",
        ),
    ],
)
def test_a_damaged_run_is_one_line(copied: Path, name: str, content, message: str):
    if content is None:  # the file is missing
        (copied / name).unlink()
    elif callable(content):
        record = json.loads((copied / name).read_text())
        content(record)
        (copied / name).write_text(json.dumps(record))
    else:
        (copied / name).write_text(content)
    assert message in run_fails("export", copied, "--format", "card")
    assert not (copied / "README.md").exists()
