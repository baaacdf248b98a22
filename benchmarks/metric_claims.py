"""Simulate networks and images with a known truth: what intervals, tests and thresholds of single networks promise.

python benchmarks/metric_claims.py [--repeats 400] [--only f1|ensemble|calibration|rejection]

Each table says how often a promise was kept, in percent; in brackets is the standard error of a share. Tables are
Markdown.
"""

import argparse
from collections.abc import Iterator
from dataclasses import fields

import numpy as np
from claims import Share, is_within, make_group, print_table
from msgspec.structs import replace
from numpy.typing import NDArray
from scipy.special import expit

from convscope.base.metrics import macro_f1
from convscope.evidence.calibration import measure_calibration, measure_reliability
from convscope.evidence.calibration.intervals import chance_errors
from convscope.evidence.calibration.scores import Scores, score_images
from convscope.evidence.comparison import compare_groups
from convscope.evidence.rejection.rule import SCORES, RuleNumbers, ScoreName
from convscope.evidence.rejection.separation import joint_thresholds
from convscope.runs.ensembling import Members, compare_with_members


def print_f1(repeats: int) -> None:
    print("Coverage of the 95 % interval of macro F1, least and most over recalls and class sizes, in percent\n")
    print_table(["classes", "images of the rare ones", "least", "mean", "most"], f1_rows(repeats))


def f1_rows(repeats: int) -> Iterator[list[object]]:
    stream = np.random.default_rng(9)
    for classes in (2, 5, 10, 20, 40):
        for images in (5, 10, 20, 100):
            shares = [
                measure_f1_coverage(stream, support, recall, repeats)
                for recall in (0.5, 0.7, 0.9, 0.98)
                for support in class_sizes(classes, images)
            ]
            mean = Share(float(np.mean(shares)), repeats * len(shares))
            yield [classes, images, Share(min(shares), repeats), mean, Share(max(shares), repeats)]


def class_sizes(classes: int, images: int) -> Iterator[NDArray[np.float64]]:
    """Yield the expected images of each class: all classes rare; half of them with 20 times as many images; one class
    with most images."""
    rare = np.full(classes, float(images))
    yield rare
    yield np.where(np.arange(classes) < classes // 2, rare, 20 * rare)
    yield np.where(np.arange(classes) == 0, 10 * classes * rare, rare)


def measure_f1_coverage(
    stream: np.random.Generator, support: NDArray[np.float64], recall: float, repeats: int
) -> float:
    """Measure how often the interval holds the true macro F1, with a new network every 20 draws."""
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
        held.append(is_within(truth, macro_f1(matrix)[1]))
    return float(np.mean(held))


def print_ensemble(repeats: int) -> None:
    print("An ensemble as good as its members are on average that is said to differ, p < 0.05, in percent\n")
    print_table(
        ["members", "images", "error rate", "least", "mean", "most", "as if drawn anew"], ensemble_rows(repeats)
    )


def ensemble_rows(repeats: int) -> Iterator[list[object]]:
    """Yield a row of shares over `WORLDS`; the last column treats members as drawn anew, as two groups are."""
    stream = np.random.default_rng(5)
    for members in (2, 5, 10, 35):
        for images in (200, 1000, 10_000):
            for rate in (0.001, 0.01, 0.05, 0.2):
                shares = np.array(
                    [measure_ensemble_claims(stream, members, images, rate, *world, repeats) for world in WORLDS]
                )
                mean, anew = (Share(float(share), repeats * len(WORLDS)) for share in shares.mean(axis=0))
                least, greatest = (Share(float(end), repeats) for end in (shares[:, 0].min(), shares[:, 0].max()))
                yield [members, images, f"{100 * rate:g} %", least, mean, greatest, anew]


WORLDS = ((0.3, 0.7, 10.0), (0.5, 0.5, 40.0), (0.2, 1.0, 6.0), (1.0, 1.0, 20.0), (0.1, 0.9, 1000.0))
"""The Beta distribution of the share of members that are wrong on an image, over images on which some are; and how
steeply the probability that the ensemble is wrong rises with that share."""


def measure_ensemble_claims(
    stream: np.random.Generator, members: int, images: int, rate: float, a: float, b: float, steep: float, repeats: int
) -> tuple[float, float]:
    """Measure how often equally good networks differ: by `compare_with_members`, and by `compare_groups`."""
    shares = stream.binomial(members, stream.beta(a, b, 100_000)) / members
    low, high = -3.0, 4.0
    for _ in range(50):  # the share of wrong members at which the ensemble is wrong every second time
        middle = (low + high) / 2
        is_low = expit(steep * (shares - middle)).mean() > shares.mean()
        low, high = (middle, high) if is_low else (low, middle)
    claims = []
    for _ in range(repeats):
        chance = np.zeros(images)
        hard = stream.random(images) < rate / shares.mean()
        chance[hard] = stream.beta(a, b, hard.sum())
        wrong = stream.random((members, images)) < chance
        vote = hard & (stream.random(images) < expit(steep * (wrong.mean(axis=0) - low)))
        whole, alone = make_group("ensemble", vote[None]), make_group("members", wrong)
        fixed = Members(**{field.name: getattr(alone, field.name) for field in fields(alone)})
        comparisons = compare_with_members(whole, fixed), compare_groups(whole, alone)
        claims.append([comparison.is_distinguishable for comparison in comparisons])
    fixed_claims, anew = np.mean(claims, axis=0).tolist()
    return fixed_claims, anew


def print_calibration(repeats: int) -> None:
    print(
        "Networks that are said to be miscalibrated, by what their logits are multiplied with, in percent; 1 is true\n"
    )
    print_table(["network", "images", *map(str, FACTORS), "error at 1"], calibration_rows(repeats))


FACTORS = (1.0, 1.5, 0.7)
EASE = {"99 % correct": 17 * (14,) + (8, 8, 4), "75 %": (8, 6, 4, 2), "30 %": (0,)}
"""By how much one of ten classes stands out among logits with a standard deviation of 1, by the name of a network; each
image draws one of the numbers."""


def calibration_rows(repeats: int) -> Iterator[list[object]]:
    stream = np.random.default_rng(4)
    for name, leads in EASE.items():
        for images in (200, 500, 2000, 10_000):
            faults, errors = [], []
            for _ in range(repeats if images < 10_000 else repeats // 4):
                logits = stream.normal(size=(images, 10))
                logits[:, 0] += stream.choice(leads, images)
                labels = (logits + stream.gumbel(size=logits.shape)).argmax(axis=1)
                scores = [score_images(factor * logits, labels, 1.0) for factor in FACTORS]
                faults.append([has_fault(score, stream) for score in scores])
                errors.append(measure_reliability(scores[0].confidence, scores[0].is_correct, 15, "mass").ece)
            shares = [Share(float(share), len(faults)) for share in np.mean(faults, axis=0)]
            yield [name, images, *shares, f"{100 * np.mean(errors):.2f}"]


def has_fault(scores: Scores, stream: np.random.Generator) -> bool:
    _, by_mass, accuracy = chance_errors(scores, 15, stream)
    measured = measure_reliability(scores.confidence, scores.is_correct, 15, "mass")
    before = replace(PROTOTYPE.before, by_mass=measured, chance_by_mass=by_mass, chance_accuracy=accuracy)
    return replace(PROTOTYPE, accuracy=float(scores.is_correct.mean()), before=before).fault is not None


def print_rejection(repeats: int) -> None:
    print("New images refused by thresholds that may refuse 1 %, in percent, and ranges that hold the share\n")
    rows = ([scores, *row] for scores in (1, 2, 3) for row in rejection_rows(scores, repeats))
    print_table(["scores", "correlation", "held-out images", "at most", "refused, mean", "in range"], rows)


def rejection_rows(num_scores: int, repeats: int) -> Iterator[list[object]]:
    stream = np.random.default_rng(6)
    for correlation in (0.0, 0.8):
        new = draw_scores(stream, num_scores, correlation, 400_000)
        for count in (50, 150, 300, 500, 1000, 6000, 20_000):
            shares, held = [], []
            for _ in range(repeats):
                scores = draw_scores(stream, num_scores, correlation, count)
                thresholds = joint_thresholds(scores, 0.99, SCORES[2], 0.2)
                kept = int(np.all([scores[name] >= thresholds[name] for name in thresholds], axis=0).sum())
                rule = RuleNumbers(thresholds, {}, 0.99, count, kept, 0, {})
                shares.append(float(np.any([new[name] < thresholds[name] for name in thresholds], axis=0).mean()))
                held.append(is_within(shares[-1], rule.refusal_range))
            max_share = f"{100 * rule.max_refused_share:.2f}"
            yield [
                correlation,
                count,
                max_share,
                f"{100 * np.mean(shares):.2f}",
                Share(float(np.mean(held)), repeats),
            ]


def draw_scores(
    stream: np.random.Generator, num_scores: int, correlation: float, count: int
) -> dict[ScoreName, NDArray[np.float64]]:
    common, own = stream.normal(size=count), stream.normal(size=(num_scores, count))
    return dict(zip(SCORES, np.sqrt(correlation) * common + np.sqrt(1 - correlation) * own, strict=False))


PROTOTYPE = measure_calibration(np.eye(2), np.arange(2), np.eye(2), np.arange(2), fitted_on="two images")
TABLES = {"f1": print_f1, "ensemble": print_ensemble, "calibration": print_calibration, "rejection": print_rejection}


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
