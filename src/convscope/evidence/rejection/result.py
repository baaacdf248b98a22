"""What a measured rejection is, as values: shares with their intervals, separations, answers and a few pictures."""

from typing import Annotated

from msgspec import UNSET, Meta, UnsetType

from convscope.base.packing import Packed
from convscope.base.records import Count, Fraction, FractionInterval, NonNegative, Positive, Record
from convscope.base.tables import Tabular, clip, percent_with_interval
from convscope.evidence.records import ClassesRecord, Label, check_labels, check_lengths, check_packed
from convscope.evidence.rejection.rule import TITLES, RuleRecord

SURE = 0.99
"""The probability from which an answer counts as sure."""


class Share(Record, kw_only=True):
    """`count` of `total`, their quotient (0 of none), and its 95 % Wilson interval: (0, 1) where there is none in all.

    For images in clusters the interval is that of their effective number (see `separation.effective_number`).
    """

    count: Count
    total: Count
    value: Fraction
    interval: FractionInterval

    def __str__(self) -> str:
        return percent_with_interval(self.value, self.interval) if self.total else "none"


class Examples(Record, kw_only=True):
    """A few images, from the highest score to the lowest, and what the model answers to them.

    Attributes:
        images: (E, h, w, C) uint8, at most 64 pixels wide and high.
        predictions: labels.
        probabilities: of the predictions.
        refused: whether the chosen rule refuses each.
    """

    images: Packed
    predictions: tuple[Label, ...]
    probabilities: tuple[Fraction, ...]
    refused: tuple[bool, ...]

    def __post_init__(self) -> None:
        check_lengths(predictions=self.predictions, probabilities=self.probabilities, refused=self.refused)
        check_packed("images", self.images, "uint8", len(self.predictions), None, None, None)


class KnownExamples(Examples, kw_only=True):
    """Examples from the data set, with their places in it and their true labels."""

    indices: tuple[Count, ...]
    labels: tuple[Label, ...]

    def __post_init__(self) -> None:
        super().__post_init__()
        check_lengths(predictions=self.predictions, indices=self.indices, labels=self.labels)


class RuleResult(Record, kw_only=True):
    """How a rule does on one out-of-distribution set.

    Attributes:
        rule: its name.
        refused: by the rule.
        auroc: the area under the curve of all test images against the set; 0.5 tells nothing, 1 all.
        auroc_interval: (low, high), of 95 %; see `separation.auroc_interval`.
        false_positive_rate: of the out-of-distribution images, where a threshold lets 95 % of the test images through.
    """

    rule: str
    refused: Share
    auroc: Fraction
    auroc_interval: FractionInterval
    false_positive_rate: Fraction


class OutOfDistributionResult(Record, kw_only=True):
    """The predictions and refusals for one out-of-distribution set.

    Attributes:
        about: what the images are.
        num_clusters: of how many groups of images that are alike, such as drawings of one letter; None if of none.
        clustered_by: what such a group is, in the plural; empty if there are none.
        mean_probability: of the predicted class at the model's temperature, the mean over the images.
        num_confident: predictions with a probability of at least 0.99.
        num_confident_accepted: of these, the images that the chosen rule does not refuse.
        most_frequent: the label that is predicted most often.
        num_most_frequent: how often it is predicted.
        rules: the result of each rule, the chosen one first.
        histogram: of the scores, in files of earlier versions; it is not shown.
    """

    name: str
    about: str
    num_images: Positive
    num_clusters: Positive | None
    clustered_by: str
    mean_probability: Fraction
    num_confident: Count
    num_confident_accepted: Count
    most_frequent: Label
    num_most_frequent: Count
    rules: tuple[RuleResult, ...]
    histogram: tuple[Count, ...] | UnsetType = UNSET
    examples: Examples


class AlteredImages(Record, kw_only=True):
    """The refusals among test images that were shifted or rotated a little.

    Attributes:
        name: what was done to them.
        accuracy: on these images.
        correct: by rule, refused of those that are classified correctly.
    """

    name: str
    num_images: Positive
    accuracy: Fraction
    correct: dict[str, Share]


class KnownImages(Record, kw_only=True):
    """The refusals among test images, of correct and of wrong predictions, by rule.

    Attributes:
        correct: refused of those that are classified correctly.
        wrong: refused of those that are classified wrongly.
        correct_among_accepted: classified correctly of those that are not refused.
        histogram: of the scores, in files of earlier versions; it is not shown.
        refused: a few that the chosen rule refuses.
        by_class: the lowest and the highest share of a class's images that it refuses; earlier runs lack it.
    """

    correct: dict[str, Share]
    wrong: dict[str, Share]
    correct_among_accepted: dict[str, Share]
    histogram: tuple[Count, ...] | UnsetType = UNSET
    refused: KnownExamples
    by_class: FractionInterval | UnsetType = UNSET


class Rejection(Tabular, ClassesRecord, kw_only=True):
    """How often rules refuse what they should, and what they should not.

    Attributes:
        rules: the one that was measured; runs of earlier versions have others after it.
        temperature: that all probabilities are computed at, the model's; None where it has none.
        altered: test images moved or turned a little, on which refusing costs more than on those as they are.
        left_out: why a set of out-of-distribution images is not there, by its name.
        edges: of the histograms' bins, in files of earlier versions.
    """

    _header = ("Images", "Number", "Refused", "AUROC", "FPR at 95 %", "Confident (99 %)", "of these, accepted")

    temperature: NonNegative | None
    rules: Annotated[tuple[RuleRecord, ...], Meta(min_length=1)]
    known: KnownImages
    altered: tuple[AlteredImages, ...]
    out_of_distribution: Annotated[tuple[OutOfDistributionResult, ...], Meta(min_length=1)]
    left_out: dict[str, str]
    edges: tuple[float, ...] | UnsetType = UNSET

    def __post_init__(self) -> None:
        names, known = [rule.name for rule in self.rules], self.known
        shares = (
            known.correct,
            known.wrong,
            known.correct_among_accepted,
            *(images.correct for images in self.altered),
        )
        if any(set(by_rule) != set(names) for by_rule in shares):
            raise ValueError(f"there are shares of other rules than {', '.join(names):.200}")
        check_labels(self.class_names, (*known.refused.predictions, *known.refused.labels), "known")
        for outside in self.out_of_distribution:
            if [result.rule for result in outside.rules] != names or not outside.examples.predictions:
                raise ValueError(f"out_of_distribution has other rules or no examples of {outside.name!r:.60}")
            check_labels(
                self.class_names, (outside.most_frequent, *outside.examples.predictions), "out_of_distribution"
            )

    def _lines(self) -> list[str]:
        left_out = [f"Left out: {name}: {why}" for name, why in self.left_out.items()]
        if not self.known.by_class:
            return left_out
        low, high = self.known.by_class
        return [f"By class, {100 * low:.1f} to {100 * high:.1f} % of the images are refused.", *left_out]

    def _headline(self) -> str:
        rule = self.rules[0]
        where = f"{self.num_images:,} {self.split} images of {self.dataset_name}"
        limits = " or ".join(f"{TITLES[score]} below {limit:.4g}" for score, limit in rule.thresholds.items())
        kept, max_refused = rule.num_kept / rule.num_held_out, rule.most_refused
        low, high = rule.refused_range
        return (
            f"Images with {limits} are refused; {100 * kept:.1f} % of {rule.num_held_out:,} held-out training images "
            f"are accepted. Of new images like these at most {100 * max_refused:.1f} % are refused on average; with "
            f"thresholds from so many images, {100 * low:.1f} to {100 * high:.1f} % (95 % range). Measured on {where}:"
        )

    def _rows(self) -> list[tuple[str, ...]]:
        rule = self.rules[0].name
        shares = [
            ("classified correctly", self.known.correct[rule]),
            ("classified wrongly", self.known.wrong[rule]),
            *((altered.name, altered.correct[rule]) for altered in self.altered),
        ]
        rows: list[tuple[str, ...]] = [(name, f"{share.total:,}", str(share), "", "", "", "") for name, share in shares]
        for outside in self.out_of_distribution:
            result, count = outside.rules[0], outside.num_images
            area = f"{result.auroc:.4f} [{result.auroc_interval[0]:.4f}, {result.auroc_interval[1]:.4f}]"
            sure = (f"{number / count:.4f}" for number in (outside.num_confident, outside.num_confident_accepted))
            rate = f"{result.false_positive_rate:.4f}"
            rows.append((clip(outside.name, 24), f"{count:,}", str(result.refused), area, rate, *sure))
        return rows
