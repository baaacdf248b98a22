"""Parse the fields that a sweep varies and their values, and change a recipe or an architecture by them.

`learning_rate=log:1e-4..1e-2` is a range, and `filters=8,16,32` are three values. A trial with 0.003 and 16 changes the
optimizer of the recipe, and the filters of all convolutions.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

from convscope.architecture import Architecture, Conv2D, Dense
from convscope.base.errors import ConvscopeError
from convscope.base.spelling import did_you_mean
from convscope.recipes import Recipe

Value = int | float | str | bool | None
"""A value of a field."""

_WORDS: Mapping[str, Value] = {"none": None, "true": True, "false": False}
_WHOLE = re.compile(r"-?\d{1,9}")  # fits 32 bits
_MAX_VALUES = 1000  # limit for the listed values of a dimension
# Names; a list with a number for each class, which is no single value; and a fraction that has no use in a sweep, since
# it holds out images itself.
_NOT_VARIED = ("name", "kind", "class_weights", "validation_fraction")


@dataclass(frozen=True)
class Dimension:
    """A field and its values: either one of `values`, or a number from `low` to `high`.

    Attributes:
        name: such as "learning_rate", "augmentation.shift", "filters" (of all layers except the outputs) or
            "conv2d_1.filters".
        is_log: True if the logarithm of the number is drawn uniformly.
        is_whole: True if only whole numbers are drawn.
    """

    name: str
    values: tuple[Value, ...] = ()  # empty for a range
    low: float = 0.0
    high: float = 0.0  # may be drawn, too
    is_log: bool = False
    is_whole: bool = False


def parse_dimension(text: str) -> Dimension:
    """Parse `NAME=VALUES`: values separated by commas, `LOW..HIGH`, or `log:LOW..HIGH`.

    >>> parse_dimension("filters=8,16,32").values, parse_dimension("learning_rate=log:1e-4..1e-2").low
    ((8, 16, 32), 0.0001)

    Raises:
        ConvscopeError: if `text` has another form.
    """
    name, equals, values = (part.strip() for part in text.partition("="))
    if not equals or not re.fullmatch(r"\w+(\.\w+)?", name) or not values:
        raise ConvscopeError(
            f"`vary` {text!r:.80}: use NAME=VALUES, such as learning_rate=log:1e-4..1e-2 or filters=8,16,32"
        )
    if ".." not in values:
        listed = tuple(_parse_value(text.strip()) for text in values.split(","))
        # Compared by `repr`, because 1, 1.0 and True are equal.
        if len(listed) > _MAX_VALUES or len(set(map(repr, listed))) < len(listed) or "" in listed:
            raise ConvscopeError(f"`vary` {name}: give at most {_MAX_VALUES:,} different values, separated by commas")
        return Dimension(name, listed)
    is_log = values.startswith("log:")
    low, _, high = values.removeprefix("log:").partition("..")
    parsed = (_parse_value(low.strip()), _parse_value(high.strip()))
    ends = [end for end in parsed if isinstance(end, int | float) and not isinstance(end, bool)]  # without "true"
    if len(ends) < 2 or not ends[0] < ends[1] or (is_log and ends[0] <= 0):
        above = " above 0" if is_log else ""
        raise ConvscopeError(f"`vary` {name}: {values!r:.60} must be two numbers{above}, the smaller one first")
    is_whole = all(isinstance(end, int) for end in ends)
    return Dimension(name, low=float(ends[0]), high=float(ends[1]), is_log=is_log, is_whole=is_whole)


def _parse_value(text: str) -> Value:
    if text in _WORDS:
        return _WORDS[text]
    if _WHOLE.fullmatch(text):
        return int(text)
    try:
        number = float(text)
    except ValueError:
        return text
    return number if abs(number) < 1e30 else text  # "nan" and "inf" are words here


def change(architecture: Architecture, recipe: Recipe, values: Mapping[str, Value]) -> tuple[Architecture, Recipe]:
    """Copy the two with changed fields.

    >>> from convscope import presets, recipes
    >>> network, recipe = change(presets.cnn(), recipes.fast, {"filters": 4, "learning_rate": 0.1})
    >>> [layer.filters for layer in network.layers if layer.kind == "Conv2D"], recipe.optimizer.learning_rate
    ([4, 4], 0.1)

    Raises:
        ConvscopeError: if there is no such field, or a value is out of its range.
    """
    for name, value in values.items():
        if (path := _find_field(recipe, name)) is not None:
            recipe = _set_field(recipe, path, value)
        elif indices := _find_layers(architecture, name):
            layers, field = list(architecture.layers), name.rpartition(".")[2]
            for index in indices:
                try:
                    changes: dict[str, Any] = {field: value}
                    layers[index] = replace(layers[index], **changes)
                except (TypeError, ValueError) as error:
                    raise ConvscopeError(f"`vary` {name}: {error}") from error
            architecture = Architecture(architecture.input, tuple(layers), architecture.name)
        else:
            known_names = sorted({*_list_recipe_fields(recipe), *_list_layer_fields(architecture)})
            raise ConvscopeError(
                f"`vary`: neither the recipe nor a layer has {name!r:.60}; use one of {', '.join(known_names)}, or "
                f"LAYER.FIELD{did_you_mean(name, known_names)}"
            )
    return architecture, recipe


def _find_field(recipe: Recipe, name: str) -> tuple[str, ...] | None:
    """Find the path to a field of a recipe; None if there is none, or several.

    A recipe has fields of its own, such as `epochs`, and parts with fields, such as `augmentation`. A field of a part
    may be named alone if no other part has such a field:

        epochs                ("epochs",)
        augmentation.shift    ("augmentation", "shift")
        shift                 ("augmentation", "shift")
    """
    part, _, field = name.rpartition(".")
    plain = recipe.to_dict()
    if part:
        has_field = isinstance(plain.get(part), dict) and field in _list_variable_fields(plain[part])
        return (part, field) if has_field else None
    if name in _list_variable_fields(plain) and not isinstance(plain[name], dict):
        return (name,)
    inner = [key for key, value in plain.items() if isinstance(value, dict) and name in _list_variable_fields(value)]
    return (inner[0], name) if len(inner) == 1 else None


def _set_field(recipe: Recipe, path: tuple[str, ...], value: Value) -> Recipe:
    # Through the JSON of the recipe, so that `from_dict` checks the value and names the field in its error.
    plain = recipe.to_dict()
    inner = plain
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    return Recipe.from_dict(plain)


def _list_recipe_fields(recipe: Recipe) -> Iterable[str]:
    for key, value in recipe.to_dict().items():
        if isinstance(value, dict):
            yield from _list_variable_fields(value)
        elif key not in _NOT_VARIED:
            yield key


def _list_variable_fields(plain: Mapping[str, Any]) -> list[str]:
    """List the names that may be varied."""
    return [name for name in plain if name not in _NOT_VARIED]


def _find_layers(architecture: Architecture, name: str) -> list[int]:
    """Find the indices of the layers that `name` refers to: a layer by its name, or all that have the field."""
    layer, _, field = name.rpartition(".")
    if field in _NOT_VARIED:
        return []
    layers = list(enumerate(architecture.layers))
    matches = [index for index, candidate in layers if field in {part.name for part in fields(candidate)}]
    if layer:
        return [index for index in matches if architecture.layers[index].name == layer]
    # The size of the last Conv2D or Dense is the number of classes, which must not change.
    sized = [index for index, candidate in layers if isinstance(candidate, Conv2D | Dense)]
    outputs = sized[-1:] if field in ("filters", "units") else []
    return [index for index in matches if index not in outputs]


def _list_layer_fields(architecture: Architecture) -> Iterable[str]:
    names = {part.name for layer in architecture.layers for part in fields(layer)}
    return (name for name in names if _find_layers(architecture, name))
