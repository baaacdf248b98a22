"""Check the arguments of public functions and values against their annotations.

The annotation of a parameter is the rule, so each rule is written once. An error names the argument, its value and the
rule. Numbers of NumPy become those of Python, because results and files hold plain numbers.

    annotation                  accepts
    int, float, bool            such values of Python or NumPy; a float may be whole, and True is no number
    Path                        a path or text
    X | None, X | Y             what one of them accepts
    Literal["a", "b"]           one of these values
    NDArray[np.floating[Any]]   an array of numbers, or a list that becomes one
    tuple[X, ...], Sequence[X]  elements that X accepts; an error names the element, as in "seeds[2] is ..."
    Annotated[X, "rule"]        what X accepts; an error says this rule
    Annotated[X, check]         what check(value, name) returns
    any other class             its instances
"""

import os
import types
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import fields
from functools import cache, wraps
from inspect import Parameter, Signature, signature
from math import isfinite
from operator import index
from pathlib import Path
from typing import Annotated, Any, Literal, ParamSpec, TypeVar, Union, get_args, get_origin, get_type_hints

import numpy as np

from convscope.base.errors import RecipeError

_P = ParamSpec("_P")
_R = TypeVar("_R")
# Kinds of dtypes that an annotated array takes. Whole numbers are numbers too, so a float array may hold them.
_NUMBER_KINDS = {np.bool_: "b", np.integer: "iu", np.floating: "fiu"}


def check_seed(value: Any, name: str = "seed") -> int:
    """Check a random seed, any whole number from 0 of Python or NumPy, and convert it to `int`.

    Raises:
        TypeError: if it is not a whole number; True and 1.0 are none.
        ValueError: if it is below 0.
    """
    rule = "a whole number from 0"
    if isinstance(value, bool | np.bool_):
        raise TypeError(_format_refusal(name, value, rule))
    try:
        seed = index(value)
    except TypeError as error:
        raise TypeError(_format_refusal(name, value, rule)) from error
    if seed < 0:
        raise ValueError(_format_refusal(name, value, rule))
    return seed


MAX_NAME_CHARACTERS = 255
"""Limit for names of classes, layers, networks, recipes and data sets; common file systems have the same."""


def check_name(value: Any, name: str = "name", error: Callable[[str], Exception] | None = None) -> str:
    """Check a name: text of at most `MAX_NAME_CHARACTERS`.

    Args:
        error: what is raised in place of TypeError or ValueError.

    Raises:
        TypeError: if it is not text.
        ValueError: if it is longer.
    """
    if not isinstance(value, str):
        raise (error or TypeError)(_format_refusal(name, value, "text"))
    if len(value) > MAX_NAME_CHARACTERS:
        raise (error or ValueError)(f"{name} has {len(value):,} characters; the limit is {MAX_NAME_CHARACTERS}")
    return value


Name = Annotated[str, check_name]
Seed = Annotated[int, check_seed]
"""A random seed: see `check_seed`. In `Annotated`, a function checks the value, and text is the rule in errors."""
Seeds = Annotated[Iterable[Seed], "a list of whole numbers from 0, such as range(3)"]


def checked(function: Callable[_P, _R]) -> Callable[_P, _R]:
    """Check each argument of `function` against its annotation before the function runs.

    >>> @checked
    ... def half(number: float, name: str | None = None) -> float:
    ...     return number / 2
    >>> half("four")
    Traceback (most recent call last):
        ...
    TypeError: number is 'four'; it must be a number

    Raises:
        TypeError, ValueError: if an argument is not what its annotation says; see `convert`.
    """

    @wraps(function)
    def call(*args: _P.args, **kwargs: _P.kwargs) -> _R:
        expected = _signature(function)
        try:
            bound = expected.bind(*args, **kwargs)
        except TypeError as error:
            raise TypeError(f"{function.__name__}: {error}") from None
        for name, value in bound.arguments.items():
            if (rule := expected.parameters[name].annotation) is not Parameter.empty:  # `self` and `cls` have none
                bound.arguments[name] = convert(value, rule, name)
        return function(*bound.args, **bound.kwargs)

    return call


@cache
def _signature(function: Any) -> Signature:  # computed at the first call, which keeps the import of the package fast
    return signature(function)


def check_fields(value: Any) -> None:
    """Check each field of a dataclass against its annotation, from within `__post_init__`; raises as `convert` does."""
    kind: Any = type(value)
    for name, rule in _get_field_rules(kind).items():
        current = getattr(value, name)
        converted = convert(current, rule, name)
        if converted is not current:
            object.__setattr__(value, name, converted)  # a frozen dataclass refuses plain assignment


@cache
def _get_field_rules(kind: Any) -> dict[str, Any]:
    """Return the annotations of a dataclass's fields by their names."""
    hints = get_type_hints(kind, include_extras=True)
    return {field.name: hints[field.name] for field in fields(kind)}


def convert(value: Any, rule: Any, name: str) -> Any:
    """Check `value` against the annotation `rule`, and convert NumPy's numbers to Python's.

    Raises:
        TypeError: if it is of another type.
        ValueError: if it is none of the values of a `Literal`.
    """
    rule = _resolve_alias(rule)
    if get_origin(rule) is Annotated:
        rule, *notes = get_args(rule)
        for note in notes:
            if callable(note):
                return note(value, name)
        try:
            return convert(value, rule, name)
        except (TypeError, ValueError) as error:
            raise type(error)(_format_refusal(name, value, *notes)) from error
    origin, parts = get_origin(rule), get_args(rule)
    if origin is Union or origin is types.UnionType:
        return _convert_union(value, rule, name)
    if origin is Literal:
        # True is an int to Python, but no value of a Literal of numbers.
        is_of_kind = isinstance(value, tuple(map(type, parts))) and not isinstance(value, bool)
        if is_of_kind and value in parts:
            return value
        raise (ValueError if is_of_kind else TypeError)(_format_refusal(name, value, _describe_rule(rule)))
    if origin is np.ndarray:
        return _convert_array(value, parts[1], name)
    if origin is tuple:
        return _convert_tuple(value, parts, rule, name)
    if origin in (Sequence, Collection, Iterable, list):
        return _convert_elements(value, origin, parts[0], rule, name)
    if rule is Any or isinstance(rule, TypeVar | str):
        return value
    kind = origin or (type(None) if rule is None else rule)  # the origin of Mapping[str, int] is Mapping
    return _convert_instance(value, kind, rule, name)


def _resolve_alias(rule: Any) -> Any:
    """Resolve a type alias: `NDArray` is one from NumPy 2.5 on, which Python 3.11 does not have."""
    alias, parts = get_origin(rule) or rule, get_args(rule)
    if not hasattr(alias, "__value__"):
        return rule
    return alias.__value__[parts] if parts else alias.__value__


def _convert_instance(value: Any, kind: Any, rule: Any, name: str) -> Any:
    """Check that `value` is an instance of `kind`, and convert numbers and paths."""
    if kind is int and not isinstance(value, bool | np.bool_):
        try:
            return index(value)
        except TypeError as error:
            raise TypeError(_format_refusal(name, value, _describe_rule(rule))) from error
    if kind is float and isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool):
        return value.item() if isinstance(value, np.generic) else value
    if kind is bool and isinstance(value, bool | np.bool_):
        return bool(value)
    if kind is Path and isinstance(value, str | os.PathLike):
        return value if isinstance(value, Path) else Path(value)
    if getattr(kind, "_is_protocol", False):
        # As `isinstance` does for a protocol that is `runtime_checkable`, which need not be so here.
        is_instance = all(hasattr(value, member) for member in vars(kind) if not member.startswith("_"))
    else:
        # Values of these four kinds that are acceptable were returned above.
        is_instance = isinstance(value, kind) and kind not in (int, float, bool, Path)
    if not is_instance:
        raise TypeError(_format_refusal(name, value, _describe_rule(rule)))
    return value


def _convert_union(value: Any, rule: Any, name: str) -> Any:
    members = get_args(rule)
    if value is None and type(None) in members:
        return value
    # First the exact types, so that `int | float` leaves 1 an int, and no earlier member converts the value.
    if any(type(value) is member for member in members):
        return value
    others = [member for member in members if member is not type(None)]
    kinds = set()
    for member in others:
        try:
            return convert(value, member, name)
        except (TypeError, ValueError) as error:
            # An error about an element, such as "seeds[2] is ...", says more than one about the whole value.
            if len(others) == 1 and not str(error).startswith(f"{name} is "):
                raise
            kinds.add(type(error))
    raise (ValueError if ValueError in kinds else TypeError)(_format_refusal(name, value, _describe_rule(rule)))


def _convert_array(value: Any, dtype: Any, name: str) -> Any:
    """Check an array or convert a list of numbers to one; array-likes, such as `DiskImages`, stay as they are."""
    wanted = (get_args(dtype) or (Any,))[0]
    wanted = get_origin(wanted) or wanted
    rule = _describe_array(wanted)
    if isinstance(value, list | tuple | range):
        try:
            value = np.asarray(value)
        except ValueError as error:
            raise TypeError(f"{name} is a list of unequal parts ({error}); it must be {rule}") from error
    if not isinstance(getattr(value, "dtype", None), np.dtype) or not getattr(value, "shape", ()):
        raise TypeError(_format_refusal(name, value, rule))
    # Only the kind is checked here. Shape and byte width are the function's own matter.
    kinds = _NUMBER_KINDS.get(wanted, "biuf")
    if value.dtype.kind not in kinds and wanted is not Any:
        raise TypeError(_format_refusal(name, value, rule))
    return value


def _convert_tuple(value: Any, parts: tuple[Any, ...], rule: Any, name: str) -> Any:
    if not isinstance(value, tuple | list):
        raise TypeError(_format_refusal(name, value, _describe_rule(rule)))
    if parts[-1:] == (...,):
        if isinstance(value, tuple) and set(map(type, value)) <= {parts[0]}:
            return value  # its values are not checked: a long training checks its history after each epoch
        parts = (parts[0],) * len(value)
    if len(value) != len(parts):
        raise ValueError(_format_refusal(name, value, _describe_rule(rule)))
    items = tuple(convert(item, part, f"{name}[{i}]") for i, (item, part) in enumerate(zip(value, parts, strict=True)))
    # The same object if nothing was converted, so that `check_fields` leaves the field as it is.
    is_same = isinstance(value, tuple) and all(new is old for new, old in zip(items, value, strict=True))
    return value if is_same else items


def _convert_elements(value: Any, origin: Any, part: Any, rule: Any, name: str) -> Any:
    """Check each element of a sequence against `part`; text does not count as a sequence."""
    if isinstance(value, np.ndarray) and value.ndim:  # its numbers, or its parts along the first axis
        value = value.tolist() if value.ndim == 1 else list(value)
    if origin is Iterable and not isinstance(value, str | bytes) and hasattr(value, "__iter__"):
        value = tuple(value)  # a generator could be read only once
    if isinstance(value, str | bytes | Mapping) or not isinstance(value, list if origin is list else origin):
        raise TypeError(_format_refusal(name, value, _describe_rule(rule)))
    if part is Any:
        return value
    items = [convert(item, part, f"{name}[{i}]") for i, item in enumerate(value)]
    if all(new is old for new, old in zip(items, value, strict=True)):
        return value
    return items if origin is list else tuple(items)


def _format_refusal(name: str, value: Any, rule: str) -> str:
    return f"{name} is {describe(value)}; it must be {rule}"


def describe(value: Any) -> str:
    """Describe a wrong value: plain values as Python writes them, arrays by type and shape, others by class."""
    if value is None or isinstance(value, str | bytes | bool | int | float | complex | range | np.generic):
        text = repr(value)
        return text if len(text) <= 60 else f"{text[:57]}..."
    if isinstance(value, np.ndarray):
        return f"an array of {value.dtype} of shape {value.shape}"
    # A list of eight values at most is shown whole if its text is short; a longer one is not formatted at all.
    if isinstance(value, tuple | list | dict | set) and len(value) <= 8 and len(text := repr(value)) < 60:
        return text
    kind = value if isinstance(value, type) else type(value)
    article = "the class" if isinstance(value, type) else _article(kind.__name__)
    return f"{article} {kind.__name__}"


def _article(word: str) -> str:
    return "an" if word[0] in "aeiouAEIOU" else "a"


_WORDS: Mapping[Any, str] = {
    int: "a whole number",
    float: "a number",
    str: "text",
    bytes: "bytes",
    bool: "True or False",
    Path: "a path",
    os.PathLike: "a path",
    type(None): "None",
    Any: "a value",
    Mapping: "a mapping",
    dict: "a dict",
    Callable: "a function",
}


def _describe_rule(rule: Any) -> str:
    """Describe in words what an annotation accepts."""
    rule = _resolve_alias(rule)
    origin, parts = get_origin(rule), get_args(rule)
    if (plain := rule if origin is None else origin) in _WORDS:
        return _WORDS[plain]
    if origin is Annotated:
        return next((note for note in parts[1:] if isinstance(note, str)), "") or _describe_rule(parts[0])
    if origin is Union or origin is types.UnionType:
        words = list(dict.fromkeys(_describe_rule(part) for part in parts))
        return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} or {words[-1]}"
    if origin is Literal:
        return f"one of {', '.join(map(str, parts))}"
    if origin is np.ndarray:
        wanted = (get_args(parts[1]) or (Any,))[0]
        return _describe_array(get_origin(wanted) or wanted)
    if origin is tuple and parts[-1:] != (...,):
        return f"({', '.join(_describe_rule(part) for part in parts)})"
    if parts:
        return f"a sequence, each element {_describe_rule(parts[0])}"
    name = getattr(rule, "__name__", str(rule))
    return f"{_article(name)} {name}"


def _describe_array(wanted: Any) -> str:
    kinds = {np.bool_: "truth values", np.integer: "whole numbers", np.floating: "numbers", np.uint8: "uint8"}
    return f"an array of {kinds[wanted]}" if wanted in kinds else "an array"


def check_range(
    name: str, value: Any, low: float, high: float, *, open_below: bool = False, open_above: bool = False
) -> None:
    """Raise `RecipeError` unless a recipe's `value` is a number from `low` to `high`; an open end is excluded."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value)
    if not is_number or not low <= value <= high or (open_below and value == low) or (open_above and value == high):
        above, below = "above" if open_below else "of at least", "below" if open_above else "at most"
        interval = f"{above} {low} and {below} {high}" if open_below or open_above else f"from {low} to {high}"
        raise RecipeError(f"recipe: {name} is {value!r}; it must be a number {interval}")


def check_flag(name: str, value: Any) -> None:
    """Raise `RecipeError` unless a setting is True or False."""
    if not isinstance(value, bool):
        raise RecipeError(f"recipe: {name} is {value!r}; it must be true or false")


def check_whole(name: str, value: Any, low: int, high: int) -> None:
    """Raise `RecipeError` unless a recipe's `value` is a whole number from `low` to `high`."""
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise RecipeError(f"recipe: {name} is {value!r}; it must be a whole number from {low:,} to {high:,}")
