"""The wrong labels of published test sets that people have found, named only where the data are those data.

A data set is recognised by its digest: one image or label less and nothing is known of it.
"""

import json
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from convscope.base.arguments import checked
from convscope.base.records import Count, Record
from convscope.data.datasets import Dataset
from convscope.evidence.records import Label

_LISTS = ("mnist_test_errors.json",)  # in data/


class KnownError(Record, kw_only=True):
    """An image that people were shown and whose given label most of them did not choose.

    Attributes:
        index: of the image in its split.
        given: the label in the file.
        other: the label that the people were offered beside it.
        votes_given, votes_other, votes_neither: how many chose which.
        agreed_label: the label that most of the people chose; None where they chose neither, or no label had most
            votes.
    """

    index: Count
    given: Label
    other: Label
    votes_given: Count
    votes_other: Count
    votes_neither: Count
    agreed_label: Label | None


@dataclass(frozen=True)
class KnownErrors:
    """The label errors that people identified in a data set.

    Attributes:
        source: who found it, and where it is published.
        rule: which images were shown to people, and which of them are listed.
        num_reviewed: how many were shown; on the others no vote was taken.
    """

    source: str
    rule: str
    num_reviewed: int
    errors: tuple[KnownError, ...]


@checked
def known_errors(dataset: Dataset) -> KnownErrors | None:
    """Return the human-validated label errors of `dataset`, or None where none are published or it is another.

    Source: Northcutt, Athalye and Mueller 2021, "Pervasive Label Errors in Test Sets Destabilize Machine Learning
    Benchmarks": 15 of MNIST's 10,000 test images.

    >>> import convscope as cs
    >>> found = known_errors(cs.load_dataset("mnist").test)
    >>> len(found.errors), found.errors[0].given, found.errors[0].agreed_label
    (15, 8, 9)
    """
    return _by_digest().get(dataset.sha256)


@cache
def _by_digest() -> dict[str, KnownErrors]:
    lists = dict[str, KnownErrors]()
    for name in _LISTS:
        value: dict[str, Any] = json.loads(files("convscope.evidence.audit").joinpath("data", name).read_text("utf-8"))
        errors = tuple(KnownError(**error, agreed_label=_agreed_label(**error)) for error in value["errors"])
        lists[value["sha256"]] = KnownErrors(value["source"], value["rule"], value["num_reviewed"], errors)
    return lists


def _agreed_label(other: int, votes_given: int, votes_other: int, votes_neither: int, **_: int) -> int | None:
    return other if 2 * votes_other > votes_given + votes_other + votes_neither else None
