"""Dataclasses from plain JSON, with an error that says which field is wrong and which there are."""

from collections.abc import Mapping
from dataclasses import MISSING, fields
from typing import Any, TypeVar

_Value = TypeVar("_Value")


def from_plain(kind: type[_Value], value: Any, label: str, error: type[Exception]) -> _Value:
    """Return the dataclass `kind` whose fields are those of the JSON object `value`.

    Args:
        label: what the object is called in an error, such as "input".

    Raises:
        error: if it is no object, or a field is unknown or missing; what the dataclass itself refuses is its own.
    """
    known = {field.name: field for field in fields(kind)}  # type: ignore[arg-type]  # no type says "a dataclass"
    if not isinstance(value, Mapping):
        raise error(f"{label} is an object with {', '.join(known)}, not {value!r:.60}")
    if unknown := sorted(str(name) for name in value if name not in known):
        raise error(f"{label} has no {unknown[0]!r}; it has {', '.join(known)}")
    required = [name for name, field in known.items() if field.default is field.default_factory is MISSING]
    if missing := [name for name in required if name not in value]:
        raise error(f"{label} needs {missing[0]!r}; add it")
    return kind(**value)
