"""Train fixed choices and the recipe `auto` on the nine sets, and print the mean accuracy of each on its test images.

    .venv/bin/python benchmarks/own_pictures/measure.py [--sets letters,icons] [--choices cnn:classic,wide:thorough]

Each training takes a thread, and as many run at once as there are cores. Accuracies are kept in
`build/own_pictures/accuracies.json`, so a second call trains only what is missing. The test images choose nothing: the
table says which fixed choice would have been best, and `auto` is to come near to it without them. `pytorch.py` makes
the last column.
"""

import argparse
import json
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from typing import NamedTuple

import numpy as np
from sets import BUILD, SETS, load

import convscope as cs

FILE = BUILD / "accuracies.json"
CHOICES = (
    "cnn:classic",
    "cnn:fast",
    "cnn:accurate",
    "cnn:thorough",
    "lenet5:thorough",
    "wide:thorough",
    "auto",
    "pytorch",
)


class Training(NamedTuple):
    """A training of a network by a recipe on a set."""

    name: str
    choice: str
    seed: int


def main() -> int:
    """Train what is missing and print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--sets", default=",".join(SETS))
    parser.add_argument("--choices", default=",".join(CHOICES))
    parser.add_argument("--seeds", type=int, default=5)
    options = parser.parse_args()
    names, choices = options.sets.split(","), options.choices.split(",")
    known = json.loads(FILE.read_text(encoding="utf-8")) if FILE.exists() else {}
    wanted = [Training(name, choice, seed) for name in names for choice in choices for seed in range(options.seeds)]
    missing = [t for t in wanted if t.choice != "pytorch" and "/".join(map(str, t)) not in known]
    with ProcessPoolExecutor() as pool:
        for training, (accuracy, seconds) in zip(missing, pool.map(train, missing), strict=True):
            known = (
                json.loads(FILE.read_text(encoding="utf-8")) if FILE.exists() else {}
            )  # `pytorch.py` may have added some
            known["/".join(map(str, training))] = [accuracy, seconds]
            FILE.write_text(json.dumps(known, indent=1) + "\n", encoding="utf-8")
    for row in rows(known, names, choices, options.seeds):
        print("  ".join(f"{cell:>16}" for cell in row))
    return 0


def train(training: Training) -> tuple[float, float]:
    """Train, and return the accuracy on the test images and the seconds of the processor."""
    splits = load(training.name)
    start = time.process_time()
    if training.choice == "auto":
        classifier = cs.CNNClassifier(recipe="auto", random_state=training.seed, threads=1)
        classifier.fit(splits.train.images, splits.train.labels)
        seconds = time.process_time() - start
        return float(classifier.score(splits.test.images, splits.test.labels)), seconds
    architecture, recipe = training.choice.split(":")
    model, _ = cs.train(architecture, splits.train, recipe, seed=training.seed, threads=1)
    seconds = time.process_time() - start
    return float(cs.evaluate(model, splits.test).accuracy), seconds


def rows(known: dict[str, list[float]], names: list[str], choices: list[str], num_seeds: int) -> Iterator[list[str]]:
    """Make the rows of the table: a set each, with the mean accuracy, its standard deviation, and the mean seconds."""
    yield ["set", *choices]
    for name in names:
        cells = [name]
        for choice in choices:
            values = np.array([known[f"{name}/{choice}/{seed}"] for seed in range(num_seeds)])
            accuracies = 100 * values[:, 0]
            cells.append(f"{accuracies.mean():.2f} ± {accuracies.std(ddof=1):.2f} {values[:, 1].mean():.1f} s")
        yield cells


if __name__ == "__main__":
    sys.exit(main())
