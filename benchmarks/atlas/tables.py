"""Measure the atlas of two thousand networks; write its table, its picture, its page, and its runs as a CSV file."""

import csv
from collections.abc import Iterable, Sequence
from typing import Any

import answers
import engine_state
import machine
import numpy as np
import tables
from atlas.charts import draw_spread
from atlas.crossed import PARTS, CrossedSeeds
from atlas.page import render
from atlas.summary import summarize
from style import format_svg
from tables import Part

import convscope as cs

SEEDS, CROSSED = 2000, 20
DOCS = engine_state.PROJECT / "docs"
PICTURE, PAGE, RUNS = DOCS / "atlas-spread.svg", DOCS / "_static" / "atlas.html", DOCS / "atlas.csv"

MAX_SHOWN = 12  # hardest images on the page


def measure(measurement: Any) -> Part:
    """Train the networks that are not trained yet; store their numbers, their errors, and a table of the runs.

    Args:
        measurement: the `Measurement` of measure.py.
    """
    measurement.commands.append('make results ARGS="atlas"')
    data = cs.load_dataset("mnist")
    with cs.open_executor(f"local:{machine.describe()['cores']}") as executor:
        folder = measurement.scratch / "mnist-atlas"
        result = cs.run_experiment(
            ["cnn"], data, ["fast"], range(SEEDS), dataset="mnist", folder=folder, executor=executor
        )
    write_runs(result.runs)
    y_pred = np.stack([run.y_pred for run in result.runs])
    value = summarize("cnn, fast", y_pred, data.test, [run.history.val_accuracy for run in result.runs])
    value["hard_images"] = value["hard_images"][:MAX_SHOWN]
    file = answers.save("mnist-atlas", range(SEEDS), y_pred != data.test.labels)
    return {**value, "answers": file}


def measure_crossed(measurement: Any) -> Part:
    """Train each of some seeds of initial weights with each of as many seeds of everything else."""
    measurement.commands.append('make results ARGS="crossed"')
    data, network, recipe = cs.load_dataset("mnist"), cs.presets.cnn(), cs.recipes.fast
    pairs = [(weights_seed, seed) for weights_seed in range(CROSSED) for seed in range(CROSSED)]
    specs = [cs.RunSpec("mnist", network, recipe, seed, weights_seed=weights_seed) for weights_seed, seed in pairs]
    with cs.open_executor(f"local:{machine.describe()['cores']}") as executor:
        runs = cs.train_runs(specs, data, folder=measurement.scratch / "mnist-atlas", executor=executor)
    wrong = np.stack([run.y_pred for run in runs]) != data.test.labels
    value = CrossedSeeds.from_flags("cnn, fast", wrong.reshape(CROSSED, CROSSED, -1)).to_dict()
    return {**value, "num_crossed": CROSSED, "answers": answers.save("mnist-crossed", pairs, wrong)}


def write_runs(runs: Sequence[cs.RunResult]) -> None:
    """Write the results of each run; the start of the digest shows if another machine trains the same weights."""
    with RUNS.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("seed", "accuracy", "loss", "weights_sha256"))
        writer.writerows((run.seed, run.accuracy, run.loss, run.weights_sha256[:16]) for run in runs)


def write_files(part: Part, crossed: Part) -> None:
    """Write the picture of docs/results.md and the page."""
    PICTURE.write_text(format_svg(draw_spread(part["spread"], part["histogram"])), encoding="utf-8")
    PAGE.write_text(render(part, crossed, cs.load_dataset("mnist").test), encoding="utf-8")


def rows(part: Part) -> Iterable[str]:
    spread, agreement = part["spread"], part["agreement"]
    title = f"The accuracy of {part['num_runs']:,} networks that differ in the seed alone"
    yield tables.prose(f"![{title}]({PICTURE.name})")
    yield ""
    cells = [
        ["mean", tables.percent(spread["mean"]), tables.interval(spread["mean_interval"]), "seeds"],
        ["", "", tables.interval(spread["mean_interval_with_images"]), "seeds and images"],
        ["standard deviation between seeds", _points(spread["sd"]), _points_interval(spread["sd_interval"]), "seeds"],
        ["the same if images were missed independently", _points(spread["sd_independent"]), "", ""],
        ["95 % of networks reach", *_share(spread["reached"], 2), "seeds"],
        ["worst network", tables.percent(spread["minimum"], 2), "", ""],
        ["best network", tables.percent(spread["maximum"], 2), "", ""],
        [f"best of {part['num_runs']:,} expected by chance", tables.percent(spread["expected_maximum"], 2), "", ""],
        ["part of a lead that carries over to other images", *_share(spread["carries_over"]), "seeds"],
        ["where one network errs, another errs too", *_share(agreement["both_wrong"]), "images"],
        ["where both err, they give the same answer", *_share(agreement["same_mistake"]), "images"],
    ]
    yield from tables.table(["what", "value", "95 % interval", "for other"], cells)
    half = next(count["num_images"] for count in part["missed_by"] if count["share"] >= 0.5)
    errors = sum(1 for image in part["hard_images"] if image["is_known_error"])
    yield ""
    yield tables.prose(
        f"{part['num_missed']:,} of {part['num_images']:,} test images are missed by at least one network, {half:,} by "
        f"at least half of them. Of the {len(part['hard_images'])} hardest, people found the label of {errors} wrong. "
        f"[The page]({PAGE.relative_to(DOCS).as_posix()}) shows them, and [a table]({RUNS.name}) has every "
        f"run{'' if 'answers' in part else ', without its answers'}."
    )
    yield from tables.provenance(part)


def format_crossed_rows(part: Part) -> Iterable[str]:
    cells = [[name, _points(part[key]["sd"]), *_share(part[key]["share"])] for key, name in PARTS.items()]
    yield from tables.table(["decided by", "sd", "share of the variance", "95 % interval, seeds"], cells)
    yield ""
    count = part["num_crossed"]
    yield tables.prose(f"From {count} × {count} crossed seeds. What is decided about each image for itself is chance.")
    yield from tables.provenance(part)


def _points(fraction: float) -> str:
    return f"{100 * fraction:.3f} points"


def _points_interval(interval: Any) -> str:
    low, high = interval
    return f"[{100 * low:.3f}, {100 * high:.3f}]"


def _share(estimate: dict[str, float], digits: int = 1) -> list[str]:
    return [tables.percent(estimate["value"], digits), tables.interval((estimate["low"], estimate["high"]))]
