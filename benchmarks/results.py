"""From seconds measured in turns to the lines of the table: medians, spreads, ratios and whether a bound is met.

Pure functions of numbers; nothing here runs or measures anything.
"""

import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal


@dataclass(frozen=True)
class Sample:
    """The seconds or bytes of one side, over all repetitions of all its turns.

    Raises:
        ValueError: if there is no value.
    """

    name: str
    values: tuple[float, ...]
    unit: Literal["s", "bytes"] = "s"

    def __post_init__(self) -> None:
        if not self.values:
            raise ValueError(f"{self.name}: no value was measured")

    @property
    def median(self) -> float:
        return statistics.median(self.values)

    @property
    def spread(self) -> tuple[float, float]:
        """(least, greatest)."""
        return min(self.values), max(self.values)

    def to_dict(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "unit": self.unit,
            "values": list(self.values),
            "median": self.median,
            "spread": list(self.spread),
        }


@dataclass(frozen=True)
class Bound:
    """The bound that a row must reach, and its aim: a ratio or share to exceed, or seconds not to exceed."""

    at_least: float
    aim: float
    unit: Literal["x", "%", "s"] = "x"

    def met(self, value: float) -> bool:
        return self._reaches(value, self.at_least)

    def aim_met(self, value: float) -> bool:
        return self._reaches(value, self.aim)

    def text(self, value: float) -> str:
        """Format `value` in the bound's unit, with the digits that it deserves."""
        if self.unit == "%":
            return f"{100 * value:.0f} %"
        return f"{value:.2f} s" if self.unit == "s" else f"{value:.2f} x"

    def _reaches(self, value: float, limit: float) -> bool:
        return value <= limit if self.unit == "s" else value >= limit


@dataclass(frozen=True)
class Result:
    """A line of the table.

    Attributes:
        value: the ratio, share or seconds; None when it was not measured.
        samples: the samples that `value` was computed from, ours first.
        condition: whether the row's second condition (an accuracy) holds; True for a row that has only its bound.
        note: a remark, or the reason why nothing was measured.
    """

    title: str
    bound: Bound
    value: float | None = None
    samples: tuple[Sample, ...] = ()
    condition: bool = True
    note: str = ""
    extras: dict[str, Any] = field(default_factory=dict)

    @property
    def met(self) -> bool | None:
        return None if self.value is None else self.bound.met(self.value) and self.condition

    @property
    def aim_met(self) -> bool | None:
        return None if self.value is None else self.bound.aim_met(self.value) and self.condition

    def to_dict(self) -> dict[str, Any]:
        plain = asdict(self)
        return {**plain, "samples": [s.to_dict() for s in self.samples], "met": self.met, "aim_met": self.aim_met}


def ratio(title: str, bound: Bound, ours: Sample, peers: Sequence[Sample], **more: Any) -> Result:
    """Compute how many times ours fits into the best of `peers`, median over median."""
    best = min(peers, key=lambda sample: sample.median)
    others = sorted(peers, key=lambda sample: sample.median)
    return Result(title, bound, best.median / ours.median, (ours, *others), **more)


def span(sample: Sample) -> str:
    """Format as "median unit [least, greatest] (n)", in the unit and with the digits that are easiest to read.

    >>> span(Sample("a", (0.0123, 0.0125, 0.0131)))
    '12.5 ms [12.3, 13.1] (3)'
    """
    worth, unit = next(
        ((worth, unit) for worth, unit in _UNITS[sample.unit] if sample.median >= worth), _UNITS[sample.unit][-1]
    )
    middle = sample.median / worth
    digits = 0 if middle >= 100 else 1 if middle >= 10 else 2
    low, high = (f"{value / worth:.{digits}f}" for value in sample.spread)
    return f"{middle:.{digits}f} {unit} [{low}, {high}] ({len(sample.values)})"


_UNITS: dict[str, tuple[tuple[float, str], ...]] = {
    "s": ((1, "s"), (1e-3, "ms"), (1e-6, "us")),
    "bytes": ((2**20, "MiB"), (2**10, "KiB")),
}


def table(results: Sequence[Result]) -> str:
    """Format the results as a table in Markdown."""
    lines = ["| what | measured | at least | aim | ours | best peer | |", f"|{' --- |' * 7}"]
    for result in results:
        bound, ours, peers = result.bound, result.samples[:1], result.samples[1:]
        measured = "not measured"
        if result.value is not None:
            verdict = "aim met" if result.aim_met else "met" if result.met else "MISSED"
            measured = f"**{bound.text(result.value)}**, {verdict}"
        cells = (
            result.title,
            measured,
            bound.text(bound.at_least),
            bound.text(bound.aim),
            *(map(span, ours) if ours else ("",)),
            f"{peers[0].name} {span(peers[0])}" if peers else "",
            " ".join(result.note.split()).replace("|", "\\|")[:200],
        )
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)
