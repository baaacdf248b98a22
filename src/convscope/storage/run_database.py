"""Open the SQLite database of many runs, runs.db, and refuse a damaged or hostile one.

SQLite keeps a rollback journal: before a commit overwrites pages of runs.db, it copies them to runs.db-journal. If the
process is killed in between, whoever opens the database next must first put the old pages back. A reader may not write
here, so it does that with a copy. (A write-ahead log needs shared memory, which network and read-only disks lack.)

A database may come from anywhere, so its schema must be exactly ours, without views, triggers or generated columns,
before a table is read.
"""

import os
import shutil
import sqlite3
import stat
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from convscope.base.errors import ConvscopeError, RunError
from convscope.base.files import inside, write_error
from convscope.storage.weights_file import sync_folder

DATABASE = "runs.db"

SCHEMA = (
    "CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL)",
    "CREATE TABLE labels (sha256 TEXT PRIMARY KEY, blob BLOB NOT NULL)",
    "CREATE TABLE machine (id INTEGER PRIMARY KEY, json TEXT NOT NULL UNIQUE)",
    "CREATE TABLE grp (id INTEGER PRIMARY KEY, digest TEXT NOT NULL UNIQUE, record TEXT NOT NULL, "
    "record_sha256 TEXT NOT NULL, weights_file TEXT NOT NULL, width INTEGER NOT NULL)",
    "CREATE TABLE run (id INTEGER PRIMARY KEY, digest TEXT NOT NULL UNIQUE, grp INTEGER NOT NULL, "
    "seed INTEGER NOT NULL, weights_row INTEGER NOT NULL, accuracy REAL NOT NULL, loss REAL NOT NULL, "
    "seconds REAL NOT NULL, ended REAL NOT NULL, machine INTEGER NOT NULL, threads INTEGER NOT NULL, "
    "weights_sha256 TEXT NOT NULL, row_sha256 TEXT NOT NULL)",
    "CREATE TABLE history (run INTEGER PRIMARY KEY, blob BLOB NOT NULL)",
    "CREATE TABLE predictions (run INTEGER PRIMARY KEY, blob BLOB NOT NULL)",
    "CREATE TABLE diverged (digest TEXT PRIMARY KEY, reason TEXT NOT NULL)",
    "CREATE INDEX grp_weights_file ON grp (weights_file)",
    "CREATE INDEX run_grp ON run (grp, weights_row)",
)

_BUSY_SECONDS = 60.0  # a reader waits so long for a commit, and a writer for readers
_MAX_BLOB_BYTES = 256 << 20  # SQLite's limit of a value; the predictions for a million images take 2 MiB
_MAX_BYTES = 1 << 40  # limit for the database or its journal
_MAX_COPIES = 20  # attempts, while other processes change the files
# A journal with these last bytes names another file, the journal of a commit to several databases. SQLite may delete
# that file when it rolls back, so a hostile journal could make us delete any file.
# Source: sqlite.org/fileformat.html, "The Rollback Journal".
_SUPER_JOURNAL = b"\xd9\xd5\x05\xf9\x20\xa1\x63\xd7"
_ADVICE = "use another copy of the runs"

# What a connection may use. Source: sqlite.org/security.html, "Untrusted SQLite Database Files".
_LIMITS = {
    sqlite3.SQLITE_LIMIT_LENGTH: _MAX_BLOB_BYTES,  # bytes of a value or row
    sqlite3.SQLITE_LIMIT_SQL_LENGTH: 100_000,  # bytes of a statement, also of those in the schema
    sqlite3.SQLITE_LIMIT_ATTACHED: 0,  # further database files
    sqlite3.SQLITE_LIMIT_TRIGGER_DEPTH: 1,
    sqlite3.SQLITE_LIMIT_WORKER_THREADS: 0,
}


class DamagedRunError(RunError):
    """A single run is damaged; the others can be read."""


def has_database(folder: Path) -> bool:
    """True if `folder` has a database of runs."""
    return (folder / DATABASE).exists()


def open_reader(folder: Path) -> sqlite3.Connection:
    """Open the database in `folder` for reading, or a copy that is rolled back if a killed process left a journal.

    Raises:
        RunError: if it is damaged, or not a database of runs.
    """
    path = _check_files(folder)
    with database_errors(path):
        connection, schema = _open_rolled_back(path)
        if not schema:  # a process was killed before its first commit: an empty file without tables
            connection.close()
            connection = _connect(":memory:")
            _create_tables(connection)
        elif schema != list(SCHEMA):
            connection.close()
            raise _make_schema_error(path)
        return connection


def _open_rolled_back(path: Path) -> tuple[sqlite3.Connection, list[str]]:
    """Open the database for reading, or a copy without a half commit; return also the schema."""
    # Each round opens the file anew, as the writer whose files changed under the copy may have ended.
    for _ in range(_MAX_COPIES):
        connection = _connect(f"{path.resolve().as_uri()}?mode=ro")
        try:
            return connection, _read_schema(connection)  # at its first statement, SQLite notices a journal
        except BaseException as error:
            connection.close()
            if not needs_rollback(error):
                raise
        copy = _copy_rolled_back(path)
        if copy is not None:
            return copy, _read_schema(copy)
    raise RunError(f"{path}: is being written to; try again")


def open_writer(folder: Path) -> sqlite3.Connection:
    """Open the database in `folder` for writing, and create it if it is missing; the caller holds `writing`.

    Raises:
        RunError: if it is damaged, or not a database of runs.
        ConvscopeError: if it cannot be written.
    """
    path = _check_files(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RunError(f"{folder}: cannot be created ({error.strerror}); choose another folder") from error
    with database_errors(path):
        connection = _connect(path.resolve().as_uri())
        try:
            connection.execute("PRAGMA synchronous = FULL")  # COMMIT returns once the disk has it
            schema = _read_schema(connection)
            if not schema:
                _create_tables(connection)
                sync_folder(folder)  # without it, a power failure can lose the name of the new file
            elif schema != list(SCHEMA):
                raise _make_schema_error(path)
        except OSError as error:
            connection.close()
            raise write_error(path, error) from error
        except BaseException:
            connection.close()
            raise
        return connection


def _connect(uri: str) -> sqlite3.Connection:
    """Open a database with limits on what a hostile file can do."""
    # isolation_level=None: Python's sqlite3 begins no transaction by itself, so BEGIN IMMEDIATE is ours.
    connection = sqlite3.connect(uri, uri=True, isolation_level=None, timeout=_BUSY_SECONDS)
    try:
        for limit, maximum in _LIMITS.items():
            connection.setlimit(limit, maximum)
        # In this order: no functions from the schema, checked pages, no mapping (a file that shrinks would kill the
        # process), no temporary files.
        for pragma in ("trusted_schema = OFF", "cell_size_check = ON", "mmap_size = 0", "temp_store = MEMORY"):
            connection.execute(f"PRAGMA {pragma}")
    except BaseException:
        connection.close()
        raise
    return connection


def _read_schema(connection: sqlite3.Connection) -> list[str]:
    rows = connection.execute("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY rowid")
    return [sql for (sql,) in rows]


def _create_tables(connection: sqlite3.Connection) -> None:
    """Create all tables in one transaction, so that no reader sees some of them."""
    connection.execute("BEGIN IMMEDIATE")
    for statement in SCHEMA:
        connection.execute(statement)
    connection.execute("COMMIT")


def _make_schema_error(path: Path) -> RunError:
    return RunError(
        f"{path}: has other tables than those of this version of convscope; use the one that wrote it, or another copy"
    )


@contextmanager
def database_errors(path: Path) -> Iterator[None]:
    """Raise errors of SQLite in the block as ours, with the path and the next step."""
    try:
        yield
    except (sqlite3.Error, UnicodeDecodeError) as error:  # the latter from a damaged text
        code = _read_error_code(error) & 0xFF  # the primary code; the upper bits hold the details
        reason = str(error)
        if code in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR):
            raise ConvscopeError(
                f"{path}: cannot be read or written ({reason}); free some space, or choose another folder"
            ) from error
        if code in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM):
            raise ConvscopeError(
                f"{path}: cannot be opened ({reason}); make the folder writable, or choose another folder"
            ) from error
        if code == sqlite3.SQLITE_BUSY:
            raise RunError(f"{path}: another process uses it ({reason}); try again") from error
        raise RunError(f"{path}: damaged ({reason:.200}); {_ADVICE}") from error


def is_damage(error: sqlite3.Error) -> bool:
    """True if the error comes from damaged pages or texts."""
    return _read_error_code(error) & 0xFF in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_ERROR)


def needs_rollback(error: BaseException) -> bool:
    """True if a killed process left a journal, which a read-only connection cannot roll back."""
    return _read_error_code(error) == sqlite3.SQLITE_READONLY_ROLLBACK


def _read_error_code(error: BaseException) -> int:
    return int(getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR))  # other errors than SQLite's have no code


def _check_files(folder: Path) -> Path:
    """Check the database and its journal before SQLite opens them, and return the database's path.

    Raises:
        RunError: if a file is not regular or too large, or the journal names another file.
    """
    path = inside(folder, DATABASE)
    for ending in ("", "-journal"):
        try:
            status = inside(folder, DATABASE + ending).stat()
        except FileNotFoundError:
            continue
        if not stat.S_ISREG(status.st_mode) or status.st_size > _MAX_BYTES:
            raise RunError(f"{folder / DATABASE}{ending}: is not a regular file of bounded size; remove it")
    for ending in ("-wal", "-shm"):  # SQLite would read a write-ahead log into the database
        if os.path.lexists(folder / f"{DATABASE}{ending}"):
            raise RunError(f"{folder / DATABASE}{ending}: is not of convscope; {_ADVICE}")
    try:
        with (folder / f"{DATABASE}-journal").open("rb") as file:
            file.seek(-min(8, os.fstat(file.fileno()).st_size), os.SEEK_END)  # the journal may be shorter
            if file.read() == _SUPER_JOURNAL:
                raise RunError(f"{folder / DATABASE}-journal: names other files; {_ADVICE}")
    except FileNotFoundError:
        pass
    except OSError as error:
        raise RunError(f"{folder / DATABASE}-journal: cannot be read ({error.strerror}); {_ADVICE}") from error
    return path


def _copy_rolled_back(path: Path) -> sqlite3.Connection | None:
    """Copy the database with its journal, let SQLite roll the copy back, and load it; None if the files changed."""
    journal = path.with_name(f"{path.name}-journal")
    with tempfile.TemporaryDirectory(prefix="convscope-") as name:
        copy = Path(name) / DATABASE
        try:
            states = [_read_state(file) for file in (path, journal)]
            shutil.copyfile(path, copy)
            shutil.copyfile(journal, copy.with_name(f"{DATABASE}-journal"))
            # The two files must be of the same moment, but only SQLite's own lock could keep writers out.
            if states != [_read_state(file) for file in (path, journal)]:
                return None
        except FileNotFoundError:  # a writer has rolled back meanwhile and deleted the journal
            return None
        except OSError as error:
            raise RunError(f"{path}: cannot be copied to be read ({error.strerror}); {_ADVICE}") from error
        # Opened for writing, the copy is rolled back. In memory, it outlives the temporary folder.
        in_memory = _connect(":memory:")
        try:
            with closing(_connect(copy.as_uri())) as source:
                source.backup(in_memory)
        except BaseException:
            in_memory.close()
            raise
        return in_memory


def _read_state(path: Path) -> tuple[int, int, int]:
    """Read what changes when a file is replaced or written: inode, size and time."""
    status = path.stat()
    return status.st_ino, status.st_size, status.st_mtime_ns
