"""A finding, the measurements that findings are drawn from, and the words that sentences about it share."""

from collections.abc import Sequence
from typing import Literal, get_args

from convscope.base.records import Count, Record
from convscope.base.tables import clip
from convscope.data.inspection.copies import Copies
from convscope.data.inspection.split_facts import InspectedSplits

Severity = Literal["fault", "warning", "note"]

SEVERITIES: tuple[Severity, ...] = get_args(Severity)
"""A fault makes figures wrong or training useless; a warning may; a note is what to bear in mind."""

_NAMED = 3  # classes that a sentence names


class Finding(Record):
    """One thing to know, and what to do about it.

    Attributes:
        severity: see `SEVERITIES`.
        topic: what it is about: "balance", "duplicates", "blank", "range", "polarity", "channels" or "size".
        text: what was found, with its numbers.
        next_step: what to do.
    """

    severity: Severity
    topic: str
    text: str
    next_step: str


class Measurements(Record, kw_only=True):
    """What is measured of a data set."""

    name: str
    class_names: tuple[str, ...]
    image_shape: tuple[Count, Count, Count]
    splits: InspectedSplits
    copies: Copies


def percent(share: float) -> str:
    """Return a share in percent, with a digit after the point or, of less than a thousandth, two that count."""
    return f"{100 * share:.1f} %" if share >= 0.001 or share == 0 else f"{100 * share:.2g} %"


def count(number: int, one: str, several: str | None = None) -> str:
    """Return a number with its noun, as "1 class" and "2 classes"."""
    return f"{number:,} {one if number == 1 else several or one + 's'}"


def names_of(class_names: Sequence[str], labels: Sequence[int]) -> str:
    """Return the names of the first three classes, clipped."""
    named = ", ".join(clip(class_names[label], 24) for label in labels[:_NAMED])
    return named + (", ..." if len(labels) > _NAMED else "")
