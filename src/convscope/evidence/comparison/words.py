"""Write a comparison's verdict, counts and limits in sentences of the catalogue.

The catalogue of `convscope.texts` has each sentence by its key in every language of the page. `say(key, **values)`
makes the English one, which a reader of the page sees in the chosen language.
"""

from collections.abc import Sequence
from math import inf

from convscope.base.statistics import get_simulated_coverage
from convscope.base.tables import clip, printable
from convscope.evidence.comparison.records import ComparisonRecord, Equivalence, GroupComparisonRecord
from convscope.texts import Figure, Sentence, figure, format_rounded, format_signed, join_sentences, say

SIGNIFICANCE = 0.05
"""Models differ significantly if the p-value is below this."""

_SMALLEST_PRINTED_P = 1e-300  # near the smallest float: below it a p-value may have become 0
_KIND_OF_IMAGE = {"train": "training image", "validation": "validation image", "test": "test image"}
_WIDEST_NAME = 32
PAIR_HEADER = (
    *("Pair", "Difference (95 % interval)", "Error ratio (95 % interval)", "p", "p, Holm", "Significant"),
    "Equivalence",
)
"""Header over the rows of `format_pair`; the last column is there if a margin was stated."""


def make_unique(first: str, second: str) -> tuple[str, str]:
    """Make two names unique: equal ones get a suffix."""
    return (f"{first} (first)", f"{second} (second)") if first == second else (first, second)


def format_count(number: int, noun: str) -> str:
    """Format a number with its noun, as "no models" and "1 model"."""
    return f"{f'{number:,}' if number else 'no'} {noun}{'' if number == 1 else 's'}"


def format_image_count(number: int, split: str, dataset_name: str) -> str:
    """Format the number of images with their split and data set."""
    kind = _KIND_OF_IMAGE.get(split, f"{printable(split)} image")
    return f"{format_count(number, kind)} of {printable(dataset_name)}"


def format_ratio(value: float) -> str:
    """Format a ratio with two decimals, or below 0.1 with one significant digit."""
    if value == inf:
        return "\N{INFINITY}"
    return f"{value:.2f}" if value >= 0.1 or value == 0 else f"{value:.1g}"


def format_p_value(p_value: float) -> Sentence:
    """Write a p-value, or the bound below which it lies.

    >>> str(format_p_value(0.0212)), str(format_p_value(0.0))
    ('p = 0.021', 'p < 1e-300')
    """
    if p_value >= _SMALLEST_PRINTED_P:
        return say("p", p=format_rounded(p_value, 2))
    return say("pBelow", p=format_rounded(_SMALLEST_PRINTED_P, 2))


def format_p_number(p_value: float) -> str:
    """Format a p-value as a number alone, or as the bound below which it lies."""
    # The sentence is "p = 0.03" or "p < 1e-300"; the number keeps its sign of comparison.
    return format_p_value(p_value).removeprefix("p ").removeprefix("= ")


def format_difference(value: float, interval: Sequence[float]) -> Sentence:
    """Write a difference of fractions and its interval as points, with three decimals if all are below a tenth.

    >>> str(format_difference(0.0099, (0.0073, 0.0127)))
    '+0.99 [+0.73, +1.27] points'
    """
    numbers = [100 * fraction for fraction in (value, *interval)]
    digits = 2 if max(map(abs, numbers)) >= 0.1 else 3
    number, low, high = (format_signed(number, digits) for number in numbers)
    return say("points", change=say("within", value=number, low=low, high=high))


def format_pair(comparison: GroupComparisonRecord) -> tuple[str, ...]:
    """Format the comparison of two of several groups as a row of a table."""
    low, high = (format_ratio(inf if end is None else end) for end in comparison.error_ratio_interval)
    value, adjusted = comparison.error_ratio, comparison.adjusted_p_value
    return (
        " - ".join(clip(name, 18) for name in comparison.names),
        format_difference(comparison.accuracy_difference, comparison.accuracy_difference_interval),
        f"{'none' if value is None else format_ratio(value)} [{low}, {high}]",
        format_p_number(comparison.p_value),
        "" if adjusted is None else format_p_number(adjusted),
        "yes" if comparison.is_distinguishable else "no",
        *([] if comparison.equivalence is None else [comparison.equivalence]),
    )


def format_verdict(comparison: ComparisonRecord) -> Sentence:
    """Say who makes fewer errors and by how much, or that the two do not differ significantly."""
    names = [clip(name, _WIDEST_NAME) for name in comparison.names]
    difference = comparison.accuracy_difference
    is_single = [count == 1 for count in comparison.num_models]
    # Equal accuracies may have a small p-value only by rounding; then neither is better.
    if comparison.decisive_p_value >= SIGNIFICANCE or difference == 0:
        key = "comparing.sameRuns" if all(is_single) else "comparing.same"
        change = format_difference(difference, comparison.accuracy_difference_interval)
        return say(key, first=names[0], second=names[1], change=change)
    errors = comparison.a.num_errors, comparison.b.num_errors
    better, worse = (0, 1) if difference > 0 else (1, 0)
    # The record's interval is of the second's errors divided by the first's: right if the second is better. If the
    # first is, it is inverted: 1.25 to 2 become 0.5 to 0.8, at least 20 % and at most 50 % fewer.
    low, high = (inf if end is None else end for end in comparison.error_ratio_interval)
    if better == 0:
        low, high = 1 / high, 1 / low if low else inf
    sides = {
        "first": say("comparing.thisRunFirst", name=names[better]) if is_single[better] else names[better],
        "second": say("comparing.thisRun", name=names[worse]) if is_single[worse] else names[worse],
    }
    ends = {"least": fewer_percent(high), "most": fewer_percent(low)}
    if not errors[better]:
        return say("comparing.none", **sides, errors=figure(errors[worse], 0 if any(is_single) else 1), **ends)
    key = "comparing.fewerMore" if any(is_single) else "comparing.fewer"
    return say(key, **sides, fewer=fewer_percent(errors[better] / errors[worse]), **ends)


def format_counts(comparison: ComparisonRecord) -> list[Sentence]:
    """Say what the counts of two single runs show and what they cannot show.

    The first sentence is such as "... cnn makes 12 errors and mlp 15". Then come how often chance would split so
    unevenly, and that one run of each says nothing about other seeds.
    """
    first, second = comparison.names
    errors = [comparison.a.num_errors, comparison.b.num_errors]
    # "12 errors" of the first and only "15" of the second, whose noun the sentence does not repeat.
    a = say("comparing.errors", n=errors[0]) if errors[0] else say("comparing.noErrors")
    b = errors[1] if errors[1] else say("comparing.noErrors")
    if errors == [0, 0]:
        result = say("comparing.neither", first=first, second=second)
    elif errors[0] == errors[1]:
        result = say("comparing.each", first=first, second=second, errors=a)
    else:
        result = say("comparing.makes", first=first, second=second, errors=a, others=b)
    split = {} if comparison.split in ("train", "test") else {"split": comparison.split}
    key = f"comparing.on.{'named' if split else comparison.split}"
    counts = say(key, n=comparison.num_images, data=comparison.dataset, said=result, **split)
    return [counts, _describe_chance(comparison), say("comparing.oneRun")]


def format_points(value: float) -> str:
    """Format a difference of accuracies, given as a fraction, in points.

    >>> format_points(0.001), format_points(0.01)
    ('0.1 points', '1 point')
    """
    # Two significant digits, as the user gives them: 0.1 or 0.25.
    text = f"{100 * value:.2g}"
    return f"{text} point{'' if text == '1' else 's'}"


def format_equivalence(names: Sequence[str], margin: float, equivalence: Equivalence) -> str:
    """Say whether two groups differ by less than a margin, or that it is undecided."""
    first, second = (printable(clip(name, _WIDEST_NAME)) for name in names)
    size = format_points(margin)
    return {
        "equivalent": f"The two are equivalent: their accuracies differ by less than {size}.",
        "different": f"Their accuracies differ by more than {size}.",
        "first not worse": f"{first} is not worse than {second} by {size} or more.",
        "second not worse": f"{second} is not worse than {first} by {size} or more.",
        "undecided": f"Whether their accuracies differ by less than {size} is undecided; train more seeds.",
    }[equivalence]


def format_limits(names: Sequence[str], num_models: Sequence[int]) -> str:
    """Say what a comparison of groups does not show, by the number of models in each."""
    alone = [name for name, count in zip(names, num_models, strict=True) if count == 1]
    if len(alone) == 2:
        return say("comparing.oneRun")
    if alone:
        return say("comparing.alone", name=alone[0])
    return join_sentences(say("comparing.covers"), format_coverage(min(num_models), "comparing.coverage"))


def format_coverage(num_seeds: int, key: str = "comparing.coverageSeeds") -> str:
    """Say how often an interval over seeds and images contains the truth; "" for 30 seeds or more."""
    share = get_simulated_coverage(num_seeds)
    return say(key, n=num_seeds, least=share[0], most=share[1]) if share else ""


def fewer_percent(share: float) -> Figure | str:
    """Format by how many percent a share is less than 1, with two digits, or near 100 with four.

    >>> [str(fewer_percent(share)) for share in (0.3, 0.956, 0.0004, 0.0)]
    ['70', '4.4', '99.96', '100']
    """
    value = 100 * (1 - share)
    if value == -inf:
        return "\N{MINUS SIGN}\N{INFINITY}"
    if 99.5 <= value < 100:
        return format_rounded(value, 4)
    return figure(value, 0) if abs(value) >= 9.5 else format_rounded(value, 2)


def _describe_chance(comparison: ComparisonRecord) -> Sentence:
    """Say how often chance would split the images that only one model classifies correctly as unevenly."""
    differing = (comparison.only_a_correct or 0) + (comparison.only_b_correct or 0)
    if differing == 0:
        return say("comparing.equal")
    p = comparison.p_value
    how = "often" if p >= SIGNIFICANCE else "rarely" if p >= 0.001 else "never"
    return say(f"comparing.chance.{how}", n=differing, p=format_p_value(p))
