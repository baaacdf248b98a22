"""One writer per folder: `writing` holds a lock that stops other processes and threads, and that ends with its process.

The lock is advisory and held on a file in the folder, in which the holder's process id is. A file that a killed process
left there is not locked any more, so it stops nobody. A forked child does not hold the locks of its parent.
"""

import errno
import os
import stat
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from convscope.base.errors import RunError
from convscope.base.files import PARTIAL, inside

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

LOCK_FILE = ".convscope.lock"
"""The name of the file; it is no content of a run."""

_PARTS = ("baseline", "seeds", "architectures")  # of a run folder, that hold runs themselves
_WITHOUT_LOCKS = (errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS)  # what file systems say that have none
_MAX_DIGITS = 20  # of a process id


@dataclass(eq=False)
class _Writer:
    """The thread that writes to a folder, and the locked file; blocks within its block are nested in it."""

    thread: int = field(default_factory=threading.get_ident)
    handle: int | None = None


_writers = dict[Path, _Writer]()  # of this process, by folder


def _forget_writers() -> None:
    """Give up the parent's locks in a forked child, where an open handle would keep them locked after the parent."""
    for writer in _writers.values():
        if writer.handle is not None:
            os.close(writer.handle)
    _writers.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_writers)


@contextmanager
def writing(folder: Path) -> Iterator[None]:
    """Keep other processes and threads from writing to `folder`, which is created if missing, until the block ends.

    A run and the runs within it (`baseline/`, `seeds/`, `architectures/`) have one writer. Blocks of one thread may be
    nested.

    Raises:
        RunError: if another process or thread is writing to it, or the folder cannot be made or written to.
    """
    root = _outermost(folder.resolve())
    mine = _Writer()
    writer = _writers.setdefault(root, mine)  # atomic, so that one of two threads gets it
    if writer.thread != mine.thread:
        raise RunError(f"another thread of this process is writing to {folder}; wait until it ends")
    if writer is not mine:
        yield
        return
    try:
        try:
            root.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise RunError(f"{folder}: cannot be created ({error.strerror}); choose another folder") from error
        writer.handle = _lock(inside(root, LOCK_FILE), folder)
        yield
    finally:
        if _writers.get(root) is writer:  # not so in a child that was forked within the block
            handle, writer.handle = writer.handle, None
            if handle is not None:
                _unlock(handle, root / LOCK_FILE)
            del _writers[root]


def remove_partial_files(*folders: Path) -> None:
    """Delete what a killed process left half written directly in folders, which only this process writes to."""
    for folder in folders:
        for path in folder.glob(f".*{PARTIAL}"):
            if path.is_file():
                path.unlink(missing_ok=True)


def _outermost(folder: Path) -> Path:
    """Return the run that `folder` is part of, or `folder` itself."""
    part = folder.parents[1] if folder.parent.name == "runs" else folder
    if part.name in _PARTS and (part.parent / "run.json").exists():
        return _outermost(part.parent)
    return folder


def _lock(path: Path, folder: Path) -> int:
    """Return the handle of the file at `path`, which is locked and has this process's id in it."""
    while True:
        try:
            handle = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_NONBLOCK", 0), 0o666)
        except OSError as error:
            raise RunError(
                f"{folder}: cannot be written to ({error.strerror}); make it writable, or use a copy in another folder"
            ) from error
        try:
            if not stat.S_ISREG(os.fstat(handle).st_mode):
                raise RunError(f"{path}: is not a regular file; remove it")
            _take(handle, folder)
            # Another process may have locked and removed the file between our opening and locking it.
            if os.path.samestat(os.fstat(handle), path.stat()):
                os.ftruncate(handle, 0)
                os.write(handle, f"{os.getpid()}\n".encode())
                return handle
        except FileNotFoundError:
            pass
        except OSError as error:
            os.close(handle)
            raise RunError(f"{folder}: is not writable ({error.strerror}); free some space there") from error
        except BaseException:
            os.close(handle)
            raise
        os.close(handle)


def _take(handle: int, folder: Path) -> None:
    try:
        if sys.platform == "win32":
            os.lseek(handle, _MAX_DIGITS, os.SEEK_SET)  # beyond the number, which others shall read
            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
            os.lseek(handle, 0, os.SEEK_SET)
        else:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in _WITHOUT_LOCKS:
            return
        os.lseek(handle, 0, os.SEEK_SET)
        number = os.read(handle, _MAX_DIGITS).strip()
        process = f"process (pid {number.decode()})" if number.isdigit() else "process"
        raise RunError(f"another convscope {process} is writing to {folder}; wait until it ends") from error


def _unlock(handle: int, path: Path) -> None:
    if sys.platform == "win32":  # which removes no open file
        os.close(handle)
        with suppress(OSError):
            path.unlink()
    else:
        with suppress(OSError):
            path.unlink()
        os.close(handle)
