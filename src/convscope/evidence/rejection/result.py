"""What a measured rejection is, as values: shares with their intervals, separations, answers and a few pictures."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from html import escape
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convscope.base.packing import pack
from convscope.base.plain import PlainFields, plain_attributes
from convscope.base.tables import clip, html_table, percent_with_interval, printable, text_table
from convscope.evidence.rejection.rule import TITLES, RejectionRule

SURE = 0.99
"""The probability from which an answer counts as sure."""

_HEADER = ("Images", "Number", "Refused", "AUROC", "FPR at 95 %", "Confident (99 %)", "of these, accepted")
_RULES_CAPTION = "Refused by each rule, and its AUROC"


@dataclass(frozen=True)
class Share:
    """`count` of `total`, and the 95 % Wilson interval of the share: (0, 1) where there is none in all.

    For images in clusters the interval is that of their effective number (see `separation.effective_number`).
    """

    count: int
    total: int
    interval: tuple[float, float]

    @property
    def value(self) -> float:
        """The share, from 0 to 1; 0 of none."""
        return self.count / self.total if self.total else 0.0

    def __str__(self) -> str:
        return percent_with_interval(self.value, self.interval) if self.total else "none"

    def to_dict(self) -> dict[str, Any]:
        return plain_attributes(self, "count", "total", "value", "interval")


@dataclass(frozen=True, eq=False)
class Examples:
    """A few images, from the highest score to the lowest, and what the model answers to them.

    Attributes:
        images: (E, h, w, C) uint8, at most 64 pixels wide and high.
        answers: labels.
        probabilities: of the answers.
        refused: whether the chosen rule refuses each.
        indices: of images of the data set, their places in it.
        labels: of images of the data set, their true labels.
    """

    images: NDArray[np.uint8] = field(repr=False)
    answers: tuple[int, ...]
    probabilities: tuple[float, ...]
    refused: tuple[bool, ...]
    indices: tuple[int, ...] | None = None
    labels: tuple[int, ...] | None = None

    def to_dict(self) -> dict[str, Any]:
        lists = {name: list(getattr(self, name)) for name in ("answers", "probabilities", "refused")}
        if self.indices is not None and self.labels is not None:
            lists |= {"indices": list(self.indices), "labels": list(self.labels)}
        return {"images": pack(self.images), **lists}


@dataclass(frozen=True)
class RuleResult(PlainFields):
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
    auroc: float
    auroc_interval: tuple[float, float]
    false_positive_rate: float


@dataclass(frozen=True, eq=False)
class OutOfDistributionResult(PlainFields):
    """What the model does with one out-of-distribution set.

    Attributes:
        about: what the images are.
        num_clusters: of how many groups of images that are alike, such as drawings of one letter; None if of none.
        clustered_by: what such a group is, in the plural; empty if there are none.
        mean_probability: the mean over the images, of the answer's probability at the model's temperature.
        num_sure: answers with a probability of at least 0.99.
        num_sure_answered: of these, the images that the chosen rule does not refuse.
        answer: the most frequent one, a label.
        num_answer: how often it is given.
        rules: by rule, the chosen one first.
        histogram: of the chosen rule's scores; see `Rejection.edges`.
    """

    name: str
    about: str
    num_images: int
    num_clusters: int | None
    clustered_by: str
    mean_probability: float
    num_sure: int
    num_sure_answered: int
    answer: int
    num_answer: int
    rules: tuple[RuleResult, ...]
    histogram: tuple[int, ...] = field(repr=False)
    examples: Examples = field(repr=False)


@dataclass(frozen=True)
class AlteredImages(PlainFields):
    """What refusing costs on test images that were moved or turned a little.

    Attributes:
        name: what was done to them.
        accuracy: on these images.
        right: by rule, refused of those that are classified correctly.
    """

    name: str
    num_images: int
    accuracy: float
    right: Mapping[str, Share]


@dataclass(frozen=True, eq=False)
class KnownImages(PlainFields):
    """What refusing costs on the test images, and what it saves; by rule.

    Attributes:
        right: refused of those that are classified correctly.
        wrong: refused of those that are classified wrongly.
        right_among_answered: classified correctly of those that are not refused.
        histogram: of the chosen rule's scores; see `Rejection.edges`.
        refused: a few that the chosen rule refuses.
    """

    right: Mapping[str, Share]
    wrong: Mapping[str, Share]
    right_among_answered: Mapping[str, Share]
    histogram: tuple[int, ...] = field(repr=False)
    refused: Examples = field(repr=False)


@dataclass(frozen=True, eq=False)
class Rejection:
    """How often rules refuse what they should, and what they should not.

    Attributes:
        rules: the chosen one first, each of other scores.
        temperature: that all probabilities are computed at, the model's; None where it has none.
        num_images: test images, sampled evenly.
        num_images_left_out: how many more the data set has.
        altered: test images moved or turned a little, on which refusing costs more than on those as they are.
        left_out: why a set of out-of-distribution images is not there, by its name.
        edges: (B + 1,), of the histograms' bins; the outer bins also hold what lies beyond.
    """

    dataset_name: str
    split: str
    class_names: tuple[str, ...] = field(repr=False)
    rules: tuple[RejectionRule, ...]
    temperature: float | None
    num_images: int
    num_images_left_out: int
    known: KnownImages
    altered: tuple[AlteredImages, ...]
    out_of_distribution: tuple[OutOfDistributionResult, ...]
    left_out: Mapping[str, str]
    edges: tuple[float, ...] = field(repr=False)

    def to_dict(self) -> dict[str, Any]:
        """Return all of it as plain JSON; of the rules what they are, without the arrays that they compute with."""
        return {
            "dataset": self.dataset_name,
            "split": self.split,
            "class_names": list(self.class_names),
            "temperature": self.temperature,
            "num_images": self.num_images,
            "num_images_left_out": self.num_images_left_out,
            "rules": [self._rule(rule) for rule in self.rules],
            "known": self.known.to_dict(),
            "altered": [altered.to_dict() for altered in self.altered],
            "out_of_distribution": [outside.to_dict() for outside in self.out_of_distribution],
            "left_out": dict(self.left_out),
            "edges": list(self.edges),
        }

    @staticmethod
    def _rule(rule: RejectionRule) -> dict[str, Any]:
        numbers = {name: value for name, value in rule.to_dict().items() if name not in ("distance", "statistics")}
        return {"name": rule.name, "title": rule.title, **numbers, "mean_made_up": rule.mean_made_up}

    def __str__(self) -> str:
        parts = [self._headline(), text_table(_HEADER, self._rows())]
        if len(self.rules) > 1:
            parts.append(f"{_RULES_CAPTION}\n{text_table(self._rules_header(), self._rules_rows())}")
        return "\n\n".join([*parts, *(f"Left out: {name}: {printable(why)}" for name, why in self.left_out.items())])

    def _repr_html_(self) -> str:
        left_out = "".join(f"<p>{escape(f'Left out: {name}: {why}')}</p>" for name, why in self.left_out.items())
        tables = html_table(_HEADER, self._rows())
        if len(self.rules) > 1:
            tables += html_table(self._rules_header(), self._rules_rows(), _RULES_CAPTION)
        return f"<p>{escape(self._headline())}</p>{tables}{left_out}"

    def _headline(self) -> str:
        rule = self.rules[0]
        where = f"{self.num_images:,} {self.split} images of {self.dataset_name}"
        limits = " or ".join(f"{TITLES[score]} below {limit:.4g}" for score, limit in rule.thresholds.items())
        kept = 100 * rule.num_kept / rule.num_held_out
        return printable(
            f"Images with {limits} are refused; {kept:.1f} % of {rule.num_held_out:,} held-out training images are "
            f"accepted. Measured on {where}:"
        )

    def _rows(self) -> list[tuple[str, ...]]:
        rule = self.rules[0].name
        shares = [
            ("classified correctly", self.known.right[rule]),
            ("classified wrongly", self.known.wrong[rule]),
            *((altered.name, altered.right[rule]) for altered in self.altered),
        ]
        rows: list[tuple[str, ...]] = [(name, f"{share.total:,}", str(share), "", "", "", "") for name, share in shares]
        for outside in self.out_of_distribution:
            one, count = outside.rules[0], outside.num_images
            area = f"{one.auroc:.4f} [{one.auroc_interval[0]:.4f}, {one.auroc_interval[1]:.4f}]"
            sure = (f"{number / count:.4f}" for number in (outside.num_sure, outside.num_sure_answered))
            rate = f"{one.false_positive_rate:.4f}"
            rows.append((clip(outside.name, 24), f"{count:,}", str(one.refused), area, rate, *sure))
        return rows

    def _rules_header(self) -> tuple[str, ...]:
        return ("Images", *(rule.title for rule in self.rules))

    def _rules_rows(self) -> list[tuple[str, ...]]:
        shares = [
            ("classified correctly", self.known.right),
            ("classified wrongly", self.known.wrong),
            *((altered.name, altered.right) for altered in self.altered),
        ]
        rows = [(name, *(f"{100 * by_rule[rule.name].value:.2f} %" for rule in self.rules)) for name, by_rule in shares]
        for outside in self.out_of_distribution:
            cells = (f"{100 * one.refused.value:.2f} %, {one.auroc:.4f}" for one in outside.rules)
            rows.append((clip(outside.name, 24), *cells))
        made_up = (f"{100 * rule.mean_made_up:.2f} %" for rule in self.rules)
        return [*rows, ("synthetic OOD, used for the choice", *made_up)]
