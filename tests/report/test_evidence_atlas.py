"""The atlas on the page of an experiment."""

import re

import numpy as np
import pytest

import convscope as cs
from convscope.evidence.audit import known_errors
from convscope.experiment import Experiment, RunResult
from convscope.experiment.atlas import Atlas
from convscope.report.evidence.atlas import atlas_finding, atlas_sections
from convscope.report.evidence.section import Chart, Gallery, Section, Table
from convscope.report.experiment_page import render_experiment
from convscope.report.pixels import image_pixels
from convscope.training import History


def networks(test: cs.Dataset, num_runs: int, epochs: int, own: float = 0.0) -> Experiment:
    """Networks drawn at random, which miss some images more often than others."""
    stream = np.random.default_rng(5)
    hard = stream.beta(0.1, 3, len(test))
    runs = list[RunResult]()
    for seed in range(num_runs):
        wrong = stream.random(len(test)) < hard * np.exp(own * stream.standard_normal())
        y_pred = np.where(wrong, (test.labels + 1) % test.num_classes, test.labels).astype(np.uint8)
        accuracy = float((y_pred == test.labels).mean())
        measured = (*stream.normal(accuracy, 0.01, epochs - 1).clip(0, 1).tolist(), accuracy)
        history = History((1.0,) * epochs, (0.5,) * epochs, (1.0,) * epochs, measured, (1.0,) * epochs)
        runs.append(
            RunResult(f"{seed:016x}", "cnn", "<i>", seed, accuracy, 1.0, 1.0, history, "", 7, 7, 28, 60_000, y_pred)
        )
    return Experiment(test.name, test.labels, 60_000, tuple(runs))


@pytest.fixture(scope="module")
def digits() -> cs.Dataset:
    return cs.load_dataset("mnist").test


def sections_of(experiment: Experiment, test: cs.Dataset) -> tuple[dict, dict[str, Section]]:
    value = Atlas.of(experiment, experiment.table[0], test).to_dict()
    sections = atlas_sections(value, lambda index: image_pixels(test.images[index]), test.class_names)
    return value, {section.anchor.removeprefix("atlas-"): section for section in sections}


def test_the_sections_say_what_was_found(digits: cs.Dataset):
    experiment = networks(digits, 150, 4)
    value, sections = sections_of(experiment, digits)
    assert list(sections) == ["spread", "images", "agreement", "power", "early"]
    low, high = (f"{100 * end(experiment.table[0].values):.2f}\N{NO-BREAK SPACE}%" for end in (min, max))
    assert atlas_finding(value).startswith(f"150 networks reach {low} to {high}; they differ in the seed alone. ")
    assert sum(one["count"] for one in value["histogram"]) == 150
    wrong = np.array([run.y_pred != digits.labels for run in experiment.runs])
    half = int((wrong.mean(axis=0) >= 0.5).sum())
    missed = (
        f"{int(wrong.any(axis=0).sum()):,} of 10,000 images are missed by at least one network, {half:,} by at least"
    )
    chart, gallery, table = sections["images"].parts
    assert isinstance(chart, Chart)
    assert chart.title.startswith(missed)
    assert isinstance(gallery, Gallery)
    hardest = value["hard_images"][0]
    assert wrong.sum(axis=0).max() == hardest["misses"]
    assert gallery.cards[0].index == hardest["index"]
    assert gallery.cards[0].lines[1] == f"{hardest['label']}, predicted as {hardest['answer']}"
    assert (gallery.cards[0].picture == image_pixels(digits.images[hardest["index"]])).all()
    assert isinstance(table, Table)
    assert "Northcutt" in sections["images"].does_not_show
    known = {one["index"] for one in value["hard_images"] if one["is_known_error"]}
    assert known <= {error.index for error in known_errors(digits).errors}
    power = {row[0]: row for row in sections["power"].parts[0].rows}
    assert list(power) == ["0.20", "0.10", "0.05", "0.02"]


def test_networks_of_one_epoch_have_no_early_one(digits: cs.Dataset):
    _, sections = sections_of(networks(digits, 100, 1), digits)
    assert "early" not in sections


def test_the_page_of_many_networks_stays_small_and_shows_no_name_as_a_tag(digits: cs.Dataset):
    experiment = networks(digits, 600, 2)
    value = experiment.to_dict() | {"atlas": Atlas.of(experiment, experiment.table[0], digits).to_dict()}
    page = render_experiment(value, "convscope experiment", digits)
    assert len(page) < 400_000
    assert "<i>" not in page
    assert "400 of 600 runs are drawn, sampled evenly" in page
    [row] = re.findall(r"<h1>(.*?)</h1>", page)
    assert "600 networks reach" in row
    for anchor in ("spread", "images", "agreement", "power", "early"):
        assert f'id="atlas-{anchor}"' in page


def test_networks_without_an_error_have_an_atlas_too(digits: cs.Dataset):
    few = digits.take(np.arange(50))
    history = History((1.0,), (0.5,), (1.0,), (1.0,), (1.0,))
    runs = tuple(
        RunResult(f"{seed:016x}", "cnn", "fast", seed, 1.0, 1.0, 1.0, history, "", 7, 7, 28, 60_000, few.labels)
        for seed in range(100)
    )
    experiment = Experiment("few", few.labels, 60_000, runs)
    value, sections = sections_of(experiment, few)
    assert (
        atlas_finding(value)
        == "100 networks reach 100.00\N{NO-BREAK SPACE}% to 100.00\N{NO-BREAK SPACE}%; they differ in the seed alone"
    )
    render_experiment(experiment.to_dict() | {"atlas": value}, "", few)
    assert sections["images"].parts[1].cards == []
