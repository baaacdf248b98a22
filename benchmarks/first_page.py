"""Time the main job as a user meets it: how soon a page opens, and what the whole job costs beside training alone.

    python benchmarks/first_page.py [--times 5] [--notebook]

In turns it runs `convscope train` and `convscope run --seeds 1`, both with `--recipe fast` on MNIST, and with
`--notebook` the notebook in Keras (after `make peers`) beside `convscope run --seeds 1` with its own recipe. It prints
the medians and their ratios as JSON, and for `train` the processor seconds beside its training. Ratios hold where times
do not: both sides meet the same machine.
"""

import argparse
import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from threading import Event, Thread
from time import perf_counter, sleep
from typing import Any

import machine
import notebook
import processes

from convscope.engine.processor import choose_threads

CONVSCOPE = Path(sys.executable).parent / "convscope"


def measure_train() -> dict[str, float]:
    """Train once, and return seconds of the process and of the processor, and the latter beside the training itself."""
    with TemporaryDirectory() as folder:
        run = Path(folder) / "run"
        done = processes.run([CONVSCOPE, "train", "--recipe", "fast", "--out", run], Path(folder))
        training = choose_threads(None) * json.loads((run / "timings.json").read_text())["train"]
        beside = done.cpu_seconds - training
        return {"seconds": done.seconds, "cpu_seconds": done.cpu_seconds, "beside_training_cpu_seconds": beside}


def measure_run(*options: str) -> dict[str, float]:
    """Run the main job once; return seconds of the process and of the processor, until the first page, and memory."""
    with TemporaryDirectory() as folder:
        page, ended, opened = Path(folder) / "run" / "report.html", Event(), list[float]()
        start = perf_counter()

        def watch() -> None:
            while not opened and not ended.is_set():
                if page.exists():
                    opened.append(perf_counter() - start)
                sleep(0.005)

        watching = Thread(target=watch)
        watching.start()
        try:
            command = [CONVSCOPE, "run", *options, "--seeds", "1", "--out", page.parent]
            done = processes.run(command, Path(folder))
        finally:
            ended.set()
            watching.join()
        return {
            "seconds": done.seconds,
            "cpu_seconds": done.cpu_seconds,
            "first_page_seconds": opened[0] if opened else done.seconds,
            "peak_memory_bytes": float(done.peak_memory_bytes),
        }


def in_turns(times: int, sides: Mapping[str, Callable[[], dict[str, float]]]) -> tuple[dict[str, Any], float]:
    """Measure every side `times` times, one after the other.

    Returns:
        Per side and figure the median and [min, max] over the turns; and the largest share of the processor that other
        programs took right before a measurement.
    """
    turns: dict[str, list[dict[str, float]]] = {name: [] for name in sides}
    busiest = 0.0
    for _ in range(times):
        for name, side in sides.items():
            busiest = max(busiest, machine.wait_until_quiet(60))
            turns[name].append(side())

    def spread(values: list[float]) -> dict[str, Any]:
        return {"median": median(values), "spread": [min(values), max(values)]}

    return {
        name: {figure: spread([turn[figure] for turn in measured]) for figure in measured[0]}
        for name, measured in turns.items()
    }, busiest


def measure(times: int, *, with_notebook: bool) -> dict[str, Any]:
    """Measure all sides `times` times in turns, and return their figures and the ratios of the medians."""
    sides = {"train": measure_train, "run": lambda: measure_run("--recipe", "fast")}
    if with_notebook:
        sides |= {"classic_run": measure_run, "notebook": lambda: {"seconds": notebook.measure()["seconds"][0]}}
    figures, busiest = in_turns(times, sides)

    def middle(side: str, figure: str) -> float:
        value: float = figures[side][figure]["median"]
        return value

    ratios = {
        "first_page": middle("run", "first_page_seconds") / middle("train", "seconds"),
        "whole_cpu": middle("run", "cpu_seconds") / middle("train", "cpu_seconds"),
    }
    if with_notebook:
        ratios["notebook_to_first_page"] = middle("notebook", "seconds") / middle("classic_run", "first_page_seconds")
    peers = notebook.versions() if with_notebook else {}
    return {"times": times, "busiest": busiest, "sides": figures, "ratios": ratios, "peers": peers}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--times", type=int, default=5, help="Measurements of each side.")
    parser.add_argument("--notebook", action="store_true", help="Measure the notebook in Keras too.")
    options = parser.parse_args()
    print(json.dumps(measure(options.times, with_notebook=options.notebook)))
