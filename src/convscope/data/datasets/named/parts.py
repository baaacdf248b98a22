"""What came so far of files that are being fetched: where it lies, who owns it, and when it is deleted.

The parts lie in a folder `.partial` beside the files, where one waits for each file. No lock: each process renames a
part to a name of its own before it writes, so two never write into one, and who finishes last replaces the file by the
same bytes. Deleted are a part that no host takes up again, all parts of a file that is there, and what nobody came back
for in a week. A part is never larger than the file may be, since no more is read.
"""

import os
import time
from contextlib import suppress
from glob import escape
from pathlib import Path

from convscope.base.files import PARTIAL

# Nobody waits so long for a byte: a part that was not written to meanwhile has no writer.
ABANDONED_SECONDS = 300.0
STALE_SECONDS = 7 * 24 * 3600.0
_MOST_TRIES = 20


def claim_part(path: Path) -> Path:
    """Return a part that is this process's own, with what another left behind if there is something."""
    folder = _parts_folder(path)
    own = folder / f"{path.name}.{os.getpid()}-{os.urandom(4).hex()}{PARTIAL}"
    for _ in range(_MOST_TRIES):
        with suppress(FileNotFoundError):  # another process was done, and deleted the empty folder
            folder.mkdir(exist_ok=True)
            _delete_stale(folder)
            for left in sorted(_left_behind(path), key=lambda found: found[1], reverse=True):
                with suppress(OSError):  # another process was faster
                    left[0].rename(own)
                    return own
            own.touch(exist_ok=False)
            return own
    raise OSError(f"{folder} is deleted again and again")


def _left_behind(path: Path) -> list[tuple[Path, int]]:
    """Return (part, size) of the parts of `path` that nobody writes to any more."""
    found = []
    with suppress(FileNotFoundError):  # another process was done, and deleted the empty folder
        for left in _parts_folder(path).glob(f"{escape(path.name)}.*{PARTIAL}"):
            with suppress(OSError):
                state = left.stat()
                if left == _waiting(path) or time.time() - state.st_mtime > ABANDONED_SECONDS:
                    found.append((left, state.st_size))
    return found


def give_back(partial: Path, path: Path, *, may_go_on: bool) -> None:
    """Leave what came of the file where the next process finds it, unless there is more already, or it is of no use."""
    with suppress(OSError):
        size, waiting = partial.stat().st_size, _waiting(path)
        if size and may_go_on and not (waiting.exists() and waiting.stat().st_size >= size):
            partial.replace(waiting)
        else:
            partial.unlink()
    _delete_if_empty(_parts_folder(path))


def delete_parts(path: Path) -> None:
    """Delete the parts of a file that is there now, but for those that other processes write to."""
    for left, _ in _left_behind(path):
        with suppress(OSError):
            left.unlink()


def _delete_stale(folder: Path) -> None:
    """Delete the parts of any file that nobody has come back for."""
    for part in folder.glob(f"*{PARTIAL}"):
        with suppress(OSError):
            if time.time() - part.stat().st_mtime > STALE_SECONDS:
                part.unlink()


def _delete_if_empty(folder: Path) -> None:
    with suppress(OSError):  # it is not empty
        folder.rmdir()


def _parts_folder(path: Path) -> Path:
    return path.with_name(PARTIAL)


def _waiting(path: Path) -> Path:
    return _parts_folder(path) / f"{path.name}.waiting{PARTIAL}"
