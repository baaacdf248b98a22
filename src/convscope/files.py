"""Write files so that nobody ever sees half of one.

Every file of a run is written beside its place, synced and renamed: a crash, a full disk or a second reader meets the
old file or the new one.
"""

import json
import os
import tempfile
from pathlib import Path
from typing import Any

from convscope.errors import ConvscopeError

PARTIAL = ".partial"
"""How the name ends of a file that is being written, or that a killed process left behind."""


def write_bytes(path: Path, content: bytes) -> None:
    """Write `content` to `path`, whole or not at all.

    Raises:
        ConvscopeError: if the folder cannot be written to or the disk is full; what was at `path` before is untouched.
    """
    temporary = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=PARTIAL)
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).chmod(0o644)
        Path(temporary).replace(path)
        temporary = None
    except OSError as error:
        reason = error.strerror or str(error)
        raise ConvscopeError(
            f"{path}: cannot be written ({reason}); free some space or choose another folder"
        ) from error
    finally:
        if temporary is not None:
            Path(temporary).unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write `text` as UTF-8 to `path`, whole or not at all; raises as `write_bytes` does."""
    write_bytes(path, text.encode())


def write_json(path: Path, value: Any) -> None:
    """Write `value` (finite plain JSON) to `path`, whole or not at all; raises as `write_bytes` does."""
    write_text(path, json.dumps(value, indent=1, allow_nan=False, ensure_ascii=False) + "\n")
