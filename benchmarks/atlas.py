"""The atlas of two thousand networks: its table in docs/results.md, its picture, its page, and its runs as a file."""

import csv
import json
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import engine_sources
import machine
import tables
from tables import Part

SEEDS, CROSSED = 2000, 20
DOCS = engine_sources.PROJECT / "docs"
PICTURE, PAGE, RUNS = DOCS / "atlas-spread.svg", DOCS / "_static" / "atlas.html", DOCS / "atlas.csv"

_COLUMNS = ("seed", "accuracy", "loss", "weights_sha256")
_SHOWN = 12  # images


def measure(measurement: Any) -> Part:
    """Train what is not trained yet, and keep the page, the runs as a table and the numbers.

    Args:
        measurement: as in measure.py.
    """
    out = measurement.scratch / "mnist-atlas"
    words = ("--recipe", "fast", "--seeds", str(SEEDS), "--crossed", str(CROSSED))
    measurement.convscope("experiment", *words, "--executor", f"local:{machine.describe()['cores']}", "--out", str(out))
    value, [crossed] = (json.loads((out / name).read_text(encoding="utf-8")) for name in ("atlas.json", "crossed.json"))
    shutil.copyfile(out / "experiment.html", PAGE)
    write_runs(out / "runs.csv")
    del crossed["accuracies"]
    value["hard_images"] = value["hard_images"][:_SHOWN]
    return {**value, "crossed": crossed, "num_crossed": CROSSED}


def write_runs(path: Path) -> None:
    """Write the columns that say what each run gave; the weights are told from the seed."""
    with path.open(encoding="utf-8", newline="") as file, RUNS.open("w", encoding="utf-8", newline="") as kept:
        writer = csv.writer(kept, lineterminator="\n")
        writer.writerow(_COLUMNS)
        for row in csv.DictReader(file):
            writer.writerow([row[name][:16] if name == "weights_sha256" else row[name] for name in _COLUMNS])


def picture(part: Part) -> str:
    """Return the spread of the accuracies as an SVG file."""
    from convscope.report.atlas_charts import draw_spread
    from convscope.report.style import themed_svg

    return themed_svg(draw_spread(part["spread"], part["histogram"]))


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
        "([methods](methods/experiments.md#the-atlas-of-many-seeds))."
    )
    yield from tables.provenance(part)


def _points(fraction: float) -> str:
    return f"{100 * fraction:.3f} points"


def _points_interval(interval: Any) -> str:
    low, high = interval
    return f"[{100 * low:.3f}, {100 * high:.3f}]"


def _share(found: dict[str, float]) -> list[str]:
    return [f"{100 * found['value']:.1f} %", tables.interval((found["low"], found["high"]))]
