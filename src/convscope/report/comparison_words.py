"""What a comparison says, as sentences of the catalogue; `convscope.evidence.comparison.words` is its English.

A comparison is a record: of two runs, or of two groups of them.
"""

from collections.abc import Sequence
from math import inf

from convscope.base.statistics import coverage
from convscope.base.tables import clip
from convscope.evidence.comparison.candidate import seconds_text
from convscope.evidence.comparison.records import ComparisonRecord
from convscope.evidence.comparison.words import SIGNIFICANCE, SMALLEST_PRINTED_P
from convscope.texts import Figure, Said, figure, rounded, say, signed

_WIDEST_NAME = 32


def p_said(p_value: float) -> Said:
    """Return a p-value, or the bound below which it lies."""
    if p_value >= SMALLEST_PRINTED_P:
        return say("p", p=rounded(p_value, 2))
    return say("pBelow", p=rounded(SMALLEST_PRINTED_P, 2))


def verdict_said(comparison: ComparisonRecord) -> Said:
    """Return who makes fewer errors and by how much, or that the two do not differ significantly."""
    names = [clip(name, _WIDEST_NAME) for name in comparison.names]
    difference = comparison.accuracy_difference
    single = [count == 1 for count in comparison.num_models]
    if comparison.decisive_p_value >= SIGNIFICANCE or difference == 0:
        key = "comparing.sameRuns" if all(single) else "comparing.same"
        change = _points(difference, comparison.accuracy_difference_interval)
        return say(key, first=names[0], second=names[1], change=change)
    low, high = (inf if end is None else end for end in comparison.error_ratio_interval)
    errors = comparison.a.num_errors, comparison.b.num_errors
    better = 0 if difference > 0 else 1
    if better == 0:  # its errors as a share of the second's
        low, high = 1 / high, 1 / low if low else inf
    share = errors[better] / errors[1 - better]
    return say(
        "comparing.fewerMore" if any(single) else "comparing.fewer",
        first=say("comparing.thisRunFirst", name=names[better]) if single[better] else names[better],
        second=say("comparing.thisRun", name=names[1 - better]) if single[1 - better] else names[1 - better],
        fewer=_fewer(share),
        least=_fewer(high),
        most=_fewer(low),
    )


def pair_said(comparison: ComparisonRecord) -> list[Said]:
    """Return what the counts of two single runs say and what they cannot say."""
    first, second = comparison.names
    errors = [comparison.a.num_errors, comparison.b.num_errors]
    a = say("comparing.errors", n=errors[0]) if errors[0] else say("comparing.noErrors")
    b = errors[1] if errors[1] else say("comparing.noErrors")
    if errors == [0, 0]:
        said = say("comparing.neither", first=first, second=second)
    elif errors[0] == errors[1]:
        said = say("comparing.each", first=first, second=second, errors=a)
    elif 0 in errors:
        said = say("comparing.makes", first=first, second=second, errors=a, others=b)
    else:
        fewer, better = _fewer(min(errors) / max(errors)), first if errors[0] < errors[1] else second
        said = say("comparing.makesFewer", first=first, second=second, errors=a, others=b, fewer=fewer, better=better)
    told = say(f"comparing.on.{comparison.split}", n=comparison.num_images, data=comparison.dataset, said=said)
    return [told, _chance(comparison), say("comparing.oneRun")]


def limits_said(comparison: ComparisonRecord) -> list[Said]:
    """Return what a comparison of groups does not show."""
    counts = comparison.num_models
    alone = [name for name, count in zip(comparison.names, counts, strict=True) if count == 1]
    if len(alone) == 2:
        return [say("comparing.oneRun")]
    if alone:
        return [say("comparing.alone", name=alone[0])]
    return [say("comparing.covers"), *coverage_said(min(counts), "comparing.coverage")]


def seconds_said(seconds: float | None) -> str:
    """Return a time in the unit that suits it, or that it is unknown."""
    return say("head.unknown") if seconds is None else seconds_text(seconds)


def coverage_said(num_seeds: int, key: str) -> list[Said]:
    """Return how often an interval over seeds and images holds the truth; nothing for 30 seeds or more."""
    share = coverage(num_seeds)
    return [say(key, n=num_seeds, least=share[0], most=share[1])] if share else []


def _points(value: float, interval: Sequence[float]) -> Said:
    digits = 2 if max(abs(100 * each) for each in (value, *interval)) >= 0.1 else 3
    number, low, high = (signed(100 * each, digits) for each in (value, *interval))
    return say("points", change=say("within", value=number, low=low, high=high))


def _fewer(share: float) -> Figure | str:
    """Return how many percent less than 1 a share is, with two digits or, near 100, as many as tell it from 100."""
    value = 100 * (1 - share)
    if value == -inf:
        return "\N{MINUS SIGN}\N{INFINITY}"
    if 99.5 <= value < 100:
        return rounded(value, 4)
    return figure(value, 0) if abs(value) >= 9.5 else rounded(value, 2)


def _chance(comparison: ComparisonRecord) -> Said:
    differing = comparison.num_differing
    if differing == 0:
        return say("comparing.equal")
    p = comparison.p_value
    how = "often" if p >= SIGNIFICANCE else "rarely" if p >= 0.001 else "never"
    return say(f"comparing.chance.{how}", n=differing, p=p_said(p))
