"""Published label errors of test sets. A data set is recognised by its digest, so each image must be the same."""

import json
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from convscope.base.arguments import checked
from convscope.base.records import Count, Record
from convscope.data.datasets import Dataset
from convscope.evidence.records import Label

_LISTS = ("mnist_test_errors.json",)  # files in data/


class KnownError(Record, kw_only=True):
    """An image that people were shown, and whose given label most of them did not choose.

    Attributes:
        index: the index of the image in its split.
        given_label: the label in the file.
        alternative_label: the second label that the people could choose.
        votes_given, votes_alternative, votes_neither: votes for the given label, the alternative and neither.
        agreed_label: the label that a majority chose; None if there is no majority.
    """

    index: Count
    given_label: Label
    alternative_label: Label
    votes_given: Count
    votes_alternative: Count
    votes_neither: Count
    agreed_label: Label | None


@dataclass(frozen=True)
class KnownErrors:
    """The label errors that people identified in a data set.

    Attributes:
        source: authors and publication.
        rule: how images were chosen to be shown to people, and how errors were chosen among these.
        num_reviewed: images that were shown; there was no vote on the others.
    """

    source: str
    rule: str
    num_reviewed: int
    errors: tuple[KnownError, ...]


@checked
def known_errors(dataset: Dataset) -> KnownErrors | None:
    """Find the published label errors of `dataset`, which people confirmed; None if there are none.

    Source: Northcutt, Athalye and Mueller 2021, "Pervasive Label Errors in Test Sets Destabilize Machine Learning
    Benchmarks": 15 of MNIST's 10,000 test images.

    >>> import convscope as cs
    >>> known = known_errors(cs.load_dataset("mnist").test)
    >>> len(known.errors), known.errors[0].given_label, known.errors[0].agreed_label
    (15, 8, 9)
    """
    return _read_lists().get(dataset.sha256)


@cache
def _read_lists() -> dict[str, KnownErrors]:
    """Read the lists by the digests of their data sets."""
    lists = dict[str, KnownErrors]()
    for name in _LISTS:
        value: dict[str, Any] = json.loads(files("convscope.evidence.audit").joinpath("data", name).read_text("utf-8"))
        errors = tuple(KnownError(**error, agreed_label=_find_majority(error)) for error in value["errors"])
        lists[value["sha256"]] = KnownErrors(value["source"], value["rule"], value["num_reviewed"], errors)
    return lists


def _find_majority(error: dict[str, int]) -> int | None:
    """Get the alternative label if most people chose it; in these lists the given label never has a majority."""
    num_votes = error["votes_given"] + error["votes_alternative"] + error["votes_neither"]
    return error["alternative_label"] if 2 * error["votes_alternative"] > num_votes else None
