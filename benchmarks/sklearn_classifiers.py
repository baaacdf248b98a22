"""Compare `CNNClassifier` with classifiers of scikit-learn: accuracy over seeds, seconds to fit and to predict.

python benchmarks/sklearn_classifiers.py [--seeds 5] [--mnist-images 10000] [--sets digits,mnist] [--only NAME,...]

Each seed draws other training images, the same for all classifiers, and is every classifier's `random_state`. On
scikit-learn's digits it holds a quarter of the 1,797 images out; on MNIST it draws training images from the 60,000, and
the 10,000 test images are always the same. All classifiers read the same rows of numbers from 0 to 1 and keep their
defaults, except that a classifier that takes a number of jobs gets as many as there are cores. An interval is that of
the mean over the seeds (95 %, Student's t): it says nothing of other test images. Seconds are by the clock; "of a core"
are the processor seconds of all threads together, which a busy machine lengthens less. Prints a Markdown table.
"""

import argparse
import os
import statistics
import time
import warnings
from collections.abc import Callable, Iterator
from importlib.metadata import version
from typing import Any, NamedTuple

import machine
import numpy as np
from sklearn.base import ClassifierMixin
from sklearn.datasets import load_digits
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.svm import SVC

import convscope as cs
from convscope.base.statistics import mean_share_interval

CLASSIFIERS: dict[str, Callable[[int], ClassifierMixin]] = {
    "CNNClassifier": lambda seed: cs.CNNClassifier(random_state=seed),
    "SVC": lambda seed: SVC(random_state=seed),
    "KNeighborsClassifier": lambda _: KNeighborsClassifier(n_jobs=-1),
    "RandomForestClassifier": lambda seed: RandomForestClassifier(n_jobs=-1, random_state=seed),
    "MLPClassifier": lambda seed: MLPClassifier(random_state=seed),
    "HistGradientBoostingClassifier": lambda seed: HistGradientBoostingClassifier(random_state=seed),
}


class Split(NamedTuple):
    """Rows of pixels from 0 to 1, and labels."""

    train: np.ndarray
    test: np.ndarray
    train_labels: np.ndarray
    test_labels: np.ndarray


class Measured(NamedTuple):
    """The accuracy of a classifier; seconds by the clock; and processor seconds of all threads together."""

    accuracy: float
    fit_seconds: float
    fit_core_seconds: float
    predict_seconds: float
    predict_core_seconds: float


def digits(seeds: int, _: int) -> Iterator[Split]:
    rows, labels = load_digits(return_X_y=True)
    for seed in range(seeds):
        yield Split(*train_test_split(rows / 16, labels, stratify=labels, random_state=seed))


def mnist(seeds: int, num_images: int) -> Iterator[Split]:
    data = cs.load_dataset("mnist")
    train, test = (part.images.reshape(len(part), -1).astype(np.float32) / 255 for part in (data.train, data.test))
    for seed in range(seeds):
        chosen = np.random.default_rng(seed).permutation(len(train))[:num_images]
        yield Split(train[chosen], test, data.train.labels[chosen], data.test.labels)


SETS = {"digits": digits, "mnist": mnist}


def measure(classifier: ClassifierMixin, split: Split) -> Measured:
    times = [_now()]
    classifier.fit(split.train, split.train_labels)
    times.append(_now())
    predicted = classifier.predict(split.test)
    times.append(_now())
    seconds = np.diff(times, axis=0).ravel().tolist()
    return Measured(float((predicted == split.test_labels).mean()), *seconds)


def _now() -> tuple[float, float]:
    return time.perf_counter(), time.process_time()


def format_row(name: str, values: list[Measured]) -> str:
    """Format a row of the table: mean accuracy with its interval, then medians of seconds with [least, greatest]."""
    accuracies, *columns = zip(*values, strict=True)
    interval = mean_share_interval(accuracies)
    within = "" if interval is None else f" [{100 * interval[0]:.2f}, {100 * interval[1]:.2f}]"
    seconds = [f"{statistics.median(column):.3g} [{min(column):.3g}, {max(column):.3g}]" for column in columns]
    return f"| `{name}` | {100 * statistics.mean(accuracies):.2f}{within} | {' | '.join(seconds)} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--mnist-images", type=int, default=10_000)
    parser.add_argument("--sets", default=",".join(SETS))
    parser.add_argument("--only", default=",".join(CLASSIFIERS))
    chosen: Any = parser.parse_args()
    warnings.simplefilter("ignore", ConvergenceWarning)  # of MLPClassifier, whose default is 200 epochs
    about = machine.describe()
    versions = ", ".join(f"{package} {version(package)}" for package in ("convscope", "scikit-learn", "numpy"))
    print(f"{about['processor']}, {about['cores']} cores, {about['system']}, Python {about['python']}; {versions}")
    for set_name in chosen.sets.split(","):
        splits = list(SETS[set_name](chosen.seeds, chosen.mnist_images))
        first = splits[0]
        print(f"\n{set_name}: {len(first.train)} training and {len(first.test)} test images, {len(splits)} seeds\n")
        print("| classifier | accuracy, % | fit, s | of a core | predict, s | of a core |\n" + "| --- " * 6 + "|")
        for name in chosen.only.split(","):
            print(
                format_row(name, [measure(CLASSIFIERS[name](s), split) for s, split in enumerate(splits)]), flush=True
            )
    print(f"\nload averages at the end: {', '.join(map(str, machine.load()))} on {os.cpu_count()} cores")


if __name__ == "__main__":
    main()
