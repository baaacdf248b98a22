"""Time the main job as a user meets it: how soon a page opens, and what the whole job costs beside training alone.

    python benchmarks/first_page.py [--times 5] [--notebook]

In turns it runs `convscope train` and `convscope run --seeds 1`, both with `--recipe fast` on MNIST, and with
`--notebook` the notebook in Keras (after `make peers`) beside `convscope run --seeds 1` with its own recipe. It prints
the medians and their ratios as JSON. Ratios hold where times do not: both sides meet the same machine.
"""

import argparse
import json
import os
import sys
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from threading import Event, Thread
from time import perf_counter, sleep
from typing import Any

import notebook
import processes

CONVSCOPE = Path(sys.executable).parent / "convscope"
LIMITS = {"first_page": 2.0, "whole_cpu": 3.5}  # times `convscope train`


def measure_train() -> dict[str, float]:
    """Train once, and return seconds of the process and of the processor."""
    with TemporaryDirectory() as folder:
        done = processes.run([CONVSCOPE, "train", "--recipe", "fast", "--out", Path(folder) / "run"], Path(folder))
        return {"seconds": done.seconds, "cpu_seconds": done.cpu_seconds}


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


def medians(measured: list[dict[str, float]]) -> dict[str, float]:
    """Return the median of each number."""
    return {name: median(one[name] for one in measured) for name in measured[0]}


def measure(times: int, *, with_notebook: bool) -> dict[str, Any]:
    """Measure both sides `times` times in turns."""
    trains, runs, wholes, notebooks = (list[dict[str, float]]() for _ in range(4))
    for _ in range(times):
        trains.append(measure_train())
        runs.append(measure_run("--recipe", "fast"))
        if with_notebook:
            wholes.append(measure_run())
            notebooks.append({"seconds": notebook.measure()["seconds"][0]})
    train, run = medians(trains), medians(runs)
    ratios = {
        "first_page": run["first_page_seconds"] / train["seconds"],
        "whole_cpu": run["cpu_seconds"] / train["cpu_seconds"],
    }
    found: dict[str, Any] = {"times": times, "load": os.getloadavg(), "train": train, "run": run, "ratios": ratios}
    if with_notebook:
        whole, keras = medians(wholes), medians(notebooks)
        found |= {"run_like_the_notebook": whole, "notebook": keras}
        ratios["notebook_to_whole"] = keras["seconds"] / whole["seconds"]
        ratios["notebook_to_first_page"] = keras["seconds"] / whole["first_page_seconds"]
    return found | {"limits": LIMITS}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--times", type=int, default=5, help="Measurements of each side.")
    parser.add_argument("--notebook", action="store_true", help="Measure the notebook in Keras too.")
    asked = parser.parse_args()
    print(json.dumps(measure(asked.times, with_notebook=asked.notebook), indent=1))
