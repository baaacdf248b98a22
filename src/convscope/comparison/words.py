"""What a comparison says, in words: counts, ratios, and the verdict."""

from collections.abc import Sequence
from math import inf

from convscope.comparison.counts import PairedCounts
from convscope.tables import clip, printable

SIGNIFICANCE = 0.05
"""Below it, two are said to differ."""

_SMALLEST_PRINTED_P = 1e-300  # near the smallest float; below it a p-value may have become 0
_KIND_OF_IMAGE = {"train": "training image", "validation": "validation image", "test": "test image"}
_WIDEST_NAME = 32


def tell_apart(first: str, second: str) -> tuple[str, str]:
    """Return what two are called beside each other: their names, told apart where they are the same."""
    return (f"{first} (first)", f"{second} (second)") if first == second else (first, second)


def count(number: int, noun: str) -> str:
    """Return a number of things in words."""
    return f"{f'{number:,}' if number else 'no'} {noun}{'' if number == 1 else 's'}"


def image_count(number: int, split: str, dataset_name: str) -> str:
    """Return which images were answered, and how many."""
    kind = _KIND_OF_IMAGE.get(split, f"{printable(split)} image")
    return f"{count(number, kind)} of {printable(dataset_name)}"


def ratio(value: float) -> str:
    """Return a ratio with two digits behind the point, or one figure where that would leave nothing."""
    if value == inf:
        return "\N{INFINITY}"
    return f"{value:.2f}" if value >= 0.1 or value == 0 else f"{value:.1g}"


def p_text(p_value: float, least: float = 0.0) -> str:
    """Return a p-value as text; at `least`, the smallest that so many draws can show, it is an upper end.

    >>> p_text(0.0004, least=0.0004)
    'p ≤ 0.0004'
    """
    if 0 < p_value <= least:
        return f"p ≤ {least:.2g}"
    return f"p = {p_value:.2g}" if p_value >= _SMALLEST_PRINTED_P else f"p < {_SMALLEST_PRINTED_P}"


def points_with_interval(value: float, interval: tuple[float, float]) -> str:
    """Return a difference of fractions and its interval as points, with three digits where all are below a tenth.

    >>> points_with_interval(0.0099, (0.0073, 0.0127))
    '+0.99 [+0.73, +1.27] points'
    """
    values = [100 * each for each in (value, *interval)]
    digits = 2 if max(map(abs, values)) >= 0.1 else 3
    number, low, high = (_signed(round(each, digits), digits) for each in values)
    return f"{number} [{low}, {high}] points"


def _signed(number: float, digits: int) -> str:
    text = f"{number:+.{digits}f}" if number else f"{0:.{digits}f}"
    return text.replace("-", "\N{MINUS SIGN}")


def verdict(
    names: Sequence[str],
    difference: float,
    difference_interval: tuple[float, float],
    errors: tuple[float, float],
    ratio_interval: tuple[float, float],
    p_value: float,
) -> str:
    """Return who makes fewer errors and by how much, or that the two are not distinguishable.

    Args:
        difference, difference_interval: the accuracy of the first less that of the second.
        errors: of the first and of the second, at least one of them above 0 if they differ.
        ratio_interval: of the second's errors for one of the first.
    """
    first, second = (clip(name, _WIDEST_NAME) for name in names)
    if p_value >= SIGNIFICANCE or difference == 0:
        change = points_with_interval(difference, difference_interval)
        return f"{first} and {second} are not distinguishable: accuracies {change} apart"
    low, high = ratio_interval
    if difference > 0:  # the first is better: how many errors it makes for one of the second
        value, low, high = errors[0] / errors[1], 1 / high, 1 / low if low else inf
    else:
        first, second, value = second, first, errors[1] / errors[0]
    return f"{first} makes fewer errors than {second}: {ratio(value)} [{ratio(low)}, {ratio(high)}] times as many"


def pair_sentence(names: Sequence[str], images: str, counts: PairedCounts) -> str:
    """Return what two single models' counts on `images` say and what they cannot say."""
    first, second = map(printable, names)
    errors_a, errors_b = counts.errors_a, counts.errors_b
    if errors_a == errors_b == 0:
        said = f"neither {first} nor {second} makes an error"
    elif errors_a == errors_b:
        said = f"{first} and {second} each make {count(errors_a, 'error')}"
    else:
        times = f" ({ratio(errors_b / errors_a)} times as many)" if errors_a and errors_b else ""
        others = f"{errors_b:,}" if errors_b else "none"
        said = f"{first} makes {count(errors_a, 'error')} and {second} {others}{times}"
    told = f"On the {images}, with one run each, {said}; {_chance(counts)}."
    return f"{told} One run of each says nothing about other seeds."


def _chance(counts: PairedCounts) -> str:
    differing = counts.only_a_right + counts.only_b_right
    if differing == 0:
        return "they are right and wrong on the very same images, so they cannot be told apart on this split"
    p = p_text(counts.p_value)
    on = f"exactly one of the two is right on {count(differing, 'image')}"
    if counts.p_value < SIGNIFICANCE:
        return f"{on}, and chance alone would split them so unevenly with {p}"
    return f"{on}, split by chance alone at least so unevenly with {p}: they cannot be told apart on this split"
