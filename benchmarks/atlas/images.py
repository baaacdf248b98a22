"""Which test images many networks get wrong, and how much two networks agree beyond chance."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from atlas.counts import PredictionCounts
from estimates import Estimate, Floats, jackknife, wilson_interval


@dataclass(frozen=True)
class HardImage:
    """A test image that networks miss.

    Attributes:
        index: the image's index in the test set.
        misses: how many networks miss it; `share` is their share of all, `interval` Wilson's 95 % interval.
        answer: the most frequent wrong prediction; `answer_share` is the share of all networks that make it.
        is_known_error: True if people found its label wrong, see mnist_test_errors.json; None if nobody has looked.
    """

    index: int
    label: int
    misses: int
    share: float
    interval: tuple[float, float]
    answer: int
    answer_share: float
    is_known_error: bool | None


def list_hard_images(
    counts: PredictionCounts, max_images: int, known: Mapping[int, bool] | None
) -> tuple[HardImage, ...]:
    """List at most `max_images` images that networks miss, those that most networks miss first."""
    misses, images = counts.misses, list[HardImage]()
    for index in np.argsort(-misses, kind="stable")[:max_images].tolist():
        label, count = int(counts.y_true[index]), int(misses[index])
        if not count:
            break
        wrong_counts = counts.predictions[index].copy()
        wrong_counts[label] = 0
        prediction = int(wrong_counts.argmax())
        images.append(
            HardImage(
                index,
                label,
                count,
                count / counts.num_runs,
                wilson_interval(count, counts.num_runs),
                prediction,
                int(wrong_counts[prediction]) / counts.num_runs,
                None if known is None else known.get(index, False),
            )
        )
    return tuple(images)


@dataclass(frozen=True)
class Agreement:
    """How alike two of the networks are.

    Attributes:
        always_right, always_wrong, sometimes_wrong: the shares of the images that all networks classify correctly, that
            all miss, and the rest.
        same_answer: the probability that two networks predict the same class for an image.
        answer_kappa: the same beyond chance (Fleiss' kappa): 0 for networks that guess by the frequencies of the
            classes, 1 for equal networks.
        both_wrong: the probability that a network misses an image that another one misses.
        error_kappa: the same beyond chance: 0 for networks that err independently of each other, 1 for networks that
            miss the same images.
        same_mistake: how often two networks that both miss an image predict the same class; None if no two do.

    The intervals, by the jackknife over images, hold for these networks on other test images of the kind.

    Source: Fleiss 1971 (Psychological Bulletin 76).
    """

    always_right: float
    always_wrong: float
    sometimes_wrong: float
    same_answer: Estimate
    answer_kappa: Estimate
    both_wrong: Estimate
    error_kappa: Estimate
    same_mistake: Estimate | None

    @classmethod
    def from_counts(cls, counts: PredictionCounts) -> "Agreement":
        # Two of n networks agree on an image in Σ_k c_k (c_k - 1) of n (n - 1) ordered pairs, with c_k networks for
        # class k.
        n, misses = counts.num_runs, counts.misses
        pairs = n * (n - 1)
        same = (counts.predictions * (counts.predictions - 1)).sum(axis=1) / pairs
        classes = counts.predictions / n
        both = misses * (misses - 1) / pairs
        wrong = counts.predictions.copy()
        wrong[np.arange(counts.num_images), counts.y_true] = 0
        together = (wrong * (wrong - 1)).sum(axis=1) / pairs
        errors = misses / n

        def kappa_of_answers(means: Floats) -> Floats:
            chance = (means[:, 1:] ** 2).sum(axis=1)
            return _ratio(means[:, 0] - chance, 1 - chance)

        def kappa_of_errors(means: Floats) -> Floats:
            agreed, rate = means[:, 0], means[:, 1]
            return _ratio(agreed - rate**2, rate - rate**2)

        def ratio(means: Floats) -> Floats:
            return _ratio(means[:, 0], means[:, 1])

        def first(means: Floats) -> Floats:
            return means[:, 0]

        return cls(
            always_right=float((misses == 0).mean()),
            always_wrong=float((misses == n).mean()),
            sometimes_wrong=float(((misses > 0) & (misses < n)).mean()),
            same_answer=jackknife(first, same[:, None]),
            answer_kappa=jackknife(kappa_of_answers, np.column_stack([same, classes])),
            both_wrong=jackknife(ratio, np.column_stack([both, errors])),
            error_kappa=jackknife(kappa_of_errors, np.column_stack([both, errors])),
            same_mistake=jackknife(ratio, np.column_stack([together, both])) if both.any() else None,
        )


def _ratio(above: Floats, below: Floats) -> Floats:
    return np.divide(above, below, out=np.zeros_like(above), where=below != 0)
