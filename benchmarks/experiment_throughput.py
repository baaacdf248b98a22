"""Time the runs of an experiment: one process of one thread, this process on all cores, and processes of one thread.

python benchmarks/experiment_throughput.py [--architecture cnn] [--runs 6] [--processes 2] [--repeats 3]

Each side trains the same runs (recipe `fast` on MNIST) and keeps nothing; processes are warm, with the data loaded. The
sides take turns. Printed are seconds of a turn and how many times the runs a second are those of one thread.
"""

import argparse
import platform
import statistics
import time
from collections.abc import Callable
from concurrent.futures import Executor
from importlib.metadata import version

import machine

import convscope as cs
from convscope.architecture.presets import PRESETS
from convscope.experiment import RunSpec, open_executor, train_runs


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--architecture", choices=list(PRESETS), default="cnn")
    parser.add_argument("--runs", type=int, default=6, help="a multiple of the processes")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()

    splits = cs.load_dataset("mnist")
    network = PRESETS[arguments.architecture]()
    specs = [RunSpec("mnist", network, cs.recipes.fast, seed) for seed in range(arguments.runs)]
    weights = set[tuple[str, ...]]()

    def run(executor: Executor | None, threads: int | None) -> float:
        start = time.perf_counter()
        results = train_runs(specs, splits, executor=executor, threads=threads)
        weights.add(tuple(result.weights_sha256 for result in results))
        return time.perf_counter() - start

    with open_executor(f"local:{arguments.processes}") as executor:
        sides: dict[str, Callable[[], float]] = {
            "one process, one thread": lambda: run(None, 1),
            "one process, all cores": lambda: run(None, None),
            f"{arguments.processes} processes, one thread each": lambda: run(executor, 1),
        }
        for side in sides.values():
            side()  # pays for cold caches and for starting the processes
        busy = machine.busy_share()
        turns = [{name: side() for name, side in sides.items()} for _ in range(arguments.repeats)]
    assert len(weights) == 1, "the sides trained other weights"

    print(f"device              {machine.describe()['processor']}, {machine.describe()['cores']} cores")
    print(f"taken by others     {100 * busy:.0f} % of the processor before the turns")
    print(f"python, convscope   {platform.python_version()}, {version('convscope')}")
    print(f"runs                {arguments.runs} of {network.name}, recipe fast, {len(splits.train):,} images each")
    first = next(iter(sides))
    for name in sides:
        seconds = [turn[name] for turn in turns]
        ratios = [turn[first] / turn[name] for turn in turns]
        print(
            f"{name:<29} {statistics.median(seconds):.2f} s [{min(seconds):.2f}, {max(seconds):.2f}] ({len(turns)}), "
            f"{statistics.median(ratios):.2f} x [{min(ratios):.2f}, {max(ratios):.2f}]"
        )


if __name__ == "__main__":
    main()
