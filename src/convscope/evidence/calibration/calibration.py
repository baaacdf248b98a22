"""Measure the calibration of a network's probabilities, before and after a temperature fitted on held-out images.

A network is calibrated if 80 % of the images that it predicts with probability 0.8 are correct, and so for every other
probability. Dividing the logits by a temperature above 1 makes all probabilities more even: 0.99 may become 0.9. Two
sets of images take part:

    held-out images    give the temperature, and nothing else
    test images        give the figures: before (temperature 1), after (the fitted one), and after less before

Images are finite, so even a calibrated network shows an error. The figures of `chance` say how large an error.
"""

from collections.abc import Iterable, Sequence
from typing import Any, Literal

import numpy as np
from msgspec import UNSET, UnsetType
from numpy.typing import NDArray

from convscope.base.arguments import Seed, checked
from convscope.base.metrics import wilson_interval
from convscope.base.records import Count, Fraction, FractionInterval, NonNegative, Positive, Record
from convscope.base.streams import random_stream
from convscope.base.tables import Tabular, percent_with_interval
from convscope.data.datasets import evenly
from convscope.evidence.calibration.intervals import Chance, Estimate, bootstrap, chance_errors, count_resamples
from convscope.evidence.calibration.reliability import NumBins, Reliability, check_bins, measure_reliability
from convscope.evidence.calibration.risk_coverage import RiskCoverage, measure_risk_coverage
from convscope.evidence.calibration.scores import Scores, check_logits, score_images
from convscope.evidence.calibration.temperature import (
    HIGHEST_TEMPERATURE,
    LOWEST_TEMPERATURE,
    fit_temperature,
    temperature_interval,
)
from convscope.evidence.records import DataRecord

MIN_CALIBRATED_IMAGES = 2  # test images; a single image gives no interval
_MAX_FITTED = 1 << 23  # logits on which the temperature is fitted, which takes a few seconds
_HEADER = ("Figure", "Before", "95 % interval", "After", "95 % interval", "Change", "95 % interval")
_REFUSAL_HEADER = ("Refused", "Images left", "Errors left", "Of those left", "95 % interval")
_NAMES = {
    "ece_by_width": "ECE, {} bins of equal width",
    "ece_by_mass": "ECE, {} bins of equal size",
    "brier": "Brier score",
    "negative_log_likelihood": "Negative log-likelihood",
    "aurc": "AURC",
}


class Estimates(Record, kw_only=True):
    """The figures that have intervals, each with its interval; `Figures` says what each one is."""

    ece_by_width: Estimate
    ece_by_mass: Estimate
    brier: Estimate
    negative_log_likelihood: Estimate
    aurc: Estimate


class Figures(Estimates, kw_only=True):
    """The figures of a set of probabilities.

    Attributes:
        mean_confidence: the mean probability of the predictions; above the accuracy the network is overconfident.
        by_width, by_mass: the images in bins of equal width and of equally many images.
        ece_by_width, ece_by_mass: their expected calibration errors. The interval is of the error of these bins on
            endless images; since noise only adds to an error, it may lie below the value.
        chance_by_width, chance_by_mass: the errors that a calibrated network with these confidences would show. An
            error below `limit` is no evidence of miscalibration.
        chance_accuracy: (low, high), the 97.5 % range of such a network's accuracy; earlier runs lack it.
        class_wise_ece: a measure of earlier versions; it is not shown.
        brier: the mean over the images of Σ over the classes of (probability - truth)², 0 to 2.
        negative_log_likelihood: the mean of -log(probability of the label), in nats.
        aurc: the area under `risk_coverage`.
    """

    mean_confidence: Fraction
    by_width: Reliability
    by_mass: Reliability
    chance_by_width: Chance
    chance_by_mass: Chance
    chance_accuracy: FractionInterval | UnsetType = UNSET
    class_wise_ece: Fraction | UnsetType = UNSET
    risk_coverage: RiskCoverage


class Calibration(Tabular, DataRecord, kw_only=True):
    """The probabilities of a data set before and after a temperature that was fitted on other images.

    Attributes:
        accuracy, accuracy_interval: the accuracy, which no temperature changes, with its 95 % Wilson interval.
        num_bins: the number of bins of each reliability diagram.
        temperature: divisor of the logits; above 1 it makes the network less sure.
        temperature_interval: (low, high), its 95 % interval over the choice of the images it was fitted on; None if
            these do not determine it.
        is_at_bound: whether the temperature reached an end of its range, 0.05 or 20, so that only its direction is
            known.
        fitted_on: the images on which the temperature was fitted, in words.
        num_fitted, num_fitted_left_out: their number, sampled evenly, and the number of the others.
        before, after: the figures at temperature 1 and at `temperature`.
        changes: after less before of the ECEs, Brier score, likelihood and AURC, from the same resamples.
        num_resamples: number of bootstrap resamples for the intervals.
    """

    num_classes: Positive
    accuracy: Fraction
    accuracy_interval: FractionInterval
    num_bins: NumBins
    temperature: NonNegative
    temperature_interval: tuple[NonNegative, NonNegative] | None
    is_at_bound: bool
    fitted_on: str
    num_fitted: Positive
    num_fitted_left_out: Count
    num_resamples: Positive
    before: Figures
    after: Figures
    changes: Estimates

    @property
    def sides(self) -> tuple[tuple[Literal["before", "after"], Figures], ...]:
        """The figures before and after, each with its name."""
        return ("before", self.before), ("after", self.after)

    @property
    def fault(self) -> Literal["over", "under", "differs"] | None:
        """How the network as trained differs from a calibrated one: overconfident, underconfident, or in some bins.

        None where its accuracy and its error by mass lie in the ranges of calibrated networks, as of 95 % of those.
        """
        # The accuracy of a calibrated network is its mean confidence, apart from chance: `chance_accuracy` is that
        # range. Records of earlier versions lack it, and Wilson's interval takes its place.
        low, high = self.before.chance_accuracy or self.accuracy_interval
        if not low <= self.accuracy <= high:
            return "over" if self.accuracy < low else "under"
        return "differs" if self.before.by_mass.ece > self.before.chance_by_mass.limit else None

    def _tables(self) -> list[tuple[Sequence[str], Iterable[Sequence[str]], str]]:
        return [(_HEADER, self._rows(), ""), (_REFUSAL_HEADER, self._refusal_rows(), "")]

    def _headline(self) -> str:
        interval = self.temperature_interval
        within = f" [{interval[0]:.3f}, {interval[1]:.3f}]" if interval else ""
        bound_note = "" if not self.is_at_bound else ", the limit of its range, so these images do not determine it"
        where = f"{self.num_images:,} {self.split} images of {self.dataset_name}"
        return (
            f"Temperature {self.temperature:.3f}{within}, fitted on {self.num_fitted:,} {self.fitted_on}{bound_note}; "
            f"measured on {where}, accuracy {percent_with_interval(self.accuracy, self.accuracy_interval)}."
        )

    def _rows(self) -> list[tuple[str, ...]]:
        """Make the rows of `_HEADER`, with a row for chance below each calibration error.

        ECE, 15 bins of equal width    0.03100  [0.02700, 0.03500]  0.00900  [0.00600, 0.01200]  -0.02200  [...]
        of a calibrated network        0.00800  [0.00500, 0.01200]  0.00800  [0.00500, 0.01200]
        Brier score                    ...
        """
        rows = list[tuple[str, ...]]()
        for name, title in _NAMES.items():
            before, after, change = getattr(self.before, name), getattr(self.after, name), getattr(self.changes, name)
            cells = [title.format(self.num_bins)]
            for estimate, form in ((before, ".5f"), (after, ".5f"), (change, "+.5f")):
                low, high = (format(end, form) for end in estimate.interval)
                cells += [format(estimate.value, form), f"[{low}, {high}]"]
            rows.append(tuple(cells))
            if name.startswith("ece"):  # `ece_by_mass` has `chance_by_mass`
                cells = ["of a calibrated network"]
                for chance in (getattr(side, name.replace("ece", "chance")) for _, side in self.sides):
                    cells += [f"{chance.mean:.5f}", f"[{chance.low or 0.0:.5f}, {chance.limit:.5f}]"]
                rows.append((*cells, "", ""))
        return rows

    def _refusal_rows(self) -> list[tuple[str, ...]]:
        return [
            (
                f"{100 * refusal.fraction:g} %",
                f"{refusal.num_left:,}",
                f"{refusal.num_errors_left:,}",
                f"{100 * refusal.risk:.2f} %",
                f"[{100 * refusal.interval[0]:.2f}, {100 * refusal.interval[1]:.2f}]",
            )
            for refusal in self.after.risk_coverage.refusals
        ]


@checked
def measure_calibration(
    logits: NDArray[np.floating[Any]],
    labels: NDArray[np.integer[Any]],
    held_out_logits: NDArray[np.floating[Any]],
    held_out_labels: NDArray[np.integer[Any]],
    *,
    fitted_on: str,
    dataset_name: str = "custom",
    split: str = "test",
    num_bins: int = 15,
    seed: Seed = 0,
) -> Calibration:
    """Fit a temperature on images held out of training, and measure the probabilities of others before and after it.

    >>> stream = np.random.default_rng(0)
    >>> logits, truth = stream.normal(size=(4000, 3)), stream.gumbel(size=(4000, 3))
    >>> labels = (logits + truth).argmax(axis=1)  # drawn by softmax(logits), so three times the logits are too sure
    >>> measured = measure_calibration(
    ...     3 * logits[:2000], labels[:2000], 3 * logits[2000:], labels[2000:], fitted_on="validation images"
    ... )
    >>> round(measured.temperature, 1), measured.after.ece_by_mass.value < measured.before.ece_by_mass.value / 4
    (3.0, True)

    Args:
        logits: (N, K), finite, N at least 2, of the images to measure; the temperature does not depend on them.
        labels: (N,) whole numbers below K.
        held_out_logits: (M, K), of images on which the network was not trained; at most 8,388,608 logits are used, of
            images sampled evenly.
        held_out_labels: (M,) whole numbers below K.
        fitted_on: the held-out images in words, such as "validation images", or "out-of-fold training images of 5
            sibling networks".
        num_bins: the number of bins of the reliability diagrams, 1 to 1000; most papers use 15.
        seed: its streams "calibration" draw the resamples.

    Raises:
        ValueError: if a shape or a label does not fit, a logit is not finite, there is only one image to measure, or
            `num_bins` is out of its range.
    """
    check_logits("", logits, labels)
    check_logits("held-out ", held_out_logits, held_out_labels)
    if logits.shape[1] != held_out_logits.shape[1]:
        raise ValueError(f"logits have {logits.shape[1]} classes, but held-out logits {held_out_logits.shape[1]}")
    if len(logits) < MIN_CALIBRATED_IMAGES:
        raise ValueError(f"logits are of 1 image; an interval needs at least {MIN_CALIBRATED_IMAGES}")
    check_bins(num_bins)
    # The temperature, by the held-out images. Memory and time grow with the logits, that is with images times classes.
    max_images = max(1, _MAX_FITTED // logits.shape[1])
    indices = evenly(len(held_out_labels), max_images)
    fitted_logits, fitted_labels = held_out_logits[indices], held_out_labels[indices]
    temperature = fit_temperature(fitted_logits, fitted_labels)
    # The figures, by the test images. Random stream 0 draws the resamples of both, streams 1 and 2 the calibrated
    # networks with which each is compared.
    streams = [random_stream(seed, "calibration", number) for number in range(3)]
    unscaled, scaled = (score_images(logits, labels, value) for value in (1.0, temperature))
    estimates_before, estimates_after, changes = bootstrap(unscaled, scaled, num_bins, streams[0])
    before = _measure_figures(unscaled, estimates_before, num_bins, streams[1])
    after = _measure_figures(scaled, estimates_after, num_bins, streams[2])
    num_correct = int(unscaled.is_correct.sum())  # the same at any temperature
    return Calibration(
        dataset_name=dataset_name,
        split=split,
        num_images=len(labels),
        num_classes=logits.shape[1],
        accuracy=num_correct / len(labels),
        accuracy_interval=wilson_interval(num_correct, len(labels)),
        num_bins=num_bins,
        temperature=temperature,
        temperature_interval=temperature_interval(fitted_logits, fitted_labels, temperature),
        is_at_bound=temperature in (LOWEST_TEMPERATURE, HIGHEST_TEMPERATURE),
        fitted_on=fitted_on,
        num_fitted=len(indices),
        num_fitted_left_out=len(held_out_labels) - len(indices),
        before=before,
        after=after,
        changes=Estimates(**changes),
        num_resamples=count_resamples(len(labels)),
    )


def _measure_figures(
    scores: Scores, estimates: dict[str, Estimate], num_bins: int, stream: np.random.Generator
) -> Figures:
    """Measure what `estimates` lacks of the figures; `stream` draws calibrated networks for comparison."""
    by_width, by_mass, accuracy = chance_errors(scores, num_bins, stream)
    return Figures(
        mean_confidence=float(scores.confidence.mean()),
        by_width=measure_reliability(scores.confidence, scores.is_correct, num_bins, "width"),
        by_mass=measure_reliability(scores.confidence, scores.is_correct, num_bins, "mass"),
        ece_by_width=_extend_to_zero(estimates["ece_by_width"], by_width),
        ece_by_mass=_extend_to_zero(estimates["ece_by_mass"], by_mass),
        chance_by_width=by_width,
        chance_by_mass=by_mass,
        chance_accuracy=accuracy,
        brier=estimates["brier"],
        negative_log_likelihood=estimates["negative_log_likelihood"],
        aurc=estimates["aurc"],
        risk_coverage=measure_risk_coverage(scores.doubt, scores.is_correct),
    )


def _extend_to_zero(error: Estimate, chance: Chance) -> Estimate:
    """Extend the interval of an error to zero if noise alone may show as large an error.

    Then a true error of zero is not ruled out, which a bootstrap cannot see: its resamples have the noise, too.
    """
    return error if error.value > chance.limit else Estimate(value=error.value, interval=(0.0, error.interval[1]))
