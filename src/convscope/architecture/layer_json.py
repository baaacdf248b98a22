"""Convert layers to plain JSON and back."""

from collections.abc import Mapping
from dataclasses import fields
from typing import Any, get_args

from convscope.architecture.layers import Layer
from convscope.base.arguments import check_name
from convscope.base.errors import ArchitectureError
from convscope.base.plain import from_plain

LAYER_KINDS: Mapping[str, type[Layer]] = {kind.kind: kind for kind in get_args(Layer)}


def layer_to_dict(layer: Layer) -> dict[str, Any]:
    """Convert a layer to plain JSON, `kind` first."""
    values = {
        field.name: getattr(layer, field.name)
        for field in fields(layer)
        # Keyword-only settings were added later. They are left out at their default, so that an architecture without
        # them has the same JSON, and the same digest, as in earlier versions.
        if not (field.kw_only and getattr(layer, field.name) == field.default)
    }
    name = values.pop("name")
    return {"kind": layer.kind, "name": name, **{key: _plain(value) for key, value in values.items()}}


def layer_from_dict(value: Any) -> Layer:
    """Read a layer that `layer_to_dict` wrote.

    Raises:
        ArchitectureError: for an unknown kind, an unknown or missing argument, or a value out of range.
    """
    if not isinstance(value, Mapping) or "kind" not in value:
        raise ArchitectureError(f"a layer must be an object with a `kind`, not {value!r}")
    kind = LAYER_KINDS.get(str(value["kind"]))
    if kind is None:
        raise ArchitectureError(f"unknown layer kind {value['kind']!r}; the known kinds are {', '.join(LAYER_KINDS)}")
    arguments = {key: argument for key, argument in value.items() if key != "kind"}
    # The name first: the errors below quote it, and a bad one (too long, control characters) must not get there.
    check_name(arguments.get("name", ""), f"{kind.kind}: name", ArchitectureError)
    if "from_layer" in arguments.keys() - {field.name for field in fields(kind)}:
        raise ArchitectureError(
            f"{kind.kind} has no 'from_layer': it reads the layer before it; put a Branch with this 'from_layer' there"
        )
    return from_plain(kind, arguments, kind.kind, ArchitectureError)


def _plain(value: Any) -> Any:
    return [_plain(item) for item in value] if isinstance(value, tuple) else value
