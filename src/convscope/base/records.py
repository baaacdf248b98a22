"""Records: the types of everything on disk, page, terminal and HTTP, with fields, units and bounds.

A record is a frozen msgspec `Struct`. Where a result is not a record itself, its method `to_record` builds one.
`read` and `decode` take files and requests, and refuse what the type does not allow. JSON schemas are written from
the same types.
"""

import json
from math import isfinite
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, dataclass_transform

import msgspec
import numpy as np
from msgspec import Meta
from numpy.typing import NDArray

from convscope.base.errors import RunError
from convscope.base.files import read_bytes, write_text
from convscope.base.plain import HALF_PAIR, parse_json
from convscope.base.versions import check_format

_Value = TypeVar("_Value")
_Kind = TypeVar("_Kind", bound="Record")

Count = Annotated[int, Meta(ge=0)]
Positive = Annotated[int, Meta(ge=1)]
Byte = Annotated[int, Meta(ge=0, le=255)]
Fraction = Annotated[float, Meta(ge=0, le=1)]
Change = Annotated[float, Meta(ge=-1, le=1)]
"""The difference of two fractions; also a correlation."""
Seconds = Annotated[float, Meta(ge=0)]
# `max_length` is needed because the pattern's `$` also matches before a line feed at the end.
Sha256 = Annotated[str, Meta(pattern="^[0-9a-f]{64}$", max_length=64)]
Digest = Annotated[str, Meta(pattern="^[0-9a-f]{16}$", max_length=16)]
Interval = tuple[float, float]
FractionInterval = tuple[Fraction, Fraction]
ChangeInterval = tuple[Change, Change]
NonNegative = Annotated[float, Meta(ge=0)]
Finite = Annotated[float, Meta(ge=-1e300, le=1e300)]
"""A number within bounds that keep the sum of a few from being infinite."""
OpenInterval = tuple[float | None, float | None]
JsonObject = dict[str, Any]
"""A value with a form and a reader of its own, such as an architecture or a recipe."""


@dataclass_transform(frozen_default=True, field_specifiers=(msgspec.field,))  # for type checkers
class Record(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Base of all records. A subclass states `kw_only=True` itself, since msgspec does not inherit it."""

    def to_dict(self) -> dict[str, Any]:
        """Convert the record to plain JSON that `decode` reads back.

        Raises:
            TypeError: if a value is of no JSON type, as an array.
            ValueError: if a number is not finite, or a value is of another type or out of its bounds. The message names
                the field.
        """
        name = type(self).__name__
        try:
            value: dict[str, Any] = msgspec.to_builtins(self, enc_hook=_encode_other)
            # msgspec checks types and bounds only when it reads, so the record is read back once.
            msgspec.convert(value, type(self))
        except msgspec.ValidationError as error:
            raise ValueError(f"{name}: {_describe(error)}") from error
        return {key: _to_json(inner, f"{name}: $.{key}") for key, inner in value.items()}


class Recorded:
    """Base of results whose `to_record` builds their record."""

    def to_record(self) -> Record:
        raise NotImplementedError

    def to_dict(self) -> dict[str, Any]:
        """Convert the result's record to plain JSON."""
        return self.to_record().to_dict()


class FileRecord(Record, kw_only=True):
    """Base of records that are files of their own.

    Attributes:
        version: the version of convscope that wrote it.
    """

    format: Literal[1]
    version: str


def from_attributes(kind: type[_Kind], value: object, /, **changes: object) -> _Kind:
    """Build a record of type `kind` from the attributes of `value` by its fields' names, except for `changes`.

    Attributes that have a `to_record` become records, also in tuples, and arrays become tuples.
    """
    names = [field.name for field in msgspec.structs.fields(kind) if field.name not in changes]
    return kind(**{name: _to_record(getattr(value, name)) for name in names}, **changes)


def _to_record(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return to_tuple(value)
    if isinstance(value, tuple):
        return tuple(map(_to_record, value))
    return value.to_record() if hasattr(value, "to_record") else value


def to_tuple(array: NDArray[Any]) -> tuple[Any, ...]:
    """Convert an array to tuples of Python's numbers, as records hold them."""
    return tuple(array.tolist()) if array.ndim == 1 else tuple(map(to_tuple, array))


def encode(record: Record) -> bytes:
    """Encode a record canonically: keys sorted, no space, UTF-8. Digests are taken of these bytes.

    Raises:
        TypeError, ValueError: as `Record.to_dict`.
    """
    text = json.dumps(record.to_dict(), sort_keys=True, separators=(",", ":"), allow_nan=False, ensure_ascii=False)
    return text.encode()


def write(path: Path, record: Record) -> None:
    """Write a record to `path` for people to read too: indented, fields in the order of their type.

    Raises:
        ConvscopeError: as `write_bytes`.
        TypeError, ValueError: as `Record.to_dict`.
    """
    write_text(path, json.dumps(record.to_dict(), indent=1, allow_nan=False, ensure_ascii=False) + "\n")


def read(path: Path, kind: type[_Value]) -> _Value:
    """Read the record of type `kind` in the file at `path`.

    Raises:
        RunError: if the file is missing, no regular file or too large, or as `decode`.
    """
    try:
        content = read_bytes(path)
    except OSError as error:
        raise RunError(f"{path}: cannot be read ({error.strerror or error}); use another copy of it") from error
    return decode(content, kind, path)


def decode(content: bytes, kind: type[_Value], path: Path | str) -> _Value:
    """Decode a record of type `kind` from JSON in UTF-8.

    Args:
        path: names the source of the content in an error.

    Raises:
        RunError: if it is not the JSON that `parse_json` takes (finite, bounded in size and depth, no key twice), or is
            not as `kind` says, or of a newer format. The message names the file and the value in it, such as
            `$.layers[0]`.
    """
    try:
        value = parse_json(content)
    except ValueError as error:
        raise RunError(f"{path}: damaged ({error}); use another copy of it, or write it again") from error
    if isinstance(value, dict) and "format" in getattr(kind, "__struct_fields__", ()):
        check_format(path, value.get("format"), value.get("version"))
    return from_json(value, kind, path)


def from_json(value: Any, kind: type[_Value], path: Path | str) -> _Value:
    """Convert a value that `parse_json` returned to a record of type `kind`; arguments and errors are those of
    `decode`."""
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        raise RunError(f"{path}: {_describe(error)}; use another copy of it, or write it again") from error


def _encode_other(value: object) -> Any:
    """Convert a value that msgspec does not know: a number of NumPy, or text of a subclass of `str`."""
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, str):
        return str.__str__(value)  # plain text, also if the subclass has a `__str__` of its own
    raise TypeError(f"{value!r:.60} is a {type(value).__name__}, which records do not hold")


def _describe(error: msgspec.ValidationError) -> str:
    """Format msgspec's "Expected `int`, got `str` - at `$.runs[0]`" as "$.runs[0]: expected int, got str"."""
    reason, _, position = str(error).rpartition(" - at ")
    if not position.startswith(("`$", "`key` in")):  # the error is about the whole value
        reason, position = str(error), "$"
    reason, position = reason.replace("`", ""), position.replace("`", "")
    return f"{position}: {reason[:1].lower()}{reason[1:]:.200}"


def _to_json(value: Any, path: str) -> Any:
    """Convert tuples, which `to_builtins` leaves, to lists, and replace what UTF-8 cannot hold.

    That is half of a surrogate pair, which a file name may contain (see `HALF_PAIR`).

    Raises:
        ValueError: if a number is not finite; the message has its path.
    """
    if isinstance(value, float) and not isfinite(value):
        raise ValueError(f"{path} is {value}, which is not finite")
    if isinstance(value, str):
        return value if value.isascii() else HALF_PAIR.sub("\N{REPLACEMENT CHARACTER}", value)
    if isinstance(value, dict):
        return {_to_json(key, f"{path}[...]"): _to_json(inner, f"{path}.{key}") for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_to_json(inner, f"{path}[{index}]") for index, inner in enumerate(value)]
    return value
