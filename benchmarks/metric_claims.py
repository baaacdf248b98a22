"""Simulate networks and images with a known truth: what intervals, tests and thresholds of single networks promise.

python benchmarks/metric_claims.py [--repeats 400] [--only f1|ensemble|calibration|rejection]

Each table says how often a promise was kept, in percent; in brackets is the standard error of a share. Tables are
Markdown.
"""

import argparse
from collections.abc import Iterator

import numpy as np
from claims import Share, print_table, within
from numpy.typing import NDArray

from convscope.base.metrics import macro_f1


def print_f1(repeats: int) -> None:
    print("Coverage of the 95 % interval of macro F1, least and most over recalls and class sizes, in percent\n")
    print_table(["classes", "images of the rare ones", "least", "mean", "most"], f1_rows(repeats))


def f1_rows(repeats: int) -> Iterator[list[object]]:
    stream = np.random.default_rng(9)
    for classes in (2, 5, 10, 20, 40):
        for images in (5, 10, 20, 100):
            shares = [
                f1_coverage(stream, support, recall, repeats)
                for recall in (0.5, 0.7, 0.9, 0.98)
                for support in class_sizes(classes, images)
            ]
            mean = Share(float(np.mean(shares)), repeats * len(shares))
            yield [classes, images, Share(min(shares), repeats), mean, Share(max(shares), repeats)]


def class_sizes(classes: int, images: int) -> Iterator[NDArray[np.float64]]:
    """Yield the expected images of each class: all rare; half of them 20 times as many; one with most images."""
    rare = np.full(classes, float(images))
    yield rare
    yield np.where(np.arange(classes) < classes // 2, rare, 20 * rare)
    yield np.where(np.arange(classes) == 0, 10 * classes * rare, rare)


def f1_coverage(stream: np.random.Generator, support: NDArray[np.float64], recall: float, repeats: int) -> float:
    """Return how often the interval holds the macro F1 of what images are drawn from, a new network every 20 draws."""
    classes, held = len(support), []
    for number in range(repeats):
        if number % 20 == 0:
            share = np.zeros((classes, classes))
            for label in range(classes):
                own = np.clip(stream.normal(recall, (1 - recall) / 2), 0.05, 0.999)
                share[label] = np.insert(stream.dirichlet(np.full(classes - 1, 0.3)) * (1 - own), label, own)
            share *= (support / support.sum())[:, None]
            truth = float((2 * np.diagonal(share) / (share.sum(axis=0) + share.sum(axis=1))).mean())
        matrix = stream.multinomial(int(support.sum()), share.ravel()).reshape(classes, classes)
        held.append(within(truth, macro_f1(matrix)[1]))
    return float(np.mean(held))


TABLES = {"f1": print_f1}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=400)
    parser.add_argument("--only", choices=TABLES)
    arguments = parser.parse_args()
    for name, print_it in TABLES.items():
        if arguments.only in (None, name):
            print_it(arguments.repeats)


if __name__ == "__main__":
    main()
