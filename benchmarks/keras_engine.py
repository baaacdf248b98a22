"""Train `cnn` by `classic` for an epoch in the native engine and in Keras, from the same weights in the same order.

It prints for each backend the test accuracy and its difference from native's in points; the distance of the trained
weights a (native) and b (Keras), as a share of the distance of a from the initial weights a₀ and of the norm of a; and
the seconds of the epoch, Keras's tracing included. Each backend runs in a process of its own; backends that are not
installed are skipped.

python benchmarks/keras_engine.py [--num-images N] [--seed 0] [--recipe classic] [--threads N]
"""

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from importlib.util import find_spec

import machine
import numpy as np
from numpy.typing import NDArray

import convscope as cs
from convscope.engine.keras.backend import BACKENDS, versions
from convscope.recipes import RECIPES

Weights = Mapping[str, NDArray[np.float32]]


def measure_distance(a: Weights, b: Weights) -> float:
    """Compute the Euclidean distance of all weights together."""
    return float(np.sqrt(sum(np.sum((a[name].astype(np.float64) - b[name]) ** 2) for name in a)))


def measure(num_images: int | None, recipe: str, seed: int, threads: int | None) -> dict[str, object]:
    """Compare an epoch on Keras's backend with one of the native engine."""
    data = cs.load_dataset("mnist")
    train = data.train if num_images is None else data.train.take(np.arange(num_images))
    models, seconds, states = {}, {}, []
    one_epoch = cs.Recipe.from_dict({**RECIPES[recipe].to_dict(), "epochs": 1})
    for engine in ("native", "keras"):
        start = time.perf_counter()
        models[engine], _ = cs.train(
            cs.presets.cnn, train, one_epoch, seed=seed, engine=engine, threads=threads, on_epoch=states.append
        )
        seconds[engine] = time.perf_counter() - start
    accuracies = {name: cs.evaluate(model, data.test).accuracy for name, model in models.items()}
    a, b, start_weights = models["native"].weights, models["keras"].weights, states[0].weights
    distance, zeros = measure_distance(a, b), {name: np.zeros_like(value) for name, value in a.items()}
    return {
        "versions": versions(),
        "num_images": len(train),
        "num_test_images": len(data.test),
        "accuracies": accuracies,
        "points": 100 * (accuracies["keras"] - accuracies["native"]),
        "of_the_way": distance / measure_distance(a, start_weights),
        "of_the_weights": distance / measure_distance(a, zeros),
        "seconds": seconds,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--num-images", type=int)
    parser.add_argument("--recipe", choices=RECIPES, default="classic")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int)
    parser.add_argument("--one", action="store_true", help="measure the backend of this process and print JSON")
    options = parser.parse_args()
    if options.one:
        print(json.dumps(measure(options.num_images, options.recipe, options.seed, options.threads)))
        return
    print(json.dumps(machine.describe()), f"load {machine.load()}", sep="\n")
    print(f"one epoch of cnn by {options.recipe}, seed {options.seed}")
    for backend in filter(find_spec, BACKENDS):
        command = [sys.executable, *sys.argv, "--one"]
        done = subprocess.run(
            command, env={**os.environ, "KERAS_BACKEND": backend}, capture_output=True, text=True, check=False
        )
        if done.returncode:
            print(f"{backend}: failed\n{done.stderr}")
            continue
        result = json.loads(done.stdout.splitlines()[-1])
        print(
            f"{' '.join(f'{name} {version}' for name, version in result['versions'].items())}, "
            f"{result['num_images']:,} images: accuracy native {100 * result['accuracies']['native']:.2f} %, "
            f"keras {100 * result['accuracies']['keras']:.2f} % ({result['points']:+.2f} points, "
            f"{result['num_test_images']:,} test images); ‖a-b‖ is {result['of_the_way']:.2e} of ‖a-a₀‖ and "
            f"{result['of_the_weights']:.2e} of ‖a‖; {result['seconds']['native']:.1f} s native, "
            f"{result['seconds']['keras']:.1f} s keras",
            flush=True,
        )


if __name__ == "__main__":
    main()
