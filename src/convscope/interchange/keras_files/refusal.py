"""What the readers of model files share: an error without the file's name, and where it gets that name."""

import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from convscope.base.errors import ArchitectureError, InterchangeError


class RefusedError(Exception):
    """What is wrong with a model and the next step; `open_model_file` adds the file's name."""


@contextmanager
def named(name: str) -> Iterator[None]:
    """Turn what is refused within into `InterchangeError` with `name` before it."""
    try:
        yield
    except (RefusedError, ArchitectureError) as error:
        raise InterchangeError(f"{name}: {error}") from error
    except OSError as error:
        reason = error.strerror or error
        raise InterchangeError(f"{name}: cannot be read ({reason}); check the disk or copy the file again") from error
    except MemoryError as error:
        raise InterchangeError(f"{name}: does not fit into memory; use a larger machine") from error


@contextmanager
def open_model_file(path: Path) -> Iterator[BinaryIO]:
    """Open `path` for reading; a folder, a pipe or a device is refused before it can block.

    Raises:
        InterchangeError: if there is no such file, if it cannot be read, or if a reader within raises RefusedError.
    """
    with named(str(path)):
        try:
            mode = path.stat().st_mode
            if stat.S_ISDIR(mode):
                raise RefusedError(
                    "is a folder; name a .keras, .h5 or .weights.h5 file (a SavedModel folder is not read)"
                )
            if not stat.S_ISREG(mode):
                raise RefusedError("is not a regular file; save the model as a file first")
            file = path.open("rb")
        except FileNotFoundError as error:
            raise RefusedError("no such file; check the path") from error
        except ValueError as error:  # a NUL in the path
            raise RefusedError(f"cannot be opened ({error}); check the path") from error
        with file:
            yield file


def quoted(value: Any) -> str:
    """Return a value from a file as it may stand in an error: on one line, short, and without control characters."""
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
