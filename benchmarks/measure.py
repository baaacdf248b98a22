"""Measure the published results, write them to docs/results.json, and write the tables of the pages from that file.

    make results                             every part
    make results ARGS="accuracy pictures"    these parts; the others stay as they are
    make results ARGS="--pages"              no part: only the tables of the pages
    make results ARGS="frontier --points tiny8k,cnn-fast --seeds 10"
    make results ARGS="accuracy frontier --check"   rows of another engine: is one training of each still the same?

Each part keeps the date, the machine, the versions, the commands, and the state of the engine (see engine_state.py).
Experiments are kept in build/results, by that state, so an interrupted measurement continues where it stopped.

The rows of the frontier are kept one by one, so that they can be measured on several days, with more seeds on each.
Accuracies do not depend on what else the machine does; the seconds of training are a part of their own, which needs a
machine that does nothing else.

A change of the weights that the engine computes marks all rows as out of date, though most rows stay as they are. With
`--check`, the first network of such a row is trained again. Where its weights are the same bit for bit, the row stands,
and its table says so.
"""

import argparse
import json
import platform
import shlex
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any

import answers
import atlas.tables as atlas
import engine_state
import frontier.headers as headers
import machine
import own_pictures.pages as own_pictures
import plans
import processes
import publish
import speed as speed_rows
from frontier.measure import command_of, measure_point, time_trainings
from frontier.points import (
    ACCURACY,
    ALL,
    FASHION,
    Point,
    find_network,
    find_points,
    find_recipe,
    find_single_networks,
    read_points,
)
from rows import ROWS

import convscope as cs

Part = dict[str, Any]
PROJECT = engine_state.PROJECT
BENCHMARKS = Path(__file__).parent
TURNS = 3
FRESH_SEEDS = "200-229"  # seeds that chose nothing and were not looked at before all choices were made
FRESH = ("lenet5", "cnn-fast", "cnn-accurate")


class Measurement:
    """A measurement that runs commands and notes them as a reader would type them.

    Attributes:
        scratch: the folder of experiments that are kept.
        points, seeds: the points of the frontier and their seeds, as on the command line.
        earlier: the part as it was measured last.
        keep: saves a part; it is called after each row that takes long.
        commands: all commands so far.
        cpu_seconds: the processor seconds that the last command took.
    """

    def __init__(
        self, scratch: Path, points: str, seeds: str | None, earlier: Part, keep: Callable[[Part], None]
    ) -> None:
        self.scratch, self.points, self.seeds, self.earlier, self.keep = scratch, points, seeds, earlier, keep
        self.commands, self.cpu_seconds = list[str](), 0.0

    def convscope(self, *words: str) -> dict[str, Any]:
        """Run a command of convscope and return its JSON."""
        return self._json(["convscope", *words], [sys.executable, "-m", "convscope", *words])

    def script(self, name: str, *words: str) -> dict[str, Any]:
        """Run a script of this folder and return its JSON."""
        return self._json([f"benchmarks/{name}", *words], [sys.executable, BENCHMARKS / name, *words])

    def _json(self, shown: list[str], command: list[str | Path]) -> dict[str, Any]:
        text = shlex.join(shown).replace(f"{self.scratch}/", "runs/")
        print(text, file=sys.stderr, flush=True)
        self.commands.append(text)
        done = processes.run([*command, "--json"], PROJECT)
        self.cpu_seconds = done.cpu_seconds
        result: dict[str, Any] = json.loads(done.output)
        return result


def frontier(measurement: Measurement, dataset: str) -> Part:
    """Measure a row for each point of the frontier that is asked for; the others stay as they were."""
    return measure_rows(measurement, dataset, find_points(measurement.points, dataset), read_points())


def fresh(measurement: Measurement) -> Part:
    """Measure some of these points, or those that are asked for, with seeds that chose nothing."""
    order = find_points(",".join(FRESH), "mnist")
    points = order if measurement.points == ALL else find_points(measurement.points, "mnist")
    return measure_rows(measurement, "mnist", points, order, FRESH_SEEDS)


def accuracy(measurement: Measurement, dataset: str, points: Sequence[Point]) -> Part:
    """Measure a row for each of `points`, and compare the first two."""
    part = measure_rows(measurement, dataset, points, points)
    return part | {"comparison": compare_rows(*part["rows"][:2])}


def compare_rows(first: Part, second: Part) -> Part:
    """Compare two rows by their published predictions."""
    comparison = cs.compare_groups(answers.read_group(first), answers.read_group(second)).to_dict()
    kept = ("names", "accuracy_difference", "accuracy_difference_interval", "error_ratio", "error_ratio_interval",
            "p_value", "degrees_of_freedom", "verdict")  # fmt: skip
    return {name: comparison[name] for name in kept}


def measure_rows(
    measurement: Measurement, dataset: str, points: Sequence[Point], order: Sequence[Point], seeds: str | None = None
) -> Part:
    """Measure a row for each of `points` and keep it with those of `order` that were measured before.

    Args:
        seeds: the seeds in place of as many as each point states.
    """
    part, data = dict(measurement.earlier), cs.load_dataset(dataset)
    with cs.open_executor(f"local:{machine.describe()['cores']}") as executor:
        for point in points:
            own = f"{point.first_seed}-{point.first_seed + point.seeds - 1}"
            chosen = parse_seeds(measurement.seeds or seeds or own)
            measurement.commands.append(command_of(point, dataset, chosen))
            row = measure_point(point, data, chosen, measurement.scratch / dataset, executor)
            part = add_row(part, measurement, row, order) | {"num_images": len(data.test)}
            print(f"{point.name}: {row['mean']:.3%}, the mean of {row['num_runs']} runs", file=sys.stderr, flush=True)
    return part


def parse_seeds(text: str) -> list[int]:
    """Read the number of seeds from 0 on, or a range such as 100-109."""
    first, dash, last = text.partition("-")
    return list(range(int(first), int(last) + 1)) if dash else list(range(int(first)))


def check(part: Part, dataset: str, scratch: Path, keep: Callable[[Part], None]) -> None:
    """Let each row of `part` stand whose first network has the same weights when this engine trains it.

    Args:
        keep: saves the part; it is called after each such row.
    """
    rows = list(part["rows"])
    for number, row in enumerate(rows):
        if publish.is_current(row, part):
            continue
        if "first" not in row:
            print(f"{name_row(row)}: measured before checks; measure it again", file=sys.stderr)
            continue
        recipe = find_recipe(row["recipe"])
        changes = {name: row[name] for name in ("precision", "epochs") if name in row}
        [run] = cs.run_experiment(
            [find_network(row["architecture"])],
            cs.load_dataset(dataset),
            [replace(recipe, **changes)],
            [row["first"]["seed"]],
            folder=scratch / "checks" / f"{dataset}-{name_row(row)}",  # for this training alone
        ).runs
        if run.weights_sha256 == row["first"]["weights_sha256"]:
            choice = publish.compute_choice_digest(row["architecture"], row["recipe"])
            rows[number] = row | {"engine_sha256": engine_state.digest(), "choice_sha256": choice, "checked": today()}
            keep(part | {"rows": rows})
        else:
            print(f"{name_row(row)}: other weights than when it was measured; measure it again", file=sys.stderr)


def name_row(row: Part) -> str:
    """Name a row: by its point, or by its network and recipe."""
    name: str = row.get("name") or f"{row['architecture']}-{row['recipe']}"
    return name


def frontier_seconds(measurement: Measurement, dataset: str) -> Part:
    """Measure the seconds of one training for each network and recipe of the frontier, in turns, on a quiet machine."""
    part, data = dict(measurement.earlier), cs.load_dataset(dataset)
    points = find_single_networks(find_points(measurement.points, dataset), dataset)
    start, own = machine.ticks(), time.process_time()
    seconds = time_trainings(points, data, TURNS)
    require_quiet(machine.measure_others_share(start, time.process_time() - own))
    for point in points:
        measurement.commands.append(command_of(point, dataset, [0]))
        row = {"name": point.name, "architecture": point.architecture, "recipe": point.recipe, "seed": 0}
        figures = {"seconds": median(seconds[point.name]), "turns": TURNS, "threads": 2}
        figures["processor"] = machine.describe()["processor"]
        precision = find_recipe(point.recipe).precision
        part = add_row(part, measurement, {**row, **figures, "precision": precision}, read_points())
    return part


def add_row(part: Part, measurement: Measurement, row: Part, order: Sequence[Point]) -> Part:
    """Add a row measured now to `part`, in the order of the points, and write it."""
    choice = None if row.get("files") else publish.compute_choice_digest(row["architecture"], row["recipe"])
    stamp = {
        "date": today(),
        "engine_sha256": engine_state.digest(),
        "choice_sha256": choice,
        "command": measurement.commands[-1],
    }
    rows = {other_row["name"]: other_row for other_row in part.get("rows", ())} | {row["name"]: {**row, **stamp}}
    ordered = [rows[point.name] for point in order if point.name in rows]
    result = {**part, "rows": ordered, "commands": [other_row["command"] for other_row in ordered]}
    measurement.keep(result)
    return result


def today() -> str:
    return datetime.now(UTC).date().isoformat()


def pictures(measurement: Measurement) -> Part:
    """Count the photographed digits and numbers that a network classifies correctly."""
    run = measurement.scratch / "pictures"
    if not (run / "DONE").exists():
        measurement.convscope("train", "--recipe", "classic", "--seed", "0", "--out", str(run))
    digits = measurement.script("photo_reading.py", str(run), "--count", "1000")
    numbers = measurement.script("string_reading.py", str(run), "--strings", "800")
    kept = ("num_images", "accuracy", "interval")
    figures = {**digits["figures"], **numbers["figures"]}
    network = {
        "architecture": "cnn",
        "recipe": "classic",
        "choice_sha256": publish.compute_choice_digest("cnn", "classic"),
        "first": {"seed": 0, "weights_sha256": json.loads((run / "run.json").read_text("utf-8"))["weights_sha256"]},
    }
    rows = [{"name": name, **{key: row[key] for key in kept}, **network} for name, row in figures.items()]
    return {"seed": 0, "rows": rows}


def integers(measurement: Measurement) -> Part:
    """Export networks of few bits as C headers in integers, and measure what compilers make of them."""
    part, data = dict(measurement.earlier), cs.load_dataset("mnist")
    for point in filter(headers.is_of_few_bits, find_points(measurement.points, "mnist")):
        seeds = parse_seeds(measurement.seeds or f"{point.first_seed}-{point.first_seed + point.seeds - 1}")
        folder = measurement.scratch / "integers" / point.name
        with cs.open_executor(f"local:{machine.describe()['cores']}") as executor:
            run = headers.train(point, data, seeds, folder, executor)
        figures = measurement.script("microcontroller.py", str(folder), "--arm", "0")
        row = headers.describe(point, seeds, figures) | {"parameters": run.parameters}
        part = add_row(part, measurement, row, read_points()) | {"num_images": figures["num_images"]}
    return part


def main_job(measurement: Measurement) -> Part:
    """Measure the times of `convscope run` beside training alone and beside the notebook."""
    return on_a_quiet_machine(measurement, "first_page.py", "--times", "5", "--notebook")


def installation(measurement: Measurement) -> Part:
    """Measure the size of an installation, and the time to install, import and run it."""
    return on_a_quiet_machine(measurement, "install.py", "--times", "20")


def time_stored_runs(measurement: Measurement) -> Part:
    """Measure how long commands take on 100 and on 10,000 stored runs."""
    return on_a_quiet_machine(measurement, "many_runs.py", "--repeats", "1")  # ten minutes with three


def on_a_quiet_machine(measurement: Measurement, *words: str) -> Part:
    """Read the JSON that a script of this folder prints, if nothing else ran meanwhile."""
    measurement.commands.append(f"benchmarks/{shlex.join(words)}")
    result = processes.run_json([sys.executable, BENCHMARKS / words[0], *words[1:]], PROJECT)
    require_quiet(result["busiest"])
    return result


def require_quiet(busiest: float) -> None:
    """Raise a ValueError if other programs took part of the processor during a measurement."""
    if busiest > machine.QUIET:
        raise ValueError(f"other programs took {busiest:.0%} of the processor; measure on a quiet machine")


def speed(measurement: Measurement) -> Part:
    """Measure the rows of benchmarks/compare.py that are asked for, on a machine on which nothing else runs."""
    file = measurement.scratch / "speed.json"
    names = [row.name for row in ROWS] if measurement.points == ALL else measurement.points.split(",")
    measurement.commands.append("make bench")
    processes.run([sys.executable, BENCHMARKS / "compare.py", "--json", file, "--rows", *names], PROJECT)
    comparison = json.loads(file.read_text(encoding="utf-8"))
    require_quiet(comparison["busiest"])
    return speed_rows.add_rows(measurement.earlier, comparison, names, today())


PARTS: dict[str, Callable[[Measurement], Part]] = {
    "accuracy": lambda measurement: accuracy(measurement, "mnist", ACCURACY),
    "fashion": lambda measurement: accuracy(measurement, "fashion-mnist", FASHION),
    "frontier": lambda measurement: frontier(measurement, "mnist"),
    "frontier-fresh": fresh,
    "frontier-seconds": lambda measurement: frontier_seconds(measurement, "mnist"),
    "frontier-fashion": lambda measurement: frontier(measurement, "fashion-mnist"),
    "atlas": atlas.measure,
    "crossed": atlas.measure_crossed,
    "plans": lambda measurement: plans.measure(measurement, publish.load()["frontier"]["rows"]),
    "pictures": pictures,
    "own-pictures": lambda _: own_pictures.collect(),
    "integers": integers,
    "stored-runs": time_stored_runs,
    "install": installation,
    "main-job": main_job,
    "speed": speed,
}
DATASETS = {
    "accuracy": "mnist",
    "fashion": "fashion-mnist",
    "frontier": "mnist",
    "frontier-fresh": "mnist",
    "frontier-fashion": "fashion-mnist",
    "pictures": "mnist",
}
"""The parts whose rows are trained networks, with the data set of each."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"{', '.join(PARTS)}; by default all")
    parser.add_argument("--pages", action="store_true", help="measure nothing and write the tables of the pages again")
    parser.add_argument("--points", default=ALL, help="points of the frontier or rows of speed, with commas; else all")
    parser.add_argument("--check", action="store_true", help="train one network of each row that is out of date again")
    parser.add_argument("--seeds", help="seeds of each point of the frontier; by default as many as it states")
    options = parser.parse_args()
    if unknown := [part for part in options.parts if part not in PARTS]:
        parser.error(f"{unknown[0]}: the parts are {', '.join(PARTS)}")
    kept = publish.load()
    every = [part for part in DATASETS if part in kept] if options.check else PARTS
    for part in [] if options.pages else options.parts or every:
        try:
            if options.check:
                if part not in DATASETS or part not in kept:
                    raise ValueError("has no rows of trained networks; measure it")
                check(kept[part], DATASETS[part], make_scratch_folder(), partial(keep_part, kept, part))
            else:
                measure(part, kept, options.points, options.seeds)
        except (cs.ConvscopeError, ValueError, processes.MeasurementError) as error:
            sys.exit(f"{part}: {error}")
    publish.write_pages(kept)


def keep_part(kept: dict[str, Part], name: str, part: Part) -> None:
    kept[name] = part
    publish.save(kept)


def make_scratch_folder() -> Path:
    """Make the folder of this engine's experiments, unless it exists, and return it."""
    folder = PROJECT / "build" / "results" / engine_state.digest()[:12]
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def measure(part: str, kept: dict[str, Part], points: str, seeds: str | None) -> None:
    """Measure `part` and keep it, with the date, the machine and the state of the engine."""
    commit, digest = engine_state.commit(), engine_state.digest()
    scratch = make_scratch_folder()

    def keep(result: Part) -> None:
        if engine_state.commit() != commit:
            raise ValueError("the engine's sources changed during the measurement; measure again")
        kept[part] = {
            "commands": measurement.commands,
            **result,
            "date": today(),
            "commit": commit,
            "engine_sha256": digest,
            "machine": machine.describe(),
            "versions": {"python": platform.python_version()}
            | {name: version(name) for name in ("convscope", "numpy")},
        }
        publish.save(kept)

    measurement = Measurement(scratch, points, seeds, kept.get(part, {}), keep)
    keep(PARTS[part](measurement))


if __name__ == "__main__":
    main()
