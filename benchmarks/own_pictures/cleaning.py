"""Plant wrong labels in four data sets, and measure how many of them a person finds who looks at the first suspects.

    .venv/bin/python benchmarks/own_pictures/cleaning.py [--sets letters,icons] [--seeds 3] [--recipe thorough]

A share of the training labels is replaced, each by another class at random. The networks of `crossfit` then classify
images that they did not see, and all rankings order the same probabilities: the suspects of `label_suspects`, the lists
of cleanlab's `find_label_issues`, and its scores of all labels. A list that ends early is not continued. Labels that
were wrong before count as correct. Logits are kept in `build/own_pictures/out_of_fold`, so a second call only ranks.
"""

import argparse
import json
import sys
from collections.abc import Callable, Iterator
from typing import NamedTuple

import cleanlab
import numpy as np
from cleanlab.filter import find_label_issues
from cleanlab.rank import get_label_quality_scores
from numpy.typing import NDArray
from scipy.special import softmax
from sets import BUILD, load

import convscope as cs

OUT_OF_FOLD, RESULTS = BUILD / "out_of_fold", BUILD / "cleaning.json"
SETS = ("letters", "icons", "fashion-300", "mnist-3000")
SHARES = (0.05, 0.20)  # of the training labels that are wrong
LOOKED_AT = (50, 100, 200)  # images
SCORES = ("self_confidence", "normalized_margin", "confidence_weighted_entropy")

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]
Ranking = Callable[[Floats, cs.Dataset], Indices]


class Case(NamedTuple):
    """A data set with wrong labels.

    Attributes:
        probabilities: (N, K), each row from a network that did not see the image.
        is_planted: (N,), the images whose label was replaced.
    """

    noisy: cs.Dataset
    probabilities: Floats
    is_planted: NDArray[np.bool_]


def rank_by_convscope(probabilities: Floats, data: cs.Dataset) -> Indices:
    """List the suspects of the audit, the most doubtful first."""
    return np.array([suspect.index for suspect in cs.label_suspects(probabilities, data).suspects], np.int64)


def cleanlab_list(score: str) -> Ranking:
    """Make the ranking of the labels that cleanlab's default filter names."""

    def rank(probabilities: Floats, data: cs.Dataset) -> Indices:
        return find_label_issues(data.labels, probabilities, return_indices_ranked_by=score, n_jobs=1)

    return rank


def cleanlab_scores(score: str) -> Ranking:
    """Make the ranking of all labels by a quality score of cleanlab."""

    def rank(probabilities: Floats, data: cs.Dataset) -> Indices:
        return np.argsort(get_label_quality_scores(data.labels, probabilities, method=score), kind="stable")

    return rank


RANKINGS: dict[str, Ranking] = {
    "convscope": rank_by_convscope,
    **{f"cleanlab list, {score}": cleanlab_list(score) for score in SCORES},
    **{f"cleanlab all, {score}": cleanlab_scores(score) for score in SCORES},
}


def main() -> int:
    """Train what is missing and print a table for each set and share."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--sets", default=",".join(SETS))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--recipe", default="thorough")
    options = parser.parse_args()
    print(f"cleanlab {cleanlab.__version__}; means ± standard deviations of {options.seeds} seeds, in percent")
    results = []
    for name in options.sets.split(","):
        clean = load_training_images(name)
        for share in SHARES:
            planted = round(share * len(clean))
            limits = ", ".join(f"{100 * min(1, number / planted):.1f}" for number in LOOKED_AT)
            print(f"\n{name}: {planted:,} of {len(clean):,} labels planted; at most {limits} % can be found")
            cases = [make_case(clean, share, seed, options.recipe) for seed in range(options.seeds)]
            seen = dict[str, list[float]]()  # the means of the columns "seen in"
            for title, *cells in rows(cases):
                print(f"{title:<44}" + "".join(f"{cell:>15}" for cell in cells), flush=True)
                if title:
                    seen[title] = [float(cell.split()[0]) for cell in cells[1 : 1 + len(LOOKED_AT)]]
            results.append({"name": name, "share": share, "planted": planted, "seen": seen})
    RESULTS.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    return 0


def load_training_images(name: str) -> cs.Dataset:
    """Load the training images of a set of `sets.py`, or the first 3,000 of MNIST."""
    return cs.load_dataset("mnist").train.take(np.arange(3000)) if name == "mnist-3000" else load(name).train


def make_case(clean: cs.Dataset, share: float, seed: int, recipe: str) -> Case:
    """Plant wrong labels, and compute probabilities at the temperature that the audit would fit."""
    noisy = plant(clean, share, seed)
    file = OUT_OF_FOLD / f"{clean.name}-{len(clean)}-{share}-{seed}-{recipe}.npy"
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        np.save(file, cs.crossfit("cnn", noisy, recipe, seed=seed, threads=1).logits)
    logits = np.load(file)
    probabilities = softmax(logits.astype(np.float64) / cs.fit_temperature(logits, noisy.labels), axis=1)
    return Case(noisy, probabilities, noisy.labels != clean.labels)


def plant(clean: cs.Dataset, share: float, seed: int) -> cs.Dataset:
    """Replace a share of the labels by other classes, all equally likely."""
    random = np.random.default_rng(seed)
    indices = random.permutation(len(clean))[: round(share * len(clean))]
    labels = clean.labels.astype(np.int64)
    labels[indices] = (labels[indices] + random.integers(1, clean.num_classes, len(indices))) % clean.num_classes
    return cs.Dataset.from_arrays(clean.images, labels, class_names=clean.class_names, name=clean.name, split="train")


def rows(cases: list[Case]) -> Iterator[list[str]]:
    """Make a row for each ranking: its length, the share of planted labels that are seen, and the precision."""
    yield ["", "length", *(f"seen in {number}" for number in LOOKED_AT), *(f"precision {n}" for n in LOOKED_AT)]
    for name, rank in RANKINGS.items():
        lengths, measured = list[int](), list[Floats]()
        for case in cases:
            ranking = rank(case.probabilities, case.noisy)
            hits = np.array([case.is_planted[ranking[:number]].sum() for number in LOOKED_AT])
            precision = hits / np.clip(len(ranking), 1, LOOKED_AT)
            measured.append(100 * np.concatenate([hits / case.is_planted.sum(), precision]))
            lengths.append(len(ranking))
        means, deviations = np.mean(measured, axis=0), np.std(measured, axis=0, ddof=1)
        cells = [f"{mean:.1f} ± {deviation:.1f}" for mean, deviation in zip(means, deviations, strict=True)]
        yield [name, f"{min(lengths)} to {max(lengths)}", *cells]


if __name__ == "__main__":
    sys.exit(main())
