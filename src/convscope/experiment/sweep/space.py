"""What a sweep varies: fields of a recipe and of an architecture by their names, and the values that they may have."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

from convscope.architecture import Architecture, Conv2D, Dense
from convscope.base.errors import ConvscopeError
from convscope.base.spelling import did_you_mean
from convscope.recipes import Recipe

Value = int | float | str | bool | None
"""Of a field."""

_WORDS: Mapping[str, Value] = {"none": None, "true": True, "false": False}
_WHOLE = re.compile(r"-?\d{1,9}")
_MAX_VALUES = 1000
_NOT_VARIED = ("name", "kind", "class_weights", "validation_fraction")


@dataclass(frozen=True)
class Dimension:
    """A field by its name, and its values: either one of `values`, or a number from `low` to `high`.

    Attributes:
        name: such as "learning_rate", "augmentation.shift", "filters" (of all layers that have some but the outputs) or
            "conv2d_1.filters".
        is_log: whether the logarithm of the number is drawn evenly, and not the number.
        is_whole: whether only whole numbers are drawn.
    """

    name: str
    values: tuple[Value, ...] = ()
    low: float = 0.0
    high: float = 0.0
    is_log: bool = False
    is_whole: bool = False


def parse_dimension(text: str) -> Dimension:
    """Parse `NAME=VALUES`: values separated by commas, `LOW..HIGH`, or `log:LOW..HIGH`.

    >>> parse_dimension("filters=8,16,32").values, parse_dimension("learning_rate=log:1e-4..1e-2").low
    ((8, 16, 32), 0.0001)

    Raises:
        ConvscopeError: if it is no such text.
    """
    name, equals, values = (part.strip() for part in text.partition("="))
    if not equals or not re.fullmatch(r"\w+(\.\w+)?", name) or not values:
        raise ConvscopeError(
            f"`vary` {text!r:.80}: use NAME=VALUES, such as learning_rate=log:1e-4..1e-2 or filters=8,16,32"
        )
    if ".." not in values:
        parsed = tuple(_value(text.strip()) for text in values.split(","))
        if len(parsed) > _MAX_VALUES or len(set(map(repr, parsed))) < len(parsed) or "" in parsed:
            raise ConvscopeError(f"`vary` {name}: give at most {_MAX_VALUES:,} different values, separated by commas")
        return Dimension(name, parsed)
    is_log = values.startswith("log:")
    low, _, high = values.removeprefix("log:").partition("..")
    ends = [end for end in map(_value, (low.strip(), high.strip())) if isinstance(end, int | float)]
    if (
        len(ends) < 2
        or not ends[0] < ends[1]
        or (is_log and ends[0] <= 0)
        or any(isinstance(end, bool) for end in ends)
    ):
        above = " above 0" if is_log else ""
        raise ConvscopeError(f"`vary` {name}: {values!r:.60} must be two numbers{above}, the smaller one first")
    is_whole = all(isinstance(end, int) for end in ends)
    return Dimension(name, low=float(ends[0]), high=float(ends[1]), is_log=is_log, is_whole=is_whole)


def _value(text: str) -> Value:
    if text in _WORDS:
        return _WORDS[text]
    if _WHOLE.fullmatch(text):
        return int(text)
    try:
        number = float(text)
    except ValueError:
        return text
    return number if abs(number) < 1e30 else text


def change(architecture: Architecture, recipe: Recipe, values: Mapping[str, Value]) -> tuple[Architecture, Recipe]:
    """Return the two with the fields changed that `values` name.

    >>> from convscope import presets, recipes
    >>> network, recipe = change(presets.cnn(), recipes.fast, {"filters": 4, "learning_rate": 0.1})
    >>> [layer.filters for layer in network.layers if layer.kind == "Conv2D"], recipe.optimizer.learning_rate
    ([4, 4], 0.1)

    Raises:
        ConvscopeError: if there is no such field, or a value is out of its range.
    """
    for name, value in values.items():
        if (path := _place(recipe, name)) is not None:
            recipe = _with(recipe, path, value)
        elif places := _layers(architecture, name):
            layers, field = list(architecture.layers), name.rpartition(".")[2]
            for number in places:
                try:
                    new: dict[str, Any] = {field: value}
                    layers[number] = replace(layers[number], **new)
                except (TypeError, ValueError) as error:
                    raise ConvscopeError(f"`vary` {name}: {error}") from error
            architecture = Architecture(architecture.input, tuple(layers), architecture.name)
        else:
            known = sorted({*_recipe_names(recipe), *_layer_names(architecture)})
            raise ConvscopeError(
                f"`vary`: neither the recipe nor a layer has {name!r:.60}; use one of {', '.join(known)}, or "
                f"LAYER.FIELD{did_you_mean(name, known)}"
            )
    return architecture, recipe


def _place(recipe: Recipe, name: str) -> tuple[str, ...] | None:
    """Return the path to a field of a recipe; None if it has none of the name."""
    part, _, field = name.rpartition(".")
    plain = recipe.to_dict()
    if part:
        return (part, field) if isinstance(plain.get(part), dict) and field in _open(plain[part]) else None
    if name in _open(plain) and not isinstance(plain[name], dict):
        return (name,)
    inner = [key for key, value in plain.items() if isinstance(value, dict) and name in _open(value)]
    return (inner[0], name) if len(inner) == 1 else None


def _with(recipe: Recipe, path: tuple[str, ...], value: Value) -> Recipe:
    plain = recipe.to_dict()
    inner = plain
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    return Recipe.from_dict(plain)


def _recipe_names(recipe: Recipe) -> Iterable[str]:
    for key, value in recipe.to_dict().items():
        if isinstance(value, dict):
            yield from _open(value)
        elif key in _open({key: value}):
            yield key


def _open(plain: Mapping[str, Any]) -> list[str]:
    """Return the names that may be varied."""
    return [name for name in plain if name not in _NOT_VARIED]


def _layers(architecture: Architecture, name: str) -> list[int]:
    """Return the numbers of the layers that `name` means: one by its name, or all with such a field but the outputs."""
    layer, _, field = name.rpartition(".")
    if field in _NOT_VARIED:
        return []
    having = [
        number for number, layer in enumerate(architecture.layers) if field in {part.name for part in fields(layer)}
    ]
    if layer:
        return [number for number in having if architecture.layers[number].name == layer]
    sized = [number for number, layer in enumerate(architecture.layers) if isinstance(layer, Conv2D | Dense)]
    outputs = sized[-1:] if field in ("filters", "units") else []
    return [number for number in having if number not in outputs]


def _layer_names(architecture: Architecture) -> Iterable[str]:
    names = {part.name for layer in architecture.layers for part in fields(layer)}
    return (name for name in names if _layers(architecture, name))
