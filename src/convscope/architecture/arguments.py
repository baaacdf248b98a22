"""Checks of the arguments of layers: each raises one error that names layer, argument, value and rule."""

from collections.abc import Callable
from typing import Any, ClassVar, Protocol

from convscope.base.errors import ArchitectureError

LARGEST_FLOAT32 = (2 - 2**-23) * 2.0**127  # a mantissa of 24 ones, and the largest exponent


class NamedLayer(Protocol):
    """A layer with a kind and a name, as every layer is."""

    kind: ClassVar[str]

    @property
    def name(self) -> str: ...


def label(layer: NamedLayer) -> str:
    """Name a layer in an error: its name and kind, such as `conv2d (Conv2D)`."""
    return f"{layer.name} ({layer.kind})" if layer.name else layer.kind


def check_count(layer: NamedLayer, field: str) -> None:
    """Refuse all but whole numbers from 1 to 65536."""
    _check(layer, field, lambda value: _is_whole(value, 1, 65536), "a whole number from 1 to 65536")


def check_fraction(layer: NamedLayer, field: str) -> None:
    """Refuse all but numbers from 0 to less than 1."""
    _check_number(layer, field, lambda value: 0 <= value < 1, "from 0 to less than 1")


def check_positive_fraction(layer: NamedLayer, field: str) -> None:
    """Refuse all but numbers above 0, up to 1."""
    _check_number(layer, field, lambda value: 0 < value <= 1, "above 0 and at most 1")


def check_not_negative(layer: NamedLayer, field: str) -> None:
    """Refuse all but numbers from 0 that are finite in float32."""
    _check_number(layer, field, lambda value: 0 <= value <= LARGEST_FLOAT32, "from 0, finite in float32")


def check_flag(layer: NamedLayer, field: str) -> None:
    """Refuse all but true and false."""
    _check(layer, field, lambda value: isinstance(value, bool), "true or false")


def check_name(layer: NamedLayer, field: str) -> None:
    """Refuse all but the name of a layer."""
    _check(layer, field, lambda value: isinstance(value, str) and value != "", "the name of a layer")


def check_choice(layer: NamedLayer, field: str, choices: tuple[str, ...]) -> None:
    """Refuse all but `choices`."""
    _check(layer, field, lambda value: value in choices, f"one of {', '.join(choices)}")


def set_pair(layer: NamedLayer, field: str) -> None:
    """Turn `3`, `[3, 3]` and `(3, 3)` into the same pair, and refuse anything else."""
    value = getattr(layer, field)
    pair = (value, value) if isinstance(value, int) else value
    if not _is_pair(pair) or not all(_is_whole(n, 1, 1024) for n in pair):
        raise ArchitectureError(
            f"{label(layer)}: {field} is {value!r}; it must be one or two whole numbers from 1 to 1024"
        )
    # A frozen dataclass refuses plain assignment.
    object.__setattr__(layer, field, tuple(pair))


def check_dilation(layer: NamedLayer) -> None:
    """Set `dilation_rate` as a pair, and refuse a dilation above 1 with strides above 1, as Keras does."""
    set_pair(layer, "dilation_rate")
    strides, dilation = (getattr(layer, field) for field in ("strides", "dilation_rate"))
    if max(strides) > 1 and max(dilation) > 1:
        raise ArchitectureError(
            f"{label(layer)}: strides is {strides!r} and dilation_rate is {dilation!r}; only one of them may be above 1"
        )


def set_frame(layer: NamedLayer, field: str) -> None:
    """Turn `1`, `(1, 1)` and `[[1, 1], [1, 1]]` into ((above, below), (left, right)), and refuse anything else."""
    value = getattr(layer, field)
    # 1 becomes (1, 1) and that ((1, 1), (1, 1)); of (1, 2), for rows and columns, each number becomes a pair.
    axes = (value, value) if isinstance(value, int) else value
    sides = [(n, n) if isinstance(n, int) else n for n in axes] if _is_pair(axes) else []
    if not sides or not all(_is_pair(pair) and all(_is_whole(n, 0, 1024) for n in pair) for pair in sides):
        raise ArchitectureError(
            f"{label(layer)}: {field} is {value!r}; it must be a whole number from 0 to 1024, a pair (rows, columns) "
            "of them, or ((above, below), (left, right))"
        )
    object.__setattr__(layer, field, tuple(map(tuple, sides)))  # a frozen dataclass refuses plain assignment


def _is_pair(value: Any) -> bool:
    return isinstance(value, tuple | list) and len(value) == 2


def _is_whole(value: Any, low: int, high: int) -> bool:
    # `bool` is a subclass of `int`; true is no number of filters.
    return isinstance(value, int) and not isinstance(value, bool) and low <= value <= high


def _check_number(layer: NamedLayer, field: str, is_good: Callable[[Any], bool], rule: str) -> None:
    def is_good_number(value: Any) -> bool:
        return isinstance(value, int | float) and not isinstance(value, bool) and is_good(value)

    _check(layer, field, is_good_number, f"a number {rule}")


def _check(layer: NamedLayer, field: str, is_good: Callable[[Any], bool], rule: str) -> None:
    value = getattr(layer, field)
    if not is_good(value):
        raise ArchitectureError(f"{label(layer)}: {field} is {value!r}; it must be {rule}")
