"""Measure how long commands take on experiments of few and of many runs; the runs are drawn here, not trained.

    python benchmarks/many_runs.py [--runs 100 10000] [--repeats 3]

Printed are, for each number of runs, the median seconds of `compare`, of an `ensemble` of ten runs, of reading what
`log` sends, of one more run in the folder, of opening one run, and of reading all runs. `compare`, `log` and one more
run include the reading of all runs. The networks have 255 parameters, and there are 300 test images. The last line is
JSON.
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable
from contextlib import redirect_stdout
from dataclasses import replace
from io import StringIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import machine
import numpy as np

import convscope as cs
from convscope.engine import initial_weights
from convscope.experiment import RunSpec, train_runs
from convscope.experiment.machine import describe_machine
from convscope.experiment.store import RunStore
from convscope.experiment.worker import WorkerResult
from convscope.runs.comparing import compare_folders
from convscope.runs.ensembling import ensemble_run
from convscope.runs.listeners import SILENT
from convscope.runs.tracking import find_runs, read_results, read_run
from convscope.storage import StoredRuns, load_model, writing
from convscope.training import History
from convscope.training.model import Model

LAYERS = (cs.Conv2D(1, 3, activation="relu"), cs.MaxPooling2D(5), cs.Flatten(), cs.Dense(10, "softmax"))
NETWORKS = [cs.Architecture(cs.Input(28, 28, 1), LAYERS, name) for name in ("first", "second")]
RECIPES = [cs.Recipe(epochs=1, name="one"), cs.Recipe(epochs=1, batch_size=64, name="other")]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, nargs="+", default=[100, 10_000])
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()
    start, own, seconds = machine.ticks(), time.process_time(), dict[str, dict[str, float]]()
    for count in arguments.runs:
        with TemporaryDirectory() as name:
            data, splits = make_runs(Path(name), count)
            seconds[f"{count}"] = measure(Path(name), data, splits, count, arguments.repeats)
        print(f"{count:,} runs: {seconds[f'{count}']}", flush=True)
    busiest = machine.measure_others_share(start, time.process_time() - own)
    print(json.dumps({"seconds": seconds, "repeats": arguments.repeats, "busiest": busiest}))


def rows(part: dict[str, Any]) -> list[list[str]]:
    """Format the rows of the table in docs/results.md."""
    by_count = list(part["seconds"].values())
    return [[what, *(f"{seconds[what]:.3g} s" for seconds in by_count)] for what in by_count[0]]


def make_runs(folder: Path, count: int) -> tuple[Path, cs.Splits]:
    """Store runs of two networks, each a group of its own, and return the data."""
    mnist = cs.load_dataset("mnist")
    data = folder / "data.npz"
    np.savez(
        data, x_train=mnist.train.images[:300, ..., 0], y_train=mnist.train.labels[:300],
        x_test=mnist.test.images[:300, ..., 0], y_test=mnist.test.labels[:300],
    )  # fmt: skip
    splits, random, history = cs.load_dataset(data), np.random.default_rng(0), History(*((0.5,) for _ in range(5)))
    machine = describe_machine("native", "float32")
    with writing(folder):
        store = RunStore(splits, folder / "runs")
        for number in range(count):
            spec = make_spec(data, number % 2, number // 2)
            weights = initial_weights(spec.architecture, number)
            model = Model(spec.architecture, weights, splits.class_names, {"by": "many_runs"})
            wrong = random.random(len(splits.test)) < 0.1
            y_pred = ((splits.test.labels + wrong) % 10).astype(np.uint16)
            store.keep(spec, spec.digest(splits), WorkerResult(model, history, y_pred, 0.5, machine, 1))
    return data, splits


def make_spec(data: Path, group: int, seed: int) -> RunSpec:
    return RunSpec(str(data), NETWORKS[group], RECIPES[group], seed)


def measure(folder: Path, data: Path, splits: cs.Splits, count: int, repeats: int) -> dict[str, float]:
    """Measure the seconds of each command."""
    runs = [run.path for run in list(StoredRuns(folder / "runs").runs(print))]
    ten, unused_seeds = runs[:20:2], iter(range(count, 2 * count))  # every second run is of the same network

    def read_as_log() -> None:
        for path in find_runs(folder):
            read_run(path)
            read_results(path)

    def join_ten() -> None:
        ensemble_run(ten, folder / f"joined-{next(unused_seeds)}", "", SILENT)

    def train_more() -> None:
        specs = [make_spec(data, number % 2, number // 2) for number in range(count)]
        train_runs([*specs, replace(specs[0], seed=next(unused_seeds))], splits, folder=folder, threads=1)

    steps: dict[str, Callable[[], object]] = {
        "reading all runs": lambda: list(StoredRuns(folder / "runs").runs(print)),
        "opening one run": lambda: load_model(runs[-1]),
        "`compare` of the folder": lambda: compare_folders([folder]),
        "`ensemble` of ten": join_ten,
        "`log` of all runs": read_as_log,
        "one more run in the folder": train_more,
    }
    return {name: statistics.median(seconds_of(step) for _ in range(repeats)) for name, step in steps.items()}


def seconds_of(step: Callable[[], object]) -> float:
    start = time.perf_counter()
    with redirect_stdout(StringIO()):
        step()
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
