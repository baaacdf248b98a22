"""The check that every number of a recipe goes through."""

from math import isfinite
from typing import Any

from convscope.base.errors import RecipeError


def check_range(
    name: str, value: Any, low: float, high: float, *, open_below: bool = False, open_above: bool = False
) -> None:
    """Raise `RecipeError` unless `value` is a number in the interval, whose ends belong to it where not open."""
    good = isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value)
    if not good or not low <= value <= high or (open_below and value == low) or (open_above and value == high):
        interval = f"{'above' if open_below else 'from'} {low} {'and below' if open_above else 'to'} {high}"
        raise RecipeError(f"recipe: {name} is {value!r}; it must be a number {interval}")


def check_whole(name: str, value: Any, low: int, high: int) -> None:
    """Raise `RecipeError` unless `value` is a whole number from `low` to `high`."""
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise RecipeError(f"recipe: {name} is {value!r}; it must be a whole number from {low:,} to {high:,}")
