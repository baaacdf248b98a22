"""The atlas of two thousand networks: its table in docs/results.md, its picture, its page, and its runs as a file."""

import csv
from collections.abc import Iterable, Sequence
from typing import Any

import engine_sources
import machine
import numpy as np
import tables
from atlas.charts import draw_spread
from atlas.crossed import CrossedSeeds
from atlas.page import render
from atlas.summary import summarize
from style import themed_svg
from tables import Part

import convscope as cs

SEEDS, CROSSED = 2000, 20
DOCS = engine_sources.PROJECT / "docs"
PICTURE, PAGE, RUNS = DOCS / "atlas-spread.svg", DOCS / "_static" / "atlas.html", DOCS / "atlas.csv"

MAX_SHOWN = 12  # images on the page


def measure(measurement: Any) -> Part:
    """Train what is not trained yet, and keep the numbers and the runs as a table.

    Args:
        measurement: as in measure.py.
    """
    data, network, recipe = cs.load_dataset("mnist"), cs.presets.cnn(), cs.recipes.fast
    cores = machine.describe()["cores"]
    measurement.commands.append('make results ARGS="atlas"')
    with cs.open_executor(f"local:{cores}") as executor:
        options: dict[str, Any] = {"folder": measurement.scratch / "mnist-atlas", "executor": executor}
        result = cs.run_experiment([network], data, [recipe], range(SEEDS), dataset="mnist", **options)
        specs = [
            cs.RunSpec("mnist", network, recipe, seed, weights_seed=weights_seed)
            for weights_seed in range(CROSSED)
            for seed in range(CROSSED)
        ]
        crossed_runs = cs.train_runs(specs, data, **options)
    write_runs(result.runs)
    y_pred = np.stack([run.y_pred for run in result.runs])
    value = summarize("cnn, fast", y_pred, data.test, [run.history.val_accuracy for run in result.runs])
    value["hard_images"] = value["hard_images"][:MAX_SHOWN]
    accuracies = np.array([run.accuracy for run in crossed_runs]).reshape(CROSSED, CROSSED)
    crossed = CrossedSeeds.of("cnn, fast", accuracies).to_dict()
    del crossed["accuracies"]
    return {**value, "crossed": crossed, "num_crossed": CROSSED}


def write_runs(runs: Sequence[cs.RunResult]) -> None:
    """Write what each run gave; the start of the digest tells whether another machine trains the same weights."""
    with RUNS.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("seed", "accuracy", "loss", "weights_sha256"))
        writer.writerows((run.seed, run.accuracy, run.loss, run.weights_sha256[:16]) for run in runs)


def write_files(part: Part) -> None:
    """Write the picture of docs/results.md and the page."""
    PICTURE.write_text(themed_svg(draw_spread(part["spread"], part["histogram"])), encoding="utf-8")
    PAGE.write_text(render(part, cs.load_dataset("mnist").test), encoding="utf-8")


def rows(part: Part) -> Iterable[str]:
    spread, agreement, crossed = part["spread"], part["agreement"], part["crossed"]
    title = f"The accuracy of {part['num_runs']:,} networks that differ in the seed alone"
    yield tables.prose(f"![{title}]({PICTURE.name})")
    yield ""
    cells = [
        ["mean", tables.percent(spread["mean"]), tables.interval(spread["mean_interval"])],
        ["standard deviation between seeds", _points(spread["sd"]), _points_interval(spread["sd_interval"])],
        ["the same if images were missed independently", _points(spread["sd_independent"]), ""],
        ["worst network", tables.percent(spread["minimum"], 2), ""],
        ["best network", tables.percent(spread["maximum"], 2), ""],
        [f"best of {part['num_runs']:,} expected by chance", tables.percent(spread["expected_maximum"], 2), ""],
        ["part of a lead that carries over to other images", *_share(spread["carries_over"])],
        ["where one network errs, another errs too", *_share(agreement["both_wrong"])],
        ["where both err, they give the same answer", *_share(agreement["same_mistake"])],
        ["variance decided by the initial weights alone", *_share(crossed["weights"]["share"])],
        ["variance decided by the order of the images alone", *_share(crossed["order"]["share"])],
        ["variance that only both together decide", *_share(crossed["together"]["share"])],
    ]
    yield from tables.table(["what", "value", "95 % interval"], cells)
    half = next(one["num_images"] for one in part["missed_by"] if one["share"] >= 0.5)
    errors = sum(1 for one in part["hard_images"] if one["is_known_error"])
    yield ""
    yield tables.prose(
        f"{part['num_missed']:,} of {part['num_images']:,} test images are missed by at least one network, {half:,} by "
        f"at least half of them. Of the {len(part['hard_images'])} hardest, people found the label of {errors} wrong. "
        f"[The page]({PAGE.relative_to(DOCS).as_posix()}) shows them, and [a table]({RUNS.name}) has every run. The "
        f"parts of the variance are from {part['num_crossed']} × {part['num_crossed']} crossed seeds."
    )
    yield ""
    yield from tables.table(
        ["points apart", "seeds of each network", "power", "simulated", "95 % interval", "experiments"],
        [
            [f"{100 * one['difference']:.2f}", f"{one['num_seeds']:,}", f"{100 * one['power']:.1f} %",
             f"{100 * one['simulated_power']:.1f} %", tables.interval(one["simulated_interval"]),
             f"{one['num_simulated']:,}"]
            for one in part["power"]
            if one["simulated_power"] is not None
        ],
    )  # fmt: skip
    yield ""
    yield tables.prose(
        "The seeds with which a t-test finds a difference with a probability of 80 % or a little more: by the formula, "
        "and by drawing so many of these accuracies again and again "
        "([methods](../benchmarks/README.md#the-atlas-of-many-seeds))."
    )
    yield from tables.provenance(part)


def _points(fraction: float) -> str:
    return f"{100 * fraction:.3f} points"


def _points_interval(interval: Any) -> str:
    low, high = interval
    return f"[{100 * low:.3f}, {100 * high:.3f}]"


def _share(found: dict[str, float]) -> list[str]:
    return [f"{100 * found['value']:.1f} %", tables.interval((found["low"], found["high"]))]
