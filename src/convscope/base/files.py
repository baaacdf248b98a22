"""Read and write the files of runs: a reader takes regular files of a bounded size, a writer never leaves half of one.

A run folder may come from anywhere, so nothing in it is followed or waited for: `inside` refuses symbolic links below
the folder, `open_file` also pipes, devices and files that are too large. Every file is written under another name in
its folder, synced and renamed: a crash, a full disk or a second reader meets the old file or the new one.
"""

import errno
import hashlib
import json
import os
import secrets
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import BufferedReader
from pathlib import Path
from typing import Any

from convscope.base.errors import ConvscopeError, RunError
from convscope.base.plain import parse_json

PARTIAL = ".partial"
"""How the name ends of a file that is being written, or that a killed process left behind."""

MAX_BYTES = {
    ".json": 64 << 20,
    ".jsonl": 64 << 20,
    ".html": 256 << 20,
    ".npy": 4 << 40,
    ".npz": 4 << 30,
    ".safetensors": 4 << 30,
}
"""Limits for a run's files by suffix. The first three are read whole; of others, only parts whose size was checked."""

_MAX_OTHER_BYTES = MAX_BYTES[".safetensors"]  # limit for a file that a user named, whose name may end in anything


def inside(folder: Path, name: str | Path) -> Path:
    """Join `folder / name`, whether it exists or not, for a reader or a writer that must stay in `folder`.

    The folder itself may be reached through a symbolic link: the user named it.

    Raises:
        RunError: if a step from `folder` to the file is a symbolic link, or leads out of the folder.
    """
    path = folder
    # Every step is checked, since a link in the middle leads out of the folder as well as one at the end.
    if Path(name).is_absolute() or ".." in Path(name).parts:
        raise RunError(f"{folder / name}: leads out of {folder}; use another copy of the run")
    for part in Path(name).parts:
        path /= part
        if path.is_symlink():
            raise RunError(f"{path}: is a symbolic link, which is not followed; replace it by the file it points to")
    return path


def open_file(path: Path) -> BufferedReader:
    """Open the regular file at `path` for reading, without waiting for anybody.

    Raises:
        OSError: if it is missing or cannot be opened.
        RunError: if it is a folder, a pipe or a device, or larger than `MAX_BYTES` allows.
    """
    file = open(path, "rb", opener=_open_without_waiting)  # noqa: SIM115 (it is returned)
    try:
        status = os.fstat(file.fileno())
        max_bytes = MAX_BYTES.get(path.suffix, _MAX_OTHER_BYTES)
        if not stat.S_ISREG(status.st_mode):
            raise RunError(f"{path}: is not a regular file; remove it or use another copy of it")
        if status.st_size > max_bytes:
            raise RunError(
                f"{path}: has {status.st_size:,} bytes, and the limit for such a file is {max_bytes:,}; use another "
                "copy of it"
            )
    except BaseException:
        file.close()
        raise
    return file


def read_bytes(path: Path) -> bytes:
    """Read the regular file at `path`; raises as `open_file` does."""
    with open_file(path) as file:
        max_bytes = MAX_BYTES.get(path.suffix, _MAX_OTHER_BYTES)
        size = os.fstat(file.fileno()).st_size
        # Not `max_bytes + 1`: Python would allocate that much before it reads a byte.
        content = file.read(size + 1)
        if len(content) > size:  # it has grown, or is a file of /proc, whose size reads as 0
            content += file.read(max_bytes + 1 - len(content))
    if len(content) > max_bytes:
        raise RunError(f"{path}: has more than {max_bytes:,} bytes, the limit for such a file; use another copy of it")
    return content


def read_json(path: Path) -> Any:
    """Return the plain JSON in the file at `path`.

    Raises:
        OSError, RunError: as `open_file` does.
        ValueError: if it is not the finite plain JSON that `parse_json` takes.
    """
    return parse_json(read_bytes(path))


def file_digest(file: BufferedReader, algorithm: str = "sha256") -> str:
    """Return the hexadecimal digest of all bytes of an open file; raises OSError if it cannot be read.

    Args:
        algorithm: a name that hashlib knows. It tells files apart and protects no secret.
    """
    file.seek(0)
    return hashlib.file_digest(file, lambda: hashlib.new(algorithm, usedforsecurity=False)).hexdigest()


def _open_without_waiting(path: str, flags: int) -> int:
    # Opening a pipe would wait for a writer. Windows has neither flag, and needs O_BINARY, which `flags` has there.
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0))


def check_free(path: Path, *, force: bool) -> None:
    """Raise `ConvscopeError` where something is at `path`, unless it is to be replaced by `force`."""
    if os.path.lexists(path) and not force:
        raise ConvscopeError(f"{path}: already exists; choose another file, or add `force` to replace it")


def write_bytes(path: Path, content: bytes) -> None:
    """Write `content` to `path`, whole or not at all.

    Raises:
        ConvscopeError: if the folder cannot be written to or the disk is full; what was at `path` before is untouched.
    """
    partial = path.with_name(f".{path.name}.{secrets.token_hex(4)}{PARTIAL}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with partial.open("xb") as file:  # not by `tempfile`, whose files nobody else may read
            file.write(content)
            # Synced before it is renamed: otherwise a crash could leave the new name with no content.
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except OSError as error:
        raise write_error(path, error) from error
    finally:
        _remove(partial)  # an interrupt may come as soon as the file is there, before `open` has returned it


@contextmanager
def fill_folder(path: Path) -> Iterator[Path]:
    """Yield a new folder for the block to fill; otherwise as `write_whole`."""
    with write_whole(path) as folder:
        folder.mkdir()
        yield folder


@contextmanager
def write_whole(path: Path) -> Iterator[Path]:
    """Yield where the block writes a file or a folder, which then gets the name `path`, whole or not at all.

    Raises:
        ConvscopeError: if it cannot be written, or a folder at `path` is not empty.
    """
    partial = path.with_name(f".{path.name}.{secrets.token_hex(4)}{PARTIAL}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield partial
        if path.is_dir():  # Windows replaces no folder
            path.rmdir()
        partial.replace(path)
    except OSError as error:
        raise write_error(path, error) from error
    finally:
        _remove(partial)


def _remove(partial: Path) -> None:
    """Remove what a write that failed has left at `partial`, if anything."""
    with suppress(OSError):
        shutil.rmtree(partial) if partial.is_dir() else partial.unlink()


def write_error(path: Path, error: OSError) -> ConvscopeError:
    """Make the error for a file at `path` that could not be written."""
    advice = "free some space, or choose another folder"
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        advice = "make the folder writable, or choose another folder"
    elif error.errno in (errno.EEXIST, errno.EISDIR, errno.ENOTDIR, errno.ENOTEMPTY):
        advice = "choose another name or folder"
    return ConvscopeError(f"{path}: cannot be written ({error.strerror or error}); {advice}")


def write_text(path: Path, text: str) -> None:
    """Write `text` as UTF-8 to `path`, whole or not at all; raises as `write_bytes` does."""
    write_bytes(path, text.encode())


def write_json(path: Path, value: Any) -> None:
    """Write `value` (finite plain JSON) to `path`, whole or not at all; raises as `write_bytes` does."""
    write_text(path, json.dumps(value, indent=1, allow_nan=False, ensure_ascii=False) + "\n")
