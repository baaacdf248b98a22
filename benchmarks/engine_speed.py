"""Measure the native engine on this machine: the processor's peak, an epoch, a prediction, and the share of the peak.

    python benchmarks/engine_speed.py [--architecture cnn] [--recipe classic] [--precision bfloat16] [--epochs 7]

The share counts only multiply-adds that training cannot do without (training_work.py). Other programs that run at the
same time lengthen the times.
"""

import argparse
import time
from collections.abc import Callable
from dataclasses import replace
from statistics import median

import machine
import training_work

import convscope as cs
from convscope.engine.processor import instruction_sets, measure_peak  # only the engine itself knows its kernels

SINGLE_IMAGES = 200  # predictions of one image that are timed


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--architecture", default="cnn", help="name of a preset")
    parser.add_argument("--recipe", default="classic", help="name of a recipe")
    parser.add_argument("--precision", choices=("float32", "bfloat16"), default="float32")
    parser.add_argument("--threads", type=int)
    parser.add_argument("--epochs", type=int, default=7)
    options = parser.parse_args()
    data = cs.load_dataset("mnist")
    images = data.test.images
    # The first epoch, which warms up the caches, is not counted.
    recipe = replace(getattr(cs.recipes, options.recipe), epochs=1 + options.epochs, precision=options.precision)
    instruction_set = instruction_sets(options.precision)[0]
    peak = measure_peak(options.threads)
    model, history = cs.train(options.architecture, data.train, recipe, threads=options.threads)
    peak = max(peak, measure_peak(options.threads))
    gflop = 2e-9 * training_work.count_training_macs(model.architecture) * len(data.train)
    epoch = median(history.seconds[1:])
    here = machine.describe()
    rows = [
        ("processor", f"{here['processor']}, {here['cores']} cores"),
        ("instruction set", f"{instruction_set}, {options.precision}"),
        ("peak", f"{peak:.0f} GFLOP/s, measured"),
        ("an epoch", f"{spread(history.seconds[1:])}, {len(data.train) / epoch:,.0f} images a second"),
        ("share of the peak", f"{gflop / epoch / peak:.0%}, {gflop:.1f} GFLOP an epoch"),
        (f"{len(images):,} images", spread(time_repeatedly(lambda: model.logits(images), options.epochs))),
        ("one image", spread(time_repeatedly(lambda: model.logits(images[:1]), SINGLE_IMAGES))),
    ]
    for name, text in rows:
        print(f"{name:<20}{text}")


def time_repeatedly(work: Callable[[], object], count: int) -> list[float]:
    """Time `work`, after one call that warms up the caches."""
    work()
    seconds = []
    for _ in range(count):
        start = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - start)
    return seconds


def spread(seconds: list[float] | tuple[float, ...]) -> str:
    return f"{median(seconds):.4g} s [{min(seconds):.4g}, {max(seconds):.4g}] ({len(seconds)})"


if __name__ == "__main__":
    main()
