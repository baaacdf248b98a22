"""JSON from a file that may be hostile: bounded in size and depth, with no number that is not finite."""

import json
from typing import Any, NoReturn

from convscope.interchange.keras_files.refusal import RefusedError

MAX_JSON_BYTES = 1 << 22
"""Keras takes about 1,500 bytes a layer; while it is parsed, JSON takes up to about 30 times its size."""


def read_json(content: bytes | str, called: str) -> dict[str, Any]:
    """Return the JSON object in `content`; nothing that it names is looked up, imported or made.

    Raises:
        RefusedError: if it is too large, too deep, no JSON, or no object.
    """
    if len(content) > MAX_JSON_BYTES:
        raise RefusedError(f"{called} has {len(content):,} bytes; a model's description has at most {MAX_JSON_BYTES:,}")
    try:
        value = json.loads(content, parse_constant=_refuse_constant)
    except RecursionError as error:
        raise RefusedError(f"{called} is nested too deeply to be a model's description") from error
    except ValueError as error:
        raise RefusedError(f"{called} is no JSON ({str(error)[:80]}); save the model again") from error
    if not isinstance(value, dict):
        raise RefusedError(f"{called} is not a JSON object; save the model again")
    return value


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number")
