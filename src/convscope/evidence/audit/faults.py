"""Audit a data set: doubtful labels, published label errors and duplicates, with the accuracy without each.

Nothing is removed or corrected: the reader decides about each suspect.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from html import escape
from itertools import chain, zip_longest
from typing import Annotated, Any, Literal

import numpy as np
from msgspec import UNSET, Meta
from numpy.typing import NDArray

from convscope.base.arguments import checked
from convscope.base.metrics import wilson_interval
from convscope.base.records import Count, Fraction, FractionInterval, Positive, Record, Recorded, from_attributes
from convscope.base.tables import html_table, percent_with_interval, printable, text_table
from convscope.data.datasets import Splits
from convscope.data.inspection.duplicates import Duplicates, DuplicatesRecord, find_duplicates
from convscope.data.inspection.pictures import PicturePlace, PicturesRecord, take_pictures
from convscope.evidence.audit.known_errors import KnownError, KnownErrors, known_errors
from convscope.evidence.audit.label_suspects import (
    LabelSuspects,
    LabelSuspectsRecord,
    check_probabilities,
    label_suspects,
)
from convscope.evidence.records import DatasetRecord, Label, check_labels

# How much the page shows: suspects of each split, groups of duplicates, and images of each group.
_MAX_SUSPECTS_SHOWN, _MAX_GROUPS_SHOWN, _MAX_MEMBERS_SHOWN = 30, 24, 3
_PICTURE_BYTES = 84_000  # JSON of all these pictures, which every page with an audit carries
LeftOut = Literal["nothing", "known errors", "duplicates"]
_HEADER = ("Accuracy on the test images", "Images", "Correct", "95 % interval")


class PartialAccuracy(Record, kw_only=True):
    """The accuracy on some of the test images.

    Attributes:
        left_out: the images that are not counted: "nothing", "known errors" (see `known_errors`) or "duplicates" (test
            images that are equal or near to a training image, see `Duplicates`).
        accuracy: the fraction of correct predictions; 0.0 if no image is left.
        interval: (low, high), the 95 % Wilson interval; (0, 1) if no image is left.
    """

    left_out: LeftOut
    num_images: Count
    num_correct: Count
    accuracy: Fraction
    interval: FractionInterval


class PredictedError(KnownError, kw_only=True):
    """A known wrong label, and the model's prediction for the image.

    Attributes:
        predicted, probability: the predicted class and its probability.
        self_confidence: the probability of the given label.
        rank: among the test suspects; None if it is no suspect.
    """

    predicted: Label
    probability: Fraction
    self_confidence: Fraction
    rank: Positive | None


class PredictedErrors(Record, kw_only=True):
    """Known wrong labels, and the model's predictions for the images; the attributes are those of `KnownErrors`.

    Attributes:
        ceiling: see `Audit`.
    """

    source: str
    rule: str
    num_reviewed: Count
    ceiling: Fraction
    errors: tuple[PredictedError, ...]


class SuspectsBySplit(Record, kw_only=True):
    """The doubtful labels; `train` is None without probabilities for the training images."""

    train: LabelSuspectsRecord | None
    test: LabelSuspectsRecord

    @property
    def by_split(self) -> dict[str, LabelSuspectsRecord]:
        """The suspects by split, without a split that has none."""
        return {"train": self.train, "test": self.test} if self.train else {"test": self.test}


class AuditRecord(DatasetRecord, kw_only=True):
    """The first suspects and duplicates, and as many of their pictures as fit; see `Audit`."""

    class_names: tuple[str, ...]
    label_suspects: SuspectsBySplit
    known_errors: PredictedErrors | None
    duplicates: DuplicatesRecord
    accuracies: Annotated[tuple[PartialAccuracy, ...], Meta(min_length=1)]
    pictures: PicturesRecord

    def __post_init__(self) -> None:
        # A file may have been edited: a label beyond the class names would end as an IndexError in the page.
        labels = [member.label for group in self.duplicates.groups for member in group.members]
        for suspects in self.label_suspects.by_split.values():
            for suspect in suspects.suspects:
                labels += [suspect.given_label, suspect.suggested_label]
        for error in self.known_errors.errors if self.known_errors else ():
            labels += [error.given_label, error.predicted, error.agreed_label or 0]  # 0, always a class, for None
        check_labels(self.class_names, labels, "labels")
        # Every other row is compared with the first one, that of all images.
        left_out = [part.left_out for part in self.accuracies]
        if left_out[:1] != ["nothing"] or "nothing" in left_out[1:]:
            raise ValueError("accuracies do not begin with that of all images")


@dataclass(frozen=True, eq=False)
class Audit(Recorded):
    """The faults of a data set.

    Attributes:
        train, test: the doubtful labels; `train` is None without probabilities for the training images.
        known: label errors in the test images that people found; None if none are published for exactly these data.
        known_predictions: the model's prediction for each known error.
        accuracies: the accuracy on all test images, then without known errors and without duplicates, if there are any.
        pictures: the pictures of the images that are named first.
    """

    dataset_name: str
    class_names: tuple[str, ...]
    train: LabelSuspects | None
    test: LabelSuspects
    known: KnownErrors | None
    known_predictions: tuple[PredictedError, ...]
    duplicates: Duplicates
    accuracies: tuple[PartialAccuracy, ...]
    pictures: PicturesRecord = field(repr=False)

    @property
    def ceiling(self) -> float:
        """The accuracy of a model that contradicts each known label error and is correct on all other images."""
        return 1 - len(self.known_predictions) / self.accuracies[0].num_images

    def to_record(self) -> AuditRecord:
        known = self.known and from_attributes(
            PredictedErrors, self.known, ceiling=self.ceiling, errors=self.known_predictions
        )
        train = None if self.train is None else self.train.to_record()
        return from_attributes(
            AuditRecord,
            self,
            weights_sha256=UNSET,
            label_suspects=SuspectsBySplit(train=train, test=self.test.to_record()),
            known_errors=known,
            duplicates=self.duplicates.to_record(),
        )

    def __str__(self) -> str:
        parts = [text_table(_HEADER, self._rows())]
        if self.known_predictions:
            parts.append(printable(self._ceiling_sentence()))
        return "\n\n".join([*parts, *(str(part) for part in self._list_tables())])

    def _repr_html_(self) -> str:
        ceiling = f"<p>{escape(self._ceiling_sentence())}</p>" if self.known_predictions else ""
        return html_table(_HEADER, self._rows()) + ceiling + "".join(part._repr_html_() for part in self._list_tables())

    def _list_tables(self) -> list[LabelSuspects | Duplicates]:
        return [part for part in (self.train, self.test, self.duplicates) if part is not None]

    def _ceiling_sentence(self) -> str:
        return (
            f"Most people reject the given label of {len(self.known_predictions)} test images. A model that agrees "
            f"with them has an accuracy of at most {100 * self.ceiling:.2f} %"
        )

    def _rows(self) -> Iterator[tuple[str, ...]]:
        num_images = self.accuracies[0].num_images
        for row in self.accuracies:
            num_left_out = num_images - row.num_images
            name = f"without {row.left_out} ({num_left_out:,})" if num_left_out else "all test images"
            accuracy = percent_with_interval(row.accuracy, row.interval)
            yield name, f"{row.num_images:,}", f"{row.num_correct:,}", accuracy


@checked
def audit(
    splits: Splits,
    train_probabilities: NDArray[np.floating[Any]] | None,
    test_probabilities: NDArray[np.floating[Any]],
    *,
    threshold: float = 0.99,
) -> Audit:
    """Find the faults of `splits` that a model's probabilities and the pixels show.

    Accuracies leave out known errors and test images that duplicate a training image, never suspects: on a suspect the
    model disagrees with the label, so without suspects every model would seem accurate.

    Args:
        train_probabilities: (N, K), of the training images, each from a model that was not trained on it, as from
            `crossfit`; None leaves their labels out.
        test_probabilities: (M, K), of the test images, from a model that was trained on none of them.
        threshold: the correlation from which two images are near (see `find_duplicates`).

    Raises:
        ValueError: if probabilities have another shape, a value is not from 0 to 1, a row does not sum to 1, or
            `threshold` is out of its range.
    """
    if train_probabilities is not None:
        check_probabilities("train_probabilities", train_probabilities, splits.train)
    check_probabilities("test_probabilities", test_probabilities, splits.test)
    train = None if train_probabilities is None else label_suspects(train_probabilities, splits.train)
    test = label_suspects(test_probabilities, splits.test)
    duplicates = find_duplicates(splits.train, splits.test, threshold=threshold)
    known = known_errors(splits.test)
    predicted_errors = _match_predictions(known, test_probabilities, test)
    is_correct = test_probabilities.argmax(axis=1) == splits.test.labels
    # Each of the two faults is left out on its own, so that their effects are not mixed.
    left_out: dict[LeftOut, NDArray[np.int64]] = {
        "known errors": np.array([error.index for error in predicted_errors], np.int64),
        # Test images that duplicate a training image; duplicates within the test images are counted.
        "duplicates": duplicates.find_leaks(),
    }
    return Audit(
        dataset_name=splits.name,
        class_names=splits.class_names,
        train=train,
        test=test,
        known=known,
        known_predictions=predicted_errors,
        duplicates=duplicates,
        accuracies=(
            _accuracy_without("nothing", is_correct, np.empty(0, np.int64)),
            *(_accuracy_without(name, is_correct, images) for name, images in left_out.items() if len(images)),
        ),
        pictures=take_pictures(splits, _choose_pictures(train, test, predicted_errors, duplicates), _PICTURE_BYTES),
    )


def _match_predictions(
    known: KnownErrors | None, y_prob: NDArray[np.floating[Any]], suspects: LabelSuspects
) -> tuple[PredictedError, ...]:
    """Join each known error with the model's prediction for its image."""
    if known is None:
        return ()
    # An error without a rank is no suspect: confident learning did not find it.
    ranks = {suspect.index: suspect.rank for suspect in suspects.suspects}
    predicted = y_prob.argmax(axis=1)
    return tuple(
        from_attributes(
            PredictedError,
            error,
            predicted=int(predicted[error.index]),
            probability=float(y_prob[error.index, predicted[error.index]]),
            self_confidence=float(y_prob[error.index, error.given_label]),
            rank=ranks.get(error.index),
        )
        for error in known.errors
    )


def _accuracy_without(name: LeftOut, is_correct: NDArray[np.bool_], left_out: NDArray[np.int64]) -> PartialAccuracy:
    kept = np.delete(is_correct, left_out)
    num_correct = int(kept.sum())
    return PartialAccuracy(
        left_out=name,
        num_images=len(kept),
        num_correct=num_correct,
        accuracy=num_correct / max(len(kept), 1),
        # Wilson's interval is (0, 1) where every image is left out.
        interval=wilson_interval(num_correct, len(kept)),
    )


def _choose_pictures(
    train: LabelSuspects | None, test: LabelSuspects, errors: tuple[PredictedError, ...], duplicates: Duplicates
) -> list[PicturePlace]:
    """Choose the images to show: from each kind in turn, so that the worst of all kinds come first.

    Of the test suspects a and b, the known error c, and the duplicates d e and f g, these are a c d e b f g.
    """
    # For each kind its entries, and for each entry the images that are shown together.
    kinds: list[list[list[PicturePlace]]] = [
        [[("test", suspect.index)] for suspect in test.suspects[:_MAX_SUSPECTS_SHOWN]],
        [[("test", error.index)] for error in errors],
        [[("train", suspect.index)] for suspect in (train.suspects if train else ())[:_MAX_SUSPECTS_SHOWN]],
        [
            [(member.split, member.index) for member in group.members[:_MAX_MEMBERS_SHOWN]]
            for group in duplicates.groups[:_MAX_GROUPS_SHOWN]
        ],
    ]
    # `take_pictures` stops when the bytes are used up.
    turns = zip_longest(*kinds, fillvalue=list[PicturePlace]())
    return list(chain.from_iterable(chain.from_iterable(turns)))
