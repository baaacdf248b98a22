"""Measure how many networks a second an experiment trains, and the bare engine, PyTorch and Keras on the same task.

python benchmarks/experiment_throughput.py [--networks 8] [--processes 2] [--repeats 3]

The task is `cnn` with the recipe `fast`: 60,000 images, one epoch, and the predictions for 10,000 test images. Each
side has as many processes as there are cores, one thread each, warm, and the sides take turns:

- engine: an epoch of the engine alone, without evaluation and without storing anything;
- experiment: `train_runs` with local processes into a folder: weights are drawn, trained, evaluated and stored, with
  the predictions;
- PyTorch, Keras: peers/many_networks.py.

Printed are networks a second, and how many times as many an experiment trains as each other side; the processor time
that storing a network takes, which bounds how many workers one process can serve; and the memory that one and two
processes take (a shared page is divided among the processes that share it).
"""

import argparse
import json
import platform
import statistics
import subprocess
import sys
import threading
import time
from concurrent.futures import Executor
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory

import machine
import numpy as np
import sides

import convscope as cs
from convscope.engine import initial_weights, open_network
from convscope.engine.network import EpochOptions
from convscope.experiment import RunSpec, open_executor, train_runs
from convscope.experiment.store import RunStore
from convscope.experiment.worker import execute, read_reply, write_order


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--networks", type=int, default=8, help="of each side in a turn; a multiple of the processes")
    parser.add_argument("--processes", type=int, default=machine.describe()["cores"])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--without-peers", action="store_true")
    arguments = parser.parse_args()
    print(f"device              {machine.describe()['processor']}, {machine.describe()['cores']} cores")
    print(f"taken by others     {100 * machine.measure_busy_share():.0f} % of the processor before the turns")
    print(f"python, convscope   {platform.python_version()}, {version('convscope')}", flush=True)
    rates = measure(arguments)
    own = rates["experiment"]
    for name, values in rates.items():
        times = [mine / theirs for mine, theirs in zip(own, values, strict=True)]
        print(f"{name:<11} {spread(values)} networks/s; an experiment trains {spread(times)} times as many")
    print(f"receiving   {1000 * measure_receiving_seconds():.1f} ms of the process that keeps a network")
    single, double = (measure_memory_megabytes(count) for count in (1, 2))
    print(f"memory      {single:.0f} MB with one process, {double:.0f} MB with two: {double / single:.2f} times")


def measure(arguments: argparse.Namespace) -> dict[str, list[float]]:
    """Measure the networks per second of each side in each turn."""
    rates = {name: list[float]() for name in ("engine", "experiment", "PyTorch", "Keras")}
    if arguments.without_peers:
        del rates["PyTorch"], rates["Keras"]
    splits, seeds = cs.load_dataset("mnist"), iter(range(10**9))
    with open_executor(f"local:{arguments.processes}") as executor:
        assert executor is not None
        list(executor.map(train_bare_epochs, [1] * arguments.processes))  # which loads the data and fills caches
        for _ in range(arguments.repeats):
            share = arguments.networks // arguments.processes
            start = time.perf_counter()
            list(executor.map(train_bare_epochs, [share] * arguments.processes))
            rates["engine"].append(arguments.networks / (time.perf_counter() - start))
            rates["experiment"].append(
                measure_experiment_rate(executor, splits, [next(seeds) for _ in range(arguments.networks)])
            )
            for name in ("PyTorch", "Keras"):
                if name in rates:
                    rates[name].append(measure_peer_rate(name.lower(), arguments.processes))
    return rates


def train_bare_epochs(count: int) -> None:
    """Train `count` networks by the engine alone."""
    data, recipe = cs.load_dataset("mnist").train, cs.recipes.fast
    options = EpochOptions(
        optimizer=recipe.optimizer, label_smoothing=recipe.label_smoothing, augmentation=recipe.augmentation
    )
    rates = recipe.learning_rates(len(data))[0]
    for seed in range(count):
        network = open_network(cs.presets.cnn(), initial_weights(cs.presets.cnn(), seed), threads=1)
        order = np.random.default_rng(seed).permutation(len(data))
        network.train_epoch(data, order=order, batch_size=recipe.batch_size, learning_rates=rates, options=options)


def measure_experiment_rate(executor: Executor, splits: cs.Splits, seeds: list[int]) -> float:
    specs = [RunSpec("mnist", cs.presets.cnn(), cs.recipes.fast, seed) for seed in seeds]
    with TemporaryDirectory() as folder:
        start = time.perf_counter()
        train_runs(specs, splits, folder=folder, executor=executor)
        return len(seeds) / (time.perf_counter() - start)


def measure_peer_rate(library: str, processes: int, networks: int = 2) -> float:
    """Measure the networks per second of a peer's processes that train side by side."""
    words = [
        sides.PEERS_PYTHON,
        "many_networks.py",
        "--library",
        library,
        "--threads",
        "1",
        "--networks",
        str(networks),
    ]
    folder = sides.FOLDER / "peers"
    running = [
        subprocess.Popen([str(word) for word in words], cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        for _ in range(processes)
    ]
    rate = 0.0
    for process in running:
        measurement = json.loads(process.communicate()[0].splitlines()[-1])
        rate += networks / sum(measurement["seconds"])
    return rate


def measure_receiving_seconds(count: int = 20) -> float:
    """Measure the processor seconds that the receiving process spends on a network: order, reply, storing."""
    splits = cs.load_dataset("mnist")
    specs = [RunSpec("mnist", cs.presets.cnn(), cs.recipes.fast, seed) for seed in range(count + 1)]
    reply, digests = execute(write_order(specs[0], splits)), [spec.digest(splits) for spec in specs]
    with TemporaryDirectory() as folder:
        store, start = RunStore(splits, Path(folder) / "runs"), 0.0
        for number, (spec, digest) in enumerate(zip(specs, digests, strict=True)):
            if number == 1:  # the first one finds out what the data are
                start = time.process_time()
            write_order(spec, splits)
            store.keep(spec, digest, read_reply(spec, reply))
        return (time.process_time() - start) / count


def measure_memory_megabytes(processes: int) -> float:
    """Measure the most MB that all processes of an experiment with `processes` workers take together."""
    done = subprocess.run([sys.executable, __file__, str(processes)], capture_output=True, text=True, check=True)
    return float(done.stdout)


def print_memory(processes: int) -> None:
    """Train a few networks and print the most MB that this process and those below it held."""
    peak, stop = [0.0], threading.Event()

    def watch() -> None:
        while not stop.wait(0.1):
            peak[0] = max(peak[0], machine.measure_memory_bytes() / 1e6)

    splits = cs.load_dataset("mnist")
    threading.Thread(target=watch, daemon=True).start()
    with open_executor(f"local:{processes}") as executor:
        assert executor is not None
        measure_experiment_rate(executor, splits, list(range(2 * processes + 2)))
    stop.set()
    print(peak[0])


def spread(values: list[float]) -> str:
    return f"{statistics.median(values):.2f} [{min(values):.2f}, {max(values):.2f}] ({len(values)})"


if __name__ == "__main__":
    if len(sys.argv) == 2 and sys.argv[1].isdecimal():
        print_memory(int(sys.argv[1]))
    else:
        main()
