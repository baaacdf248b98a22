"""Audit a data set: doubtful labels and duplicates, with the accuracy without duplicates.

Nothing is removed or corrected: the reader decides about each suspect.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import chain, zip_longest
from typing import Annotated, Any, Literal

import numpy as np
from msgspec import UNSET, Meta, UnsetType
from numpy.typing import NDArray

from convscope.base.arguments import checked
from convscope.base.metrics import wilson_interval
from convscope.base.records import Count, Fraction, FractionInterval, JsonObject, Record, Recorded, from_attributes
from convscope.base.tables import html_table, percent_with_interval, text_table
from convscope.data.datasets import Splits
from convscope.data.inspection.duplicates import Duplicates, DuplicatesRecord, find_duplicates
from convscope.data.inspection.pictures import PicturePlace, PicturesRecord, take_pictures
from convscope.evidence.audit.label_suspects import (
    LabelSuspects,
    LabelSuspectsRecord,
    check_probabilities,
    label_suspects,
)
from convscope.evidence.records import DatasetRecord, check_labels

# How much the page shows: suspects of each split, groups of duplicates, and images of each group.
_MAX_SUSPECTS_SHOWN, _MAX_GROUPS_SHOWN, _MAX_MEMBERS_SHOWN = 30, 24, 3
_PICTURE_BYTES = 84_000  # JSON of all these pictures, which every page with an audit carries
LeftOut = Literal["nothing", "known errors", "duplicates"]  # "known errors" in earlier runs
_HEADER = ("Accuracy on the test images", "Images", "Correct", "95 % interval")


class PartialAccuracy(Record, kw_only=True):
    """The accuracy on some of the test images.

    Attributes:
        left_out: the images that are not counted: "nothing" or "duplicates" (test images that are equal or near to a
            training image, see `Duplicates`); in earlier runs also "known errors", labels that people rejected.
        accuracy: the fraction of correct predictions; 0.0 if no image is left.
        interval: (low, high), the 95 % Wilson interval; (0, 1) if no image is left.
    """

    left_out: LeftOut
    num_images: Count
    num_correct: Count
    accuracy: Fraction
    interval: FractionInterval


class SuspectsBySplit(Record, kw_only=True):
    """The doubtful labels; `train` is None without probabilities for the training images."""

    train: LabelSuspectsRecord | None
    test: LabelSuspectsRecord

    @property
    def by_split(self) -> dict[str, LabelSuspectsRecord]:
        """The suspects by split, without a split that has none."""
        return {"train": self.train, "test": self.test} if self.train else {"test": self.test}


class AuditRecord(DatasetRecord, kw_only=True):
    """The first suspects and duplicates, and as many of their pictures as fit; see `Audit`.

    Attributes:
        known_errors: label errors that people found, in earlier runs; they are not shown.
    """

    class_names: tuple[str, ...]
    label_suspects: SuspectsBySplit
    known_errors: JsonObject | UnsetType | None = UNSET
    duplicates: DuplicatesRecord
    accuracies: Annotated[tuple[PartialAccuracy, ...], Meta(min_length=1)]
    pictures: PicturesRecord

    def __post_init__(self) -> None:
        # A file may have been edited: a label beyond the class names would end as an IndexError in the page.
        labels = [member.label for group in self.duplicates.groups for member in group.members]
        for suspects in self.label_suspects.by_split.values():
            for suspect in suspects.suspects:
                labels += [suspect.given_label, suspect.suggested_label]
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
        accuracies: the accuracy on all test images, then without duplicates, if there are any.
        pictures: the pictures of the images that are named first.
    """

    dataset_name: str
    class_names: tuple[str, ...]
    train: LabelSuspects | None
    test: LabelSuspects
    duplicates: Duplicates
    accuracies: tuple[PartialAccuracy, ...]
    pictures: PicturesRecord = field(repr=False)

    def to_record(self) -> AuditRecord:
        train = None if self.train is None else self.train.to_record()
        return from_attributes(
            AuditRecord,
            self,
            weights_sha256=UNSET,
            label_suspects=SuspectsBySplit(train=train, test=self.test.to_record()),
            known_errors=UNSET,
            duplicates=self.duplicates.to_record(),
        )

    def __str__(self) -> str:
        return "\n\n".join([text_table(_HEADER, self._rows()), *(str(part) for part in self._list_tables())])

    def _repr_html_(self) -> str:
        return html_table(_HEADER, self._rows()) + "".join(part._repr_html_() for part in self._list_tables())

    def _list_tables(self) -> list[LabelSuspects | Duplicates]:
        return [part for part in (self.train, self.test, self.duplicates) if part is not None]

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

    The second accuracy leaves out test images that duplicate a training image, never suspects: on a suspect the model
    disagrees with the label, so without suspects every model would seem accurate.

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
    is_correct = test_probabilities.argmax(axis=1) == splits.test.labels
    # Test images that duplicate a training image; duplicates within the test images are counted.
    leaks = duplicates.find_leaks()
    accuracies = [_accuracy_without("nothing", is_correct, np.empty(0, np.int64))]
    if len(leaks):
        accuracies.append(_accuracy_without("duplicates", is_correct, leaks))
    return Audit(
        dataset_name=splits.name,
        class_names=splits.class_names,
        train=train,
        test=test,
        duplicates=duplicates,
        accuracies=tuple(accuracies),
        pictures=take_pictures(splits, _choose_pictures(train, test, duplicates), _PICTURE_BYTES),
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


def _choose_pictures(train: LabelSuspects | None, test: LabelSuspects, duplicates: Duplicates) -> list[PicturePlace]:
    """Choose the images to show: from each kind in turn, so that the worst of all kinds come first.

    Of the test suspects a and b, the training suspect c, and the duplicates d e and f g, these are a c d e b f g.
    """
    # For each kind its entries, and for each entry the images that are shown together.
    kinds: list[list[list[PicturePlace]]] = [
        [[("test", suspect.index)] for suspect in test.suspects[:_MAX_SUSPECTS_SHOWN]],
        [[("train", suspect.index)] for suspect in (train.suspects if train else ())[:_MAX_SUSPECTS_SHOWN]],
        [
            [(member.split, member.index) for member in group.members[:_MAX_MEMBERS_SHOWN]]
            for group in duplicates.groups[:_MAX_GROUPS_SHOWN]
        ],
    ]
    # `take_pictures` stops when the bytes are used up.
    turns = zip_longest(*kinds, fillvalue=list[PicturePlace]())
    return list(chain.from_iterable(chain.from_iterable(turns)))
