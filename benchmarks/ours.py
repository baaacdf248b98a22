"""Measure Convscope's side of a comparison: one measurement per process, printed as one JSON object like a peer's.

    .venv/bin/python benchmarks/ours.py epoch | infer | fast | weights FILE
    .venv/bin/python benchmarks/ours.py deep vgg|m3|m5|residual [--precision bfloat16]
    .venv/bin/python benchmarks/ours.py seeds one-after-another|one-a-core

A measurement that needs what this version lacks prints {"skipped": REASON}.
"""

import argparse
import json
import statistics
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from time import perf_counter
from typing import Any

import architectures
import numpy as np
import training_work

import convscope as cs
from convscope.engine.processor import measure_peak

EPOCHS = 5  # timed epochs, after one to warm up
SINGLES = 2000  # timed predictions of a single image
SEEDS = 4
FAST_SEEDS = 30


class SkippedError(Exception):
    """This version of convscope lacks what a measurement needs."""


def epoch(_options: argparse.Namespace) -> dict[str, Any]:
    """Time epochs of `classic` on `cnn`, with the peak of this processor."""
    data = cs.load_dataset("mnist").train
    peak_gflops = measure_peak()
    _, history = cs.train(cs.presets.cnn, data, replace(cs.recipes.classic, epochs=1 + EPOCHS))
    measured = {
        "needed_gflop": 2e-9 * training_work.count_training_macs(cs.presets.cnn()) * len(data),
        "peak_gflops": max(peak_gflops, measure_peak()),
    }
    return {"seconds": list(history.seconds[1:]), **measured}


def deep(options: argparse.Namespace) -> dict[str, Any]:
    """Time a network of architectures.py on as many batches as its peers, extrapolated to an epoch as theirs is."""
    try:
        architecture = cs.Architecture.from_dict(architectures.architecture(options.argument))
    except cs.ConvscopeError as error:
        raise SkippedError(f"this version cannot build {options.argument}: {error}") from error
    batches, batch_size = architectures.NETWORKS[options.argument].batches, cs.recipes.classic.batch_size
    data = cs.load_dataset("mnist").train
    part = data.take(np.random.default_rng(0).permutation(len(data))[: batches * batch_size])
    _, history = cs.train(architecture, part, replace(cs.recipes.classic, epochs=4, precision=options.precision))
    scale = -(-len(data) // batch_size) / batches
    return {"seconds": [scale * value for value in history.seconds[1:]], "extrapolated_from_images": len(part)}


def infer(_options: argparse.Namespace) -> dict[str, Any]:
    """Time 10,000 images and one image alone, from bytes to logits; pixels are normalised within the time."""
    model, data = _model(), cs.load_dataset("mnist").test
    seconds = _seconds_of(lambda: model.logits(data.images), 11)[1:]
    single = data.images[:1]
    singles = _seconds_of(lambda: model.logits(single), SINGLES)[SINGLES // 10 :]
    return {"seconds": seconds, "single_seconds": statistics.median(singles)}


def seeds(options: argparse.Namespace) -> dict[str, Any]:
    """Time an epoch of each of some seeds, either one after another on all cores or at once with one core for each."""
    data = cs.load_dataset("mnist").train
    recipe = replace(cs.recipes.classic, epochs=1)
    at_once = options.argument == "one-a-core"

    def train(seed: int) -> None:
        cs.train(cs.presets.cnn, data, recipe, seed=seed, threads=1 if at_once else None)

    train(0)
    start = perf_counter()
    if at_once:
        from convscope.experiment.machine import count_cores

        with ThreadPoolExecutor(count_cores()) as pool:
            list(pool.map(train, range(SEEDS)))
    else:
        for seed in range(SEEDS):
            train(seed)
    return {"seconds": [perf_counter() - start], "seeds": SEEDS}


def fast(_options: argparse.Namespace) -> dict[str, Any]:
    """Train `fast` from thirty seeds: the training time and the test accuracy of each."""
    recipe = cs.recipes.RECIPES.get("fast")
    if recipe is None:
        raise SkippedError("this version has no recipe `fast`")
    data = cs.load_dataset("mnist")
    cs.train(cs.presets.cnn, data.train, recipe)
    seconds, accuracies = [], []
    for seed in range(FAST_SEEDS):
        model, history = cs.train(cs.presets.cnn, data.train, recipe, seed=seed)
        seconds.append(sum(history.seconds))
        accuracies.append(cs.evaluate(model, data.test).accuracy)
    return {"seconds": seconds, "accuracies": accuracies}


def weights(options: argparse.Namespace) -> dict[str, Any]:
    """Write the weights that `infer` uses to an .npz, with the logits of the first hundred test images."""
    model, data = _model(), cs.load_dataset("mnist").test
    arrays: dict[str, Any] = {"logits": model.logits(data.images[:100]), **model.weights}
    np.savez(options.argument, **arrays)
    return {"seconds": [0.0], "file": str(Path(options.argument).resolve())}


def _model() -> cs.Model:
    """Train the network for an epoch of `classic`."""
    model, _ = cs.train(cs.presets.cnn, cs.load_dataset("mnist").train, replace(cs.recipes.classic, epochs=1))
    return model


def _seconds_of(work: Callable[[], object], times: int) -> list[float]:
    seconds = []
    for _ in range(times):
        start = perf_counter()
        work()
        seconds.append(perf_counter() - start)
    return seconds


MEASUREMENTS = {task.__name__: task for task in (epoch, deep, infer, seeds, fast, weights)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("measurement", choices=list(MEASUREMENTS))
    parser.add_argument("argument", nargs="?")
    parser.add_argument("--precision", default="float32", help="of a deep network's products")
    options = parser.parse_args()
    try:
        print(json.dumps(MEASUREMENTS[options.measurement](options)))
    except SkippedError as error:
        print(json.dumps({"skipped": str(error)}))
        sys.exit(0)


if __name__ == "__main__":
    main()
