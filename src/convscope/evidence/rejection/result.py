"""The records of a measured rejection: shares with their intervals, separations, predictions and a few pictures.

Rejection
    known                 KnownImages, of the test images
    altered               an AlteredImages for each change, such as a rotation by 15°
    out_of_distribution   an OutOfDistributionResult for each set, such as letters, with a RuleResult
"""

from typing import Annotated

from msgspec import UNSET, Meta, UnsetType

from convscope.base.packing import Packed
from convscope.base.records import Count, Fraction, FractionInterval, NonNegative, Positive, Record
from convscope.base.tables import Tabular, clip, percent_with_interval
from convscope.evidence.records import ClassesRecord, Label, check_labels, check_lengths, check_packed
from convscope.evidence.rejection.rule import TITLES, RuleRecord

SURE = 0.99
"""The probability from which a prediction counts as confident."""


class Share(Record, kw_only=True):
    """`count` of `total`, their quotient (0 for no image), and its 95 % Wilson interval, (0, 1) for no image.

    For images in clusters the interval is that of their effective number (see `separation.effective_number`).
    """

    count: Count
    total: Count
    value: Fraction
    interval: FractionInterval

    def __str__(self) -> str:
        return percent_with_interval(self.value, self.interval) if self.total else "none"


class Examples(Record, kw_only=True):
    """A few images, from the highest score to the lowest, with the model's predictions.

    Attributes:
        images: (E, h, w, C) uint8, at most 64 pixels wide and high.
        predictions: labels.
        probabilities: the probabilities of the predictions.
        refused: whether the chosen rule refuses each.
    """

    images: Packed
    predictions: tuple[Label, ...]
    probabilities: tuple[Fraction, ...]
    refused: tuple[bool, ...]

    def __post_init__(self) -> None:
        check_lengths(predictions=self.predictions, probabilities=self.probabilities, refused=self.refused)
        # None: any height, width and channels.
        check_packed("images", self.images, "uint8", len(self.predictions), None, None, None)


class KnownExamples(Examples, kw_only=True):
    """Examples from the data set, with their indices in it and their true labels."""

    indices: tuple[Count, ...]
    labels: tuple[Label, ...]

    def __post_init__(self) -> None:
        super().__post_init__()
        check_lengths(predictions=self.predictions, indices=self.indices, labels=self.labels)


class RuleResult(Record, kw_only=True):
    """The result of a rule on an out-of-distribution set.

    Attributes:
        rule: its name.
        refused: the share of images that the rule refuses.
        auroc: the area under the ROC curve of all test images and the set; 0.5 is chance, 1 perfect.
        auroc_interval: (low, high), of 95 %; see `separation.auroc_interval`.
        false_positive_rate: the accepted share of the set, if a threshold lets 95 % of the test images through.
    """

    rule: str
    refused: Share
    auroc: Fraction
    auroc_interval: FractionInterval
    false_positive_rate: Fraction


class OutOfDistributionResult(Record, kw_only=True):
    """The predictions and refusals for one out-of-distribution set.

    Attributes:
        about: description of the images.
        num_clusters: groups of images that are alike, such as drawings of a letter; None if all are independent.
        clustered_by: the word for such a group, in the plural; empty if there are none.
        mean_probability: the mean probability of the predicted class, at the model's temperature.
        num_confident: predictions with a probability of at least 0.99.
        num_confident_accepted: of these, the images that the chosen rule does not refuse.
        most_frequent: the label that is predicted most often.
        num_most_frequent: number of its predictions.
        rules: the result of each rule, the chosen one first.
        histogram: the histogram of the scores, in files of earlier versions; it is not shown.
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
        name: the name of the change, such as "rotated by 15°".
        accuracy: the accuracy on these images.
        correct: the refused share, by rule, of correctly classified images.
    """

    name: str
    num_images: Positive
    accuracy: Fraction
    correct: dict[str, Share]


class KnownImages(Record, kw_only=True):
    """The refusals among test images, of correct and of wrong predictions, by rule.

    Attributes:
        correct: the refused share of correctly classified images.
        wrong: the refused share of wrongly classified images.
        correct_among_accepted: the correctly classified share of accepted images.
        histogram: the histogram of the scores, in files of earlier versions; it is not shown.
        refused: a few images that the chosen rule refuses.
        by_class: the lowest and the highest refused share of a class's images; earlier runs lack it.
    """

    correct: dict[str, Share]
    wrong: dict[str, Share]
    correct_among_accepted: dict[str, Share]
    histogram: tuple[Count, ...] | UnsetType = UNSET
    refused: KnownExamples
    by_class: FractionInterval | UnsetType = UNSET


class Rejection(Tabular, ClassesRecord, kw_only=True):
    """The refusals of a rule among test images and out-of-distribution images.

    Attributes:
        rules: the measured rule; runs of earlier versions have others after it.
        temperature: the model's, for all probabilities; None if it has none.
        altered: test images that were shifted or rotated a little; more of them are refused.
        left_out: reasons for missing sets of out-of-distribution images, by name.
        edges: the bounds of the histograms' bins, in files of earlier versions.
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
        shares = [known.correct, known.wrong, known.correct_among_accepted]
        shares += [images.correct for images in self.altered]
        # The page shows the first rule and takes its share from each of these.
        if any(set(by_rule) != set(names) for by_rule in shares):
            raise ValueError(f"there are shares of other rules than {', '.join(names):.200}")
        check_labels(self.class_names, (*known.refused.predictions, *known.refused.labels), "known")
        for outside in self.out_of_distribution:
            # The page needs a picture of each set.
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
        # One low score is enough to refuse an image.
        limits = " or ".join(f"{TITLES[score]} below {limit:.4g}" for score, limit in rule.thresholds.items())
        kept, max_refused = rule.num_kept / rule.num_held_out, rule.max_refused_share
        low, high = rule.refusal_range
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
