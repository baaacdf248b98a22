"""Plain JSON: from text of any origin to bounded values, from those to dataclasses, and from dataclasses back.

parse_json        text of any origin    to bounded values
from_plain        an object             to a dataclass, whose fields it must name
to_dict           a dataclass           back to an object
canonical_json    a value               to text for a digest: {"b": 1.0, "a": 2} becomes {"a":2,"b":1}
"""

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import MISSING, asdict, fields
from math import isfinite
from typing import Any, TypeVar

_Value = TypeVar("_Value")

_MAX_VALUES = 4_000_000  # values of a JSON text; an experiment of 10,000 runs has a fifth as many
_MAX_DEPTH = 64  # lists and objects within each other
_SMALLEST, _LARGEST = -(1 << 63), (1 << 64) - 1  # the range of int64 and uint64 together
HALF_PAIR = re.compile("[\ud800-\udfff]")
"""Half of a surrogate pair. Python reads an undecodable byte of a file name as one; UTF-8 cannot hold it."""


def from_plain(kind: type[_Value], value: Any, label: str, error: type[Exception]) -> _Value:
    """Build the dataclass `kind` from the fields of the JSON object `value`.

    Args:
        label: what the object is called in an error, such as "input".

    Raises:
        error: if it is no object, or a field is unknown or missing. The dataclass raises its own errors.
    """
    known = {field.name: field for field in fields(kind)}  # type: ignore[arg-type]  # no type says "a dataclass"
    if not isinstance(value, Mapping):
        raise error(f"{label} must be an object with {', '.join(known)}, not {value!r:.60}")
    if unknown := sorted(str(name) for name in value if name not in known):
        raise error(f"{label} has no {unknown[0]!r}; it has {', '.join(known)}")
    required = [name for name, field in known.items() if field.default is field.default_factory is MISSING]
    if missing := [name for name in required if name not in value]:
        raise error(f"{label} needs {missing[0]!r}; add it")
    return kind(**value)


def canonical_json(value: Any) -> str:
    """Encode a finite plain value for a digest: equal values give equal text, 1.0 is 1, and keys are sorted."""
    return json.dumps(_canonical(value), sort_keys=True, allow_nan=False, ensure_ascii=True, separators=(",", ":"))


def _canonical(value: Any) -> Any:
    # NumPy, JSON and users write 1 and 1.0 for the same setting, and a digest must not depend on that.
    if isinstance(value, Mapping):
        return {name: _canonical(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_canonical(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def parse_json(content: bytes) -> Any:
    """Return the value of a JSON text in UTF-8 whose numbers are finite and fit into 64 bits.

    Raises:
        ValueError: if it is no such text, nests more than 64 deep, has more than four million values, a key twice in
            an object, or half a surrogate pair in a string, which could not be written again.
    """
    # Counted before it is parsed: each list, object and comma adds at most one value. Those in strings count too, which
    # only makes the limit stricter.
    if sum(map(content.count, b"[{,")) > _MAX_VALUES:
        raise ValueError(f"more than {_MAX_VALUES:,} values")
    try:
        value = json.loads(content.decode(), object_pairs_hook=_to_object)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
    # Level by level and not by recursion, so that a deep text meets this limit and not Python's. A level is the content
    # of all lists and objects of the level before: of [1, [2, 3]] it is 1 and [2, 3], then 2 and 3, then nothing.
    level: list[Iterable[Any]] = [[value]]
    for _ in range(_MAX_DEPTH):
        level = [inner for outer in level for inner in _check_values(outer)]
        if not level:
            return value
    raise ValueError(f"nested more than {_MAX_DEPTH} levels deep")


def _to_object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) < len(pairs):
        names = Counter(name for name, _ in pairs)
        raise ValueError(f"the key {names.most_common(1)[0][0]!a:.60} comes twice in an object")
    return value


def _check_values(values: Iterable[Any]) -> Iterator[Iterable[Any]]:
    """Check the plain values among `values`, and yield the content of its lists and objects."""
    for value in values:
        if isinstance(value, str):
            if not value.isascii() and HALF_PAIR.search(value):
                raise ValueError(f"{value!a:.60} holds half a surrogate pair")
        elif isinstance(value, float):
            if not isfinite(value):
                raise ValueError(f"the number {value} is not finite")
        elif isinstance(value, dict):
            yield (*value, *value.values())
        elif isinstance(value, list):
            yield value
        elif value is not None and not _SMALLEST <= value <= _LARGEST:
            raise ValueError("a whole number does not fit into 64 bits")


class PlainFields:
    """Gives a dataclass a `to_dict`."""

    def to_dict(self: Any) -> dict[str, Any]:
        """Return the fields by name as plain JSON."""
        return dict(json.loads(json.dumps(asdict(self), allow_nan=False)))
