"""Allow one writer per folder: `writing` holds a lock against other processes and threads.

The lock is an advisory lock on a file in the folder, which holds the process id. The system releases it when the
process ends, so the file of a killed process locks nobody out. A forked child does not hold its parent's locks.

The system's lock would refuse a nested block of the same thread, too. So `_writers` has the writers of this process:

    _writers[folder]       writing(folder) in this thread
    missing                enters its thread there, and locks the file
    of this thread         does nothing: an outer block has the lock, and ends it
    of another thread      RunError
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
"""The name of the locked file, which does not count as content of a run."""

_PARTS = ("baseline", "seeds", "architectures")  # folders within a run that hold runs themselves
_WITHOUT_LOCKS = (errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS)  # the errors of file systems without locks
_MAX_DIGITS = 20  # digits of a process id


@dataclass(eq=False)
class _Writer:
    """The thread that writes to a folder, and the handle of the locked file, None before it is locked."""

    thread: int = field(default_factory=threading.get_ident)
    handle: int | None = None


_writers = dict[Path, _Writer]()  # this process's writers, by folder


def _forget_writers() -> None:
    """Close the parent's handles in a forked child."""
    # flock belongs to the open file, which parent and child share: an open handle here would keep the lock after the
    # parent has closed its own.
    for writer in _writers.values():
        if writer.handle is not None:
            os.close(writer.handle)
    _writers.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_writers)


@contextmanager
def writing(folder: Path) -> Iterator[None]:
    """Lock `folder` against other writers until the block ends; it is created if it is missing.

    A run and the runs within it (`baseline/`, `seeds/`, `architectures/`) share a lock. A thread can nest blocks.

    Raises:
        RunError: if another process or thread is writing to it, or the folder cannot be created or written to.
    """
    root = _find_outermost(folder.resolve())
    new_writer = _Writer()
    writer = _writers.setdefault(root, new_writer)  # atomic: of two threads, one gets the other's writer
    if writer.thread != new_writer.thread:
        raise RunError(f"another thread of this process is writing to {folder}; wait until it ends")
    if writer is not new_writer:  # nested: the outer block holds the lock
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
        # False in a child that was forked within the block: `_forget_writers` has emptied its list.
        if _writers.get(root) is writer:
            # Taken out first: a child that another thread forks now must not close the number, which may be reused.
            handle, writer.handle = writer.handle, None
            if handle is not None:
                _unlock(handle, root / LOCK_FILE)
            del _writers[root]


def remove_partial_files(*folders: Path) -> None:
    """Delete files that a killed process left half written in `folders`; the caller holds `writing`."""
    for folder in folders:
        for path in folder.glob(f".*{PARTIAL}"):
            if path.is_file():
                path.unlink(missing_ok=True)


def _find_outermost(folder: Path) -> Path:
    """Find the outermost run that `folder` is part of, or `folder` itself."""
    # RUN/baseline and RUN/seeds are parts of RUN, and so is RUN/seeds/runs/DIGEST, two levels below RUN/seeds.
    part = folder.parents[1] if folder.parent.name == "runs" else folder
    if part.name in _PARTS and (part.parent / "run.json").exists():
        return _find_outermost(part.parent)
    return folder


def _lock(path: Path, folder: Path) -> int:
    """Open and lock the file at `path`, write this process's id into it, and return the handle.

    Another process may delete the file between our opening and locking it, when it ends. Then our lock is on a file
    that nobody else can find, so this begins again.
    """
    while True:
        handle = _open_file(path, folder)
        try:
            if not stat.S_ISREG(os.fstat(handle).st_mode):
                raise RunError(f"{path}: is not a regular file; remove it")
            _lock_handle(handle, folder)
            if os.path.samestat(os.fstat(handle), path.stat()):
                os.ftruncate(handle, 0)
                os.write(handle, f"{os.getpid()}\n".encode())
                return handle
        except FileNotFoundError:  # from `stat`: deleted, and nobody has made a new one
            pass
        except OSError as error:
            os.close(handle)
            raise RunError(f"{folder}: is not writable ({error.strerror}); free some space there") from error
        except BaseException:
            os.close(handle)
            raise
        os.close(handle)


def _open_file(path: Path, folder: Path) -> int:
    try:
        # O_NONBLOCK: opening a pipe in the file's place must not block.
        return os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_NONBLOCK", 0), 0o666)
    except OSError as error:
        raise RunError(
            f"{folder}: cannot be written to ({error.strerror}); make it writable, or use a copy in another folder"
        ) from error


def _lock_handle(handle: int, folder: Path) -> None:
    """Lock the open file; raises `RunError` with the id of the process that holds the lock."""
    try:
        if sys.platform == "win32":
            os.lseek(handle, _MAX_DIGITS, os.SEEK_SET)  # locked bytes cannot be read, and others need the id before it
            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
            os.lseek(handle, 0, os.SEEK_SET)
        else:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in _WITHOUT_LOCKS:  # better without a lock than not at all
            return
        os.lseek(handle, 0, os.SEEK_SET)
        number = os.read(handle, _MAX_DIGITS).strip()
        process = f"process (pid {number.decode()})" if number.isdigit() else "process"
        raise RunError(f"another convscope {process} is writing to {folder}; wait until it ends") from error


def _unlock(handle: int, path: Path) -> None:
    if sys.platform == "win32":  # Windows cannot delete an open file
        os.close(handle)
        with suppress(OSError):
            path.unlink()
    else:
        # Deleted while still locked: after closing, another process could have locked it.
        with suppress(OSError):
            path.unlink()
        os.close(handle)
