"""What a comparison says, in words: counts, p-values, and the verdict."""

from collections.abc import Sequence
from math import inf

from convscope.base.tables import clip, printable
from convscope.evidence.comparison.counts import PairedCounts

SIGNIFICANCE = 0.05
"""Below it, two are said to differ."""

SMALLEST_PRINTED_P = 1e-300
"""Near the smallest float: below it a p-value may have become 0."""

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


def p_text(p_value: float) -> str:
    """Return a p-value as text.

    >>> p_text(0.0212), p_text(0.0)
    ('p = 0.021', 'p < 1e-300')
    """
    return f"p = {p_number(p_value)}" if p_value >= SMALLEST_PRINTED_P else f"p {p_number(p_value)}"


def p_number(p_value: float) -> str:
    """Return a p-value as a number alone, or as the bound below which it lies."""
    return f"{p_value:.2g}" if p_value >= SMALLEST_PRINTED_P else f"< {SMALLEST_PRINTED_P}"


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
    single: tuple[bool, bool],
) -> str:
    """Return who makes fewer errors and by how much, or that the two do not differ significantly.

    Args:
        difference, difference_interval: the accuracy of the first minus that of the second.
        errors: of the first and of the second, at least one of them above 0 if they differ.
        ratio_interval: of the second's errors for one of the first.
        single: whether there is only one run of the first, and of the second: then the verdict is about that run.
    """
    first, second = (
        f"this run of {clip(name, _WIDEST_NAME)}" if alone else clip(name, _WIDEST_NAME)
        for name, alone in zip(names, single, strict=True)
    )
    if p_value >= SIGNIFICANCE or difference == 0:
        change = points_with_interval(difference, difference_interval)
        return f"No significant difference between {first} and {second}: accuracies differ by {change}"
    low, high = ratio_interval
    if difference > 0:  # the first is better: its errors as a share of the second's
        share, low, high = errors[0] / errors[1], 1 / high, 1 / low if low else inf
    else:
        first, second, share = second, first, errors[1] / errors[0]
    fewer, least, most = (fewer_percent(each) for each in (share, high, low))
    text = f"{first} makes {fewer} % fewer errors than {second} (95 % interval: {least} to {most} %)"
    more = "; more seeds are needed to compare the architectures or recipes" if any(single) else ""
    return f"{text[:1].upper()}{text[1:]}{more}" if any(single) else text


def fewer_percent(share: float) -> str:
    """Return how many percent less than 1 a share is, with two digits or, near 100, as many as tell it from 100.

    >>> fewer_percent(0.3), fewer_percent(0.956), fewer_percent(0.0004), fewer_percent(0.0)
    ('70', '4.4', '99.96', '100')
    """
    value = 100 * (1 - share)
    if 99.5 <= value < 100:
        return f"{value:.4g}"
    text = f"{value:.0f}" if abs(value) >= 9.5 else f"{value:.2g}"
    return text.replace("-", "\N{MINUS SIGN}")


def pair_sentence(names: Sequence[str], images: str, counts: PairedCounts) -> str:
    """Return what two single models' counts on `images` say and what they cannot say."""
    first, second = map(printable, names)
    errors_a, errors_b = counts.errors_a, counts.errors_b
    if errors_a == errors_b == 0:
        said = f"neither {first} nor {second} makes any errors"
    elif errors_a == errors_b:
        said = f"{first} and {second} each make {count(errors_a, 'error')}"
    else:
        share = min(errors_a, errors_b) / max(errors_a, errors_b)
        fewer = f" ({fewer_percent(share)} % fewer for {first if errors_a < errors_b else second})" if share else ""
        others = f"{errors_b:,}" if errors_b else "none"
        said = f"{first} makes {count(errors_a, 'error')} and {second} {others}{fewer}"
    told = f"On the {images}, with one run each, {said}. {_chance(counts)}."
    return f"{told} With one run each, this comparison does not cover other seeds."


def _chance(counts: PairedCounts) -> str:
    differing = counts.only_a_right + counts.only_b_right
    if differing == 0:
        return "Both classify exactly the same images correctly, so the test shows no difference"
    p = p_text(counts.p_value)
    on = f"Exactly one of the two is correct on {count(differing, 'image')}"
    if counts.p_value < SIGNIFICANCE:
        how = "almost never" if counts.p_value < 0.001 else "rarely"
        return f"{on}. If both were equally good, a split this uneven would {how} happen ({p})"
    return f"{on}. If both were equally good, a split this uneven would often happen ({p}): no significant difference"
