"""Compare `predict --next` with a random choice of the pictures to label: how many labels reach the same accuracy?

    .venv/bin/python benchmarks/own_pictures/labelling.py [--sets digits,icons] [--seeds 6] [--rules ranked]

A network learns from 100 random images. Then 50 more of the training images are chosen and labelled, and it is trained
again from random weights, until there are 400. Each seed starts from other images, the same for each rule. "Images
needed" are those at which a rule reaches the mean accuracy of the random choice of 400, between two rounds in
proportion. Takes about five minutes on one core.
"""

import argparse
import json
import sys
import time

import numpy as np
from numpy.typing import NDArray
from sets import BUILD, load

import convscope as cs
from convscope.evidence.rejection.distance import distance_layer, hidden_features
from convscope.prediction import rank_by_learning

START, BATCH, END = 100, 50, 400  # images with labels
STEPS = 400  # of a training
MAX_POOL, MAX_TEST = 3000, 2500  # images of a set

RESULTS = BUILD / "labelling.json"

Indices = NDArray[np.int64]


def choose(rule: str, model: cs.Model, images: NDArray[np.uint8], number: int, stream: np.random.Generator) -> Indices:
    """Choose images at random, those whose two largest probabilities are closest, or as `predict --next` does."""
    if rule == "random":
        return stream.permutation(len(images))[:number]
    probabilities = model.probabilities(images)
    if rule == "margin":
        largest = np.sort(probabilities, axis=1)
        return np.argsort(largest[:, -1] - largest[:, -2], kind="stable")[:number]
    features = hidden_features(model, images, distance_layer(model.architecture))
    return rank_by_learning(probabilities, features, number)


def main() -> int:
    """Print a row for each set and rule."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--sets", default="digits,icons,mnist,fashion-300")
    parser.add_argument("--rules", default="ranked,margin")
    parser.add_argument("--seeds", type=int, default=6)
    options = parser.parse_args()
    print("set           rule       100 images   400 images        needed for the random 400   processor")
    results = []
    for name in options.sets.split(","):
        data = load_pool(name)
        target = 0.0
        for rule in ("random", *options.rules.split(",")):
            start = time.process_time()
            curves = np.array([measure_curve(data, rule, seed) for seed in range(options.seeds)])
            target = target or float(curves[:, -1].mean())
            needed = np.array([count_needed(curve, target) for curve in curves])
            first, last, deviation = (
                100 * curves[:, 0].mean(),
                100 * curves[:, -1].mean(),
                100 * curves[:, -1].std(ddof=1),
            )
            print(
                f"{name:<13} {rule:<10} {first:>7.1f} %  {last:>7.1f} ± {deviation:.1f} %  "
                f"{needed.mean():>10.0f} ± {needed.std(ddof=1):.0f}  {time.process_time() - start:>14.0f} s",
                flush=True,
            )
            results.append(
                {"name": name, "rule": rule, "last": last, "last_sd": deviation, "needed": needed.mean(),
                 "needed_sd": needed.std(ddof=1)}
            )  # fmt: skip
    RESULTS.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    return 0


def load_pool(name: str) -> cs.Splits:
    """Load a set with at most `MAX_POOL` training images and `MAX_TEST` test images."""
    splits = cs.load_dataset("mnist") if name == "mnist" else load(name)
    pool = np.random.default_rng(0).permutation(len(splits.train))[:MAX_POOL]
    every = max(1, len(splits.test) // MAX_TEST)
    return cs.Splits(splits.train.take(pool), splits.test.take(np.arange(0, len(splits.test), every)))


def measure_curve(data: cs.Splits, rule: str, seed: int) -> list[float]:
    """Measure the accuracy after each round."""
    stream = np.random.default_rng(seed)
    labelled = stream.permutation(len(data.train))[:START]
    accuracies = list[float]()
    while True:
        model = train(data.train.take(labelled), seed)
        accuracies.append(float(cs.evaluate(model, data.test).accuracy))
        if len(labelled) >= END:
            return accuracies
        rest = np.setdiff1d(np.arange(len(data.train)), labelled)
        chosen = choose(rule, model, data.train.images[rest], BATCH, stream)
        labelled = np.concatenate([labelled, rest[chosen]])


def train(data: cs.Dataset, seed: int) -> cs.Model:
    """Train `cnn` for `STEPS` steps of 32 images in the way of `thorough`."""
    recipe = cs.Recipe(
        epochs=max(1, round(STEPS * 32 / len(data))),
        batch_size=32,
        optimizer=cs.Adam(learning_rate=0.004, beta_2=0.99, weight_decay=0.02),
        schedule=cs.Schedule("linear", warmup=0.1),
        label_smoothing=0.1,
        augmentation=cs.Augmentation(1),
        averaging=0.95,
    )
    return cs.train("cnn", data, recipe, seed=seed, threads=1)[0]


def count_needed(curve: list[float], target: float) -> float:
    """Count the images at which a curve first reaches `target`; `END` if it never does."""
    sizes = np.arange(START, END + 1, BATCH)
    best = np.maximum.accumulate(curve)
    return float(np.interp(target, best, sizes)) if best[-1] >= target else float(END)


if __name__ == "__main__":
    sys.exit(main())
