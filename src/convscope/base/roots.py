"""Find where a function of one number is 0."""

from collections.abc import Callable

# The ends of a ratio's interval are sought by steps of the logarithm of the ratio, no further than exp(100).
_STEP, _MAX_LOGARITHM = 0.25, 100.0


def find_crossing(function: Callable[[float], float], start: float, direction: float) -> float:
    """Find where a function that is below 0 at `start` first rises to 0, above it (1) or below it (-1).

    If it does not rise within the limit, the last point stands for the crossing.
    """
    inner, outer = start, start + direction * _STEP
    while function(outer) < 0 and abs(outer) < _MAX_LOGARITHM:
        inner, outer = outer, outer + direction * _STEP
    return outer if function(outer) < 0 else find_root(function, inner, outer)


def find_root(function: Callable[[float], float], first: float, last: float) -> float:
    """Find where a function that has opposite signs at `first` and `last` is 0, to within 1e-12.

    By bisection, since to import SciPy's solvers takes 0.3 s and 24 MB, and every run compares two networks.
    """
    is_positive_at_last = function(last) > 0
    while abs(last - first) > 1e-12:
        middle = (first + last) / 2
        if middle in (first, last):
            break  # no float lies between
        if (function(middle) > 0) == is_positive_at_last:
            last = middle
        else:
            first = middle
    return (first + last) / 2
