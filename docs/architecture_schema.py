"""Make the JSON schema of an architecture from the layer classes: their fields, types, defaults and allowed values.

A schema checks each value alone. Only `Architecture` checks that shapes fit together, that names differ, and that the
network is within the limits of cost.
"""

from dataclasses import MISSING, Field, fields
from inspect import cleandoc
from types import NoneType
from typing import Any, Literal, get_args, get_origin, get_type_hints

from convscope.architecture.arguments import LARGEST_FLOAT32
from convscope.architecture.cost import MAX_LAYERS
from convscope.architecture.layer_json import LAYER_KINDS
from convscope.architecture.layers import Frame, Pair
from convscope.architecture.table import Input

_WIDTH = {"type": "integer", "minimum": 0, "maximum": 1024}
_SIDE = {"type": "integer", "minimum": 1, "maximum": 1024}
_FRACTION = {"type": "number", "minimum": 0, "exclusiveMaximum": 1}
_FINITE = {"type": "number", "minimum": -LARGEST_FLOAT32, "maximum": LARGEST_FLOAT32}
_NAME = {"type": "string", "pattern": "^[A-Za-z0-9_]*$"}

# The ranges that the classes check, by the name of the field.
_RANGES: dict[str, dict[str, Any]] = {
    "rate": _FRACTION,
    "momentum": _FRACTION,
    "epsilon": {"type": "number", "exclusiveMinimum": 0, "maximum": 1},
    "negative_slope": {"type": "number", "minimum": 0, "maximum": LARGEST_FLOAT32},
    "from_layer": {"type": "string", "minLength": 1},
    "name": _NAME,
    "height": {"type": "integer", "minimum": 1, "maximum": 4096},
    "width": {"type": "integer", "minimum": 1, "maximum": 4096},
    "channels": {"type": "integer", "minimum": 1, "maximum": 64},
    "scale": _FINITE,
    "offset": _FINITE,
}


def architecture_schema() -> dict[str, Any]:
    """Make the schema of an architecture file; without `input`, the network takes the images of the data set."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Architecture of a convscope network",
        "description": "Described in docs/architecture.md. Written by docs/generate.py from the layer classes.",
        "type": "object",
        "properties": {
            "name": {"type": "string", "default": "custom"},
            "input": {"$ref": "#/$defs/Input"},
            "layers": {
                "type": "array",
                "minItems": 1,
                "maxItems": MAX_LAYERS,
                "items": {
                    "type": "object",
                    "required": ["kind"],
                    "properties": {"kind": {"enum": list(LAYER_KINDS)}},
                    "allOf": [
                        {"if": {"properties": {"kind": {"const": kind}}}, "then": {"$ref": f"#/$defs/{kind}"}}
                        for kind in LAYER_KINDS
                    ],
                },
            },
        },
        "required": ["layers"],
        "$defs": {"Input": _object(Input), **{kind: _object(layer, kind) for kind, layer in LAYER_KINDS.items()}},
    }


def _object(record: type, kind: str | None = None) -> dict[str, Any]:
    """Make the schema of a dataclass: an object without further keys."""
    hints, record_fields = get_type_hints(record), fields(record)
    properties = {field.name: _value(field, hints[field.name]) for field in record_fields}
    required = [field.name for field in record_fields if field.default is MISSING]
    return {
        "description": " ".join(cleandoc(record.__doc__ or "").split("\n\n")[0].split()),
        "type": "object",
        "properties": {"kind": {"const": kind}, **properties} if kind else properties,
        "required": ["kind", *required] if kind else required,
        "additionalProperties": False,
    }


def _value(field: Field[Any], hint: Any) -> dict[str, Any]:
    schema = _RANGES.get(field.name) or _type(hint)
    if field.default in (MISSING, None, ""):
        return schema
    return {**schema, "default": _plain(field.default)}


def _type(hint: Any) -> dict[str, Any]:
    if hint == Pair:
        return {"anyOf": [_SIDE, _list_of(_SIDE)]}
    if hint == Frame:
        return {"anyOf": [_WIDTH, _list_of({"anyOf": [_WIDTH, _list_of(_WIDTH)]})]}
    if get_origin(hint) is Literal:
        return {"enum": list(get_args(hint))}
    if NoneType in get_args(hint):
        return {"anyOf": [*_type(get_args(hint)[0])["anyOf"], {"type": "null"}]}
    return {bool: {"type": "boolean"}, int: {"type": "integer", "minimum": 1, "maximum": 65536}}[hint]


def _list_of(item: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": item, "minItems": 2, "maxItems": 2}


def _plain(value: Any) -> Any:
    return [_plain(item) for item in value] if isinstance(value, tuple) else value
