"""The part "own-pictures" of docs/results.json: what the scripts of this folder measured, and its tables."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import tables
from scipy.stats import t

Part = dict[str, Any]
BUILD = Path(__file__).parents[2] / "build" / "own_pictures"
SETS = {
    "digits": "scikit-learn's digits, 16 × 16",
    "mnist-30": "MNIST, 30 a class",
    "fashion-300": "Fashion-MNIST, 300 a class",
    "letters": "26 letters in 40 fonts",
    "symbols": "100 symbols in 30 fonts, 32 × 32",
    "icons": "30 icons of 27 sets",
    "shapes": "3 classes of coloured shapes, 48 × 48",
    "patterns": "10 coloured patterns",
    "arrows": "8 arrows, 12 × 12",
}
FIXED = ("cnn:classic", "cnn:accurate", "cnn:thorough", "lenet5:thorough", "wide:thorough")
COMMANDS = ("sets", "measure", "pytorch", "cleaning", "labelling")
NUM_SEEDS = 5


def collect() -> Part:
    """Read what the scripts have written."""
    accuracies, cleaning, labelling = (
        json.loads((BUILD / f"{name}.json").read_text(encoding="utf-8"))
        for name in ("accuracies", "cleaning", "labelling")
    )
    rows = []
    for name in SETS:
        with np.load(BUILD / f"{name}.npz") as file:
            counts = {"num_train": len(file["y_train"]), "num_test": len(file["y_test"])}
        choices = {choice: [] for choice in (*FIXED, "auto", "pytorch")}
        for choice, runs in choices.items():
            keys = (f"{name}/{choice}/{seed}" for seed in range(NUM_SEEDS))
            runs += [accuracies[key] for key in keys if key in accuracies]
        rows.append({"name": name, **counts, "choices": choices})
    commands = [f"benchmarks/own_pictures/{name}.py" for name in COMMANDS]
    return {"commands": commands, "sets": rows, "cleaning": cleaning, "labelling": labelling}


def make_choices_table(part: Part) -> Iterable[str]:
    """Make the table of the recipe `auto` beside fixed choices and PyTorch."""
    rows = []
    for row in part["sets"]:
        values = {name: 100 * np.array([accuracy for accuracy, _ in runs]) for name, runs in row["choices"].items()}
        best = max(FIXED, key=lambda name: values[name].mean() if len(values[name]) else 0)
        seconds = np.mean([seconds for _, seconds in row["choices"]["auto"]])
        rows.append(
            [
                SETS[row["name"]],
                f"{row['num_train']:,}",
                f"{row['num_test']:,}",
                _mean(values["cnn:classic"]),
                f"{_mean(values[best])}, `{best.replace(':', '` `')}`",
                f"{_mean(values['auto'])} {_interval(values['auto'])}",
                _mean(values["pytorch"]),
                f"{seconds:.0f}",
            ]
        )
    header = ["set", "images", "test", "`cnn` `classic`", "best fixed", "`auto`", "PyTorch", "s"]
    yield from tables.table(header, rows)


def make_next_table(part: Part) -> Iterable[str]:
    """Make the table of labels that `predict --next` needs."""
    by_rule = {(row["name"], row["rule"]): row for row in part["labelling"]}
    rows = [
        [name, *(f"{row['last']:.1f} ± {row['last_sd']:.1f}" for row in (by_rule[name, "random"], ranked)),
         f"{ranked['needed']:.0f} ± {ranked['needed_sd']:.0f}"]
        for (name, rule), ranked in by_rule.items() if rule == "ranked"
    ]  # fmt: skip
    yield from tables.table(["set", "400 random", "400 by `--next`", "labels needed"], rows)
    yield from tables.provenance(part)


def _mean(values: Any) -> str:
    """Format a mean with its standard deviation, and the number of seeds unless it is five."""
    if not len(values):
        return "–"
    count = "" if len(values) == NUM_SEEDS else f" ({len(values)})"
    return f"{values.mean():.1f}" + (f" ± {values.std(ddof=1):.1f}" if len(values) > 1 else "") + count


def _interval(values: Any) -> str:
    """Format the 95 % t interval of a mean over seeds."""
    half = float(t.ppf(0.975, len(values) - 1)) * values.std(ddof=1) / np.sqrt(len(values))
    return f"[{values.mean() - half:.1f}, {values.mean() + half:.1f}]"
