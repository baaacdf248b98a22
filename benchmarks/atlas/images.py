"""Which test images many networks get wrong, and how much two networks agree beyond chance."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from atlas.counts import AnswerCounts
from estimates import Estimate, Floats, jackknife, wilson_interval


@dataclass(frozen=True)
class HardImage:
    """A test image and how many networks get it wrong.

    Attributes:
        index: of the image in the test set.
        misses: how many networks get it wrong; `share` of all, with Wilson's 95 % interval.
        answer: the wrong answer that most of them give, and `answer_share` of all networks.
        is_known_error: whether people found its label wrong, see `cs.known_errors`; None where nobody has looked.
    """

    index: int
    label: int
    misses: int
    share: float
    interval: tuple[float, float]
    answer: int
    answer_share: float
    is_known_error: bool | None


def list_hard_images(counts: AnswerCounts, max_images: int, known: Mapping[int, bool] | None) -> tuple[HardImage, ...]:
    """List at most `most` images that a network gets wrong, those that most networks get wrong first."""
    misses, images = counts.misses, list[HardImage]()
    for index in np.argsort(-misses, kind="stable")[:max_images].tolist():
        label, count = int(counts.y_true[index]), int(misses[index])
        if not count:
            break
        others = counts.answers[index].copy()
        others[label] = 0
        answer = int(others.argmax())
        images.append(
            HardImage(
                index,
                label,
                count,
                count / counts.num_runs,
                wilson_interval(count, counts.num_runs),
                answer,
                int(others[answer]) / counts.num_runs,
                None if known is None else known.get(index, False),
            )
        )
    return tuple(images)


@dataclass(frozen=True)
class Agreement:
    """How alike two of the networks are.

    Attributes:
        always_right, always_wrong, sometimes_wrong: shares of the images that all networks get right, that all get
            wrong, and the others.
        same_answer: the probability that two networks give the same answer to an image.
        answer_kappa: the same beyond chance, 0 for networks that answer by the frequencies of the classes alone and 1
            for equal ones (Fleiss' kappa).
        both_wrong: the probability that a network errs on an image on which another one errs.
        error_kappa: the same beyond chance, 0 where networks err independently of each other and 1 where they err on
            the same images.
        same_mistake: how often two networks that both err on an image give the same wrong answer; None where none do.

    The intervals, by the jackknife over images, are for other test images of the kind, with these networks.

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
    def of(cls, counts: AnswerCounts) -> "Agreement":
        n, misses = counts.num_runs, counts.misses
        pairs = n * (n - 1)
        same = (counts.answers * (counts.answers - 1)).sum(axis=1) / pairs
        classes = counts.answers / n
        both = misses * (misses - 1) / pairs
        wrong = counts.answers.copy()
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
