"""Time an epoch of `classic` on `cnn` in the native engine: seconds of training alone, n epochs after one to warm up.

python benchmarks/engine_epoch.py [--epochs 7] [--threads N] [--instruction-set NAME]
"""

import argparse
import platform
import statistics
import time
from importlib.metadata import version
from pathlib import Path

import numpy as np

import convscope as cs
from convscope.architecture import presets
from convscope.base.streams import random_stream
from convscope.engine import EpochOptions, initial_weights
from convscope.engine.native import NativeNetwork
from convscope.engine.processor import instruction_sets
from convscope.recipes import classic


def processor() -> str:
    information = Path("/proc/cpuinfo")
    if information.exists():
        for line in information.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def epoch_seconds(network: NativeNetwork, dataset: cs.Dataset, epochs: int) -> list[float]:
    """Return the seconds of each epoch; the first, which pays for cold caches, is left out."""
    batches = -(-len(dataset) // classic.batch_size)
    rates = np.full(batches, classic.optimizer.learning_rate, np.float32)
    seconds = []
    for epoch in range(epochs + 1):
        order = random_stream(0, "shuffle", epoch).permutation(len(dataset))
        start = time.perf_counter()
        network.train_epoch(
            dataset,
            order=order,
            batch_size=classic.batch_size,
            learning_rates=rates,
            options=EpochOptions(optimizer=classic.optimizer),
        )
        seconds.append(time.perf_counter() - start)
    return seconds[1:]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=int, default=7)
    parser.add_argument("--threads", type=int)
    parser.add_argument("--instruction-set", choices=instruction_sets())
    arguments = parser.parse_args()

    dataset = cs.load_dataset("mnist").train
    architecture = presets.cnn()
    network = NativeNetwork(
        architecture, initial_weights(architecture, 0), arguments.threads, arguments.instruction_set
    )
    seconds = epoch_seconds(network, dataset, arguments.epochs)
    median = statistics.median(seconds)
    print(f"device            {processor()}")
    print(f"python, convscope {platform.python_version()}, {version('convscope')}")
    print(f"instruction set   {network.instruction_set}")
    print(f"threads           {network.threads}")
    print(f"images an epoch   {len(dataset):,}")
    print(f"n                 {len(seconds)} epochs")
    print(f"median            {median:.3f} s an epoch, {len(dataset) / median:,.0f} images a second")
    print(f"spread            {min(seconds):.3f} to {max(seconds):.3f} s, sd {statistics.pstdev(seconds):.3f}")


if __name__ == "__main__":
    main()
