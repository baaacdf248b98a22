"""Open model files, put the file's name into errors, and parse JSON within bounds, for the readers of all formats."""

import json
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, NoReturn

from convscope.base.errors import ArchitectureError, InterchangeError
from convscope.base.files import open_file


class ModelFileError(Exception):
    """A problem of a model file and the next step; `open_model_file` adds the file's name."""


@contextmanager
def prefix_errors(name: str) -> Iterator[None]:
    """Raise errors of the block as `InterchangeError`, with `name` before the message."""
    try:
        yield
    except (ModelFileError, ArchitectureError) as error:
        raise InterchangeError(f"{name}: {error}") from error
    except OSError as error:
        reason = error.strerror or error
        raise InterchangeError(f"{name}: cannot be read ({reason}); check the path, or copy the file again") from error
    except MemoryError as error:
        raise InterchangeError(f"{name}: does not fit into memory; use a larger machine") from error


@contextmanager
def open_model_file(path: Path) -> Iterator[BinaryIO]:
    """Open `path` for reading, and put its name into the errors of the block.

    Raises InterchangeError if it cannot be read, and RunError for a pipe, a device, or a file that is too large.
    """
    with prefix_errors(str(path)), open_file(path) as file:
        yield file


def quote(value: Any) -> str:
    """Quote a value from a file for an error message: on one line, short, without control characters."""
    text = repr(value)  # escapes control characters, which could change the reader's terminal
    return text if len(text) <= 60 else f"{text[:57]}..."


def check_plain_name(name: str) -> str:
    """Refuse the name of a file with weights if it could lead out of the model's folder."""
    if not name or name in (".", "..") or re.search(r"[/\\:\0]", name):
        raise ModelFileError(
            f"its weights are in {name!r:.80}, and only a file beside it, named without a folder, is read; "
            "save the model with all data in one folder"
        )
    return name


def list_names(names: Iterable[str], limit: int = 5) -> str:
    """List names from a file for an error message, the first of many with "…" after them."""
    quoted = [quote(name) for name in names]
    return ", ".join(quoted[:limit] + ["…"] * (len(quoted) > limit)) or "none"


MAX_JSON_BYTES = 1 << 22
"""Keras writes about 1,500 bytes a layer. While it is parsed, JSON takes up to about 30 times its size in memory."""


def parse_json(content: bytes | str, name: str, max_bytes: int = MAX_JSON_BYTES) -> dict[str, Any]:
    """Parse a JSON object, which errors call `name`; nothing that it names is imported or created.

    Raises:
        ModelFileError: if it is too large, too deep, no JSON, or no object.
    """
    if len(content) > max_bytes:
        raise ModelFileError(f"{name} has {len(content):,} bytes; a model's description has at most {max_bytes:,}")
    try:
        value = json.loads(content, parse_constant=_refuse_constant)
    except RecursionError as error:
        raise ModelFileError(f"{name} is nested too deeply for a model's description") from error
    except ValueError as error:
        raise ModelFileError(f"{name} is not JSON ({str(error)[:80]}); save the model again") from error
    if not isinstance(value, dict):
        raise ModelFileError(f"{name} is not a JSON object; save the model again")
    return value


def parse_class_names(text: str | bytes, num_classes: int) -> tuple[str, ...] | None:
    """Parse the class names that convscope writes into files, a list in JSON; None if there are not `num_classes`."""
    try:
        names: Any = json.loads(text) if len(text) <= MAX_JSON_BYTES else None
    except (ValueError, RecursionError):  # another program's text under the same key: the classes get numbers
        return None
    is_list = isinstance(names, list) and len(names) == num_classes and all(isinstance(name, str) for name in names)
    return tuple(names) if is_list else None


def _refuse_constant(name: str) -> NoReturn:
    """Refuse NaN and Infinity, which Python reads but JSON does not have."""
    raise ValueError(f"{name} is not a number")
