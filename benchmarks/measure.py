"""Measure the published results, write them to docs/results.json, and write the tables of the pages from that file.

    make results                             every part
    make results ARGS="accuracy pictures"    these parts; the others stay as they are
    make results ARGS="--pages"              no part: only the tables of the pages

Each part keeps the date, the machine, the versions, the commands, and the state of the engine's sources it was measured
at. Experiments are kept in build/results, by that state, so an interrupted measurement continues where it stopped.
"""

import argparse
import json
import platform
import shlex
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import engine_sources
import machine
import processes
import publish

Part = dict[str, Any]
PROJECT = engine_sources.PROJECT
BENCHMARKS = Path(__file__).parent
BOTH = ("--architecture", "cnn", "--architecture", "ann")
ACCURACY = {
    "classic": (*BOTH, "--recipe", "classic", "--seeds", "30"),
    "others": ("--recipe", "fast", "--recipe", "accurate", "--seeds", "30"),
}
# The 20 epochs were one guess, tried once; nothing was tuned for these images.
FASHION = {
    "classic": (*BOTH, "--recipe", "classic", "--seeds", "10"),
    "accurate": ("--recipe", "accurate", "--seeds", "10"),
    "longer": ("--recipe", "accurate", "--epochs", "20", "--seeds", "5"),
}


class Measurement:
    """Runs commands and notes them as a reader would type them."""

    def __init__(self, scratch: Path) -> None:
        self.scratch = scratch
        self.commands = list[str]()

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
        found: dict[str, Any] = json.loads(processes.run([*command, "--json"], PROJECT).output)
        return found


def experiments(measurement: Measurement, dataset: str, plans: dict[str, tuple[str, ...]]) -> Part:
    """Return a row for each group of runs, and the comparison of the first plan's two networks."""
    rows, pairs = [], []
    for name, words in plans.items():
        out = str(measurement.scratch / f"{dataset}-{name}")
        found = measurement.convscope("experiment", "--dataset", dataset, *words, "--executor", "local:1", "--out", out)
        for group in found["table"]:
            runs = [one for one in found["runs"] if all(one[key] == group[key] for key in ("architecture", "recipe"))]
            about = {"parameters": runs[0]["parameters"], "epochs": len(runs[0]["history"]["loss"])}
            rows.append({**group, **about, "seeds": [one["seed"] for one in runs]})
        if len(found["table"]) == 2 and not pairs:
            pairs = measurement.convscope("compare", out)["comparisons"]
    return {"num_images": found["num_images"], "rows": rows, "comparison": pairs[0]}


def pictures(measurement: Measurement) -> Part:
    """Return how many photographed digits and numbers one network classifies correctly."""
    run = measurement.scratch / "pictures"
    if not (run / "DONE").exists():
        measurement.convscope("train", "--recipe", "classic", "--seed", "0", "--out", str(run))
    digits = measurement.script("photo_reading.py", str(run), "--count", "1000")
    numbers = measurement.script("string_reading.py", str(run), "--strings", "800")
    kept = ("num_images", "accuracy", "interval")
    figures = {**digits["figures"], **numbers["figures"]}
    return {"seed": 0, "rows": [{"name": name, **{key: one[key] for key in kept}} for name, one in figures.items()]}


def main_job(measurement: Measurement) -> Part:
    """Return the times of `convscope run` beside training alone and beside the notebook."""
    words = ["first_page.py", "--times", "5", "--notebook"]
    measurement.commands.append(f"benchmarks/{shlex.join(words)}")
    found = processes.run_json([sys.executable, BENCHMARKS / words[0], *words[1:]], PROJECT)
    require_quiet(found["busiest"])
    return found


def require_quiet(busiest: float) -> None:
    """Raise a ValueError if other programs took part of the processor during a measurement."""
    if busiest > machine.QUIET:
        raise ValueError(f"other programs took {busiest:.0%} of the processor; measure on a quiet machine")


def speed(measurement: Measurement) -> Part:
    """Return the table of benchmarks/compare.py, from a machine on which nothing else ran."""
    file = measurement.scratch / "speed.json"
    words = [sys.executable, BENCHMARKS / "compare.py", "--json", file]
    measurement.commands.append("make bench")
    processes.run(words, PROJECT)
    found = json.loads(file.read_text(encoding="utf-8"))
    require_quiet(found["busiest"])
    rows = []
    for result in found["results"]:
        samples = [{**one, "n": len(one["values"]), "values": None} for one in result["samples"][:2]]
        rows.append({"title": result["title"], "value": result["value"], "unit": result["bound"]["unit"],
                     "samples": samples})  # fmt: skip
    return {"rows": rows, "peers": found["versions"], "turns": found["repeat"]}


PARTS: dict[str, Callable[[Measurement], Part]] = {
    "accuracy": lambda measurement: experiments(measurement, "mnist", ACCURACY),
    "fashion": lambda measurement: experiments(measurement, "fashion-mnist", FASHION),
    "pictures": pictures,
    "main-job": main_job,
    "speed": speed,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"{', '.join(PARTS)}; by default all")
    parser.add_argument("--pages", action="store_true", help="measure nothing and write the tables of the pages again")
    options = parser.parse_args()
    if unknown := [part for part in options.parts if part not in PARTS]:
        parser.error(f"{unknown[0]}: the parts are {', '.join(PARTS)}")
    kept = publish.load()
    for part in [] if options.pages else options.parts or PARTS:
        try:
            kept[part] = measured(part)
        except (ValueError, processes.MeasurementError) as error:
            sys.exit(f"{part}: {error}")
        publish.save(kept)
    publish.write_pages(kept)


def measured(part: str) -> Part:
    """Return what `part` measures, with the date, the machine and the state of the engine's sources."""
    commit, digest = engine_sources.commit(), engine_sources.digest()
    scratch = PROJECT / "build" / "results" / digest[:12]
    scratch.mkdir(parents=True, exist_ok=True)
    measurement = Measurement(scratch)
    found = PARTS[part](measurement)
    if engine_sources.digest() != digest:
        raise ValueError("the engine's sources changed during the measurement; measure again")
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "commit": commit,
        "engine_sha256": digest,
        "machine": machine.describe(),
        "versions": {"python": platform.python_version()} | {name: version(name) for name in ("convscope", "numpy")},
        "commands": measurement.commands,
        **found,
    }


if __name__ == "__main__":
    main()
