"""Many finished runs in one folder, and each of them read by its digest.

runs.db            a database of all runs: results, histories, predictions (see `run_database`)
weights/NAME.npy   a row for each run of an architecture: its weights, one tensor after the other
from/              the networks that runs started from, and the images that networks were trained on

A run is written in this order: its weights, after those of all runs in the database, and then, when the disk has them,
its row. So the row of a killed process is not there, and its weights are overwritten. The digest `row_sha256` covers a
row and what belongs to it: a damaged run is an error of its own, and the others are read.
"""

import hashlib
import json
import os
import re
import secrets
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convscope.base.errors import ConvscopeError, RunError
from convscope.base.plain import canonical_json
from convscope.base.records import decode
from convscope.storage.records import MAX_SEED, Machine
from convscope.storage.run_database import (
    DATABASE,
    DamagedRunError,
    database_errors,
    has_database,
    is_damage,
    needs_rollback,
    open_reader,
    open_writer,
)
from convscope.storage.run_notes import RunNotes
from convscope.storage.stored_run import WEIGHTS_FILE, StoredGroup, StoredRun, sha256_of
from convscope.storage.weights_file import count_rows, map_rows, write_row
from convscope.training import HISTORY_COLUMNS, History
from convscope.training.model import Model

_MAX_ROWS = 1 << 40
_SELECT = """
SELECT digest, grp, seed, weights_row, accuracy, loss, seconds, ended, machine, threads, weights_sha256, row_sha256,
(SELECT blob FROM history WHERE history.run = run.id), (SELECT blob FROM predictions WHERE predictions.run = run.id)
FROM run WHERE """


@dataclass
class _Reader:
    """A connection to the database in `folder`, and the process and thread that use it."""

    folder: Path
    owner: tuple[int, int]
    connection: sqlite3.Connection

    def query(self, statement: str, *parameters: str | int) -> list[tuple[Any, ...]]:
        """Return the rows that an SQL statement reads."""
        try:
            return self.connection.execute(statement, parameters).fetchall()
        except sqlite3.OperationalError as error:
            if not needs_rollback(error):
                raise
        # A process was killed in the middle of a commit since the database was opened: read a copy without that.
        self.connection.close()
        self.connection = open_reader(self.folder)
        return self.connection.execute(statement, parameters).fetchall()


class StoredRuns:
    """The runs in the folder `path`, to be read, and added to by one process at a time (see `writing`)."""

    def __init__(self, path: Path) -> None:
        self.path, self.notes = path, RunNotes(path, self.query)
        self._open: _Reader | None = None
        self._groups, self._machines = dict[int, StoredGroup](), dict[int, tuple[str, Machine]]()

    @contextmanager
    def reading(self) -> Iterator["_Reader"]:
        """Keep one connection for all that is read in the block, of this process and thread.

        Raises:
            RunError: if the database is damaged, or of a form that is not read any more.
        """
        owner = os.getpid(), threading.get_ident()
        with database_errors(self.path / DATABASE):
            if self._open is not None and self._open.owner == owner:
                yield self._open
                return
            reader = _Reader(self.path, owner, open_reader(self.path))
            before, self._open = self._open, reader
            try:
                yield reader
            finally:
                if os.getpid() == owner[0]:  # a forked child leaves its parent's connection alone
                    self._open = before
                    reader.connection.close()

    def query(self, statement: str, *parameters: str | int) -> list[tuple[Any, ...]]:
        """Return the rows that an SQL statement reads, none where there is no database."""
        if not has_database(self.path):
            return []
        with self.reading() as reader:
            return reader.query(statement, *parameters)

    def __len__(self) -> int:
        return sum(count for (count,) in self.query("SELECT count(*) FROM run"))

    def digests(self) -> list[str]:
        """Return the digests of all runs, in the order in which they were finished."""
        # The table and its index: a damaged page of either leaves rows out without an error.
        rows = self.query("SELECT digest FROM run NOT INDEXED ORDER BY id")
        rows += self.query("SELECT digest FROM run INDEXED BY sqlite_autoindex_run_1")
        return list(dict.fromkeys(str(digest) for (digest,) in rows))

    def find(self, digest: str) -> StoredRun | None:
        """Return the run with this digest, or None if it is not here; raises `RunError` if it is damaged."""
        if not has_database(self.path):
            return None
        with self.reading() as reader:
            try:
                rows = reader.query(f"{_SELECT} digest = ?", digest)
            except sqlite3.DatabaseError as error:
                if not is_damage(error):
                    raise
                raise self._damage_error(digest, error) from error
            return self._run(rows[0]) if rows else None

    def runs(self, on_damaged: Callable[[str], None]) -> Iterator[StoredRun]:
        """Yield all runs in the order in which they were finished; `on_damaged` hears of each that is left out.

        Raises:
            RunError: if the whole database is damaged.
        """
        if not has_database(self.path):
            return
        with self.reading():
            for digest in self.digests():
                try:
                    run = self.find(digest)
                    if run is None:  # no transaction removes a run without adding it again
                        raise self._damage_error(digest, ValueError("it is not in the table, or not in its index"))
                except DamagedRunError as error:
                    on_damaged(str(error))
                else:
                    yield run

    @cached_property
    def identity(self) -> str:
        """32 hexadecimal digits, made when the database was."""
        return self._meta("identity")

    def are_labels(self, y_true: NDArray[np.integer[Any]], num_classes: int) -> bool:
        """Return whether these are the labels of the test images that the runs here classified, if there are any."""
        return not len(self) or self._meta("labels") == _labels_digest(y_true, _label_kind(num_classes))

    @cached_property
    def y_true(self) -> NDArray[np.unsignedinteger[Any]]:
        """(M,), the labels of the test images; there are some once there is a run.

        Raises:
            RunError: if they are damaged.
        """
        rows = self.query("SELECT sha256, blob FROM labels")
        kind, digest = self._meta("labels").split()
        sha256, blob = rows[0] if rows else ("", b"")
        if kind not in ("u1", "u2") or not isinstance(blob, bytes) or not sha256_of(blob) == sha256 == digest:
            raise RunError(f"{self.path / DATABASE}: damaged (the labels); use another copy of the runs")
        return np.frombuffer(blob, f"<{kind}")

    def find_divergence(self, digest: str) -> str | None:
        """Return why the training of a run diverged, None if it did not or was not tried."""
        return next(
            (str(reason) for (reason,) in self.query("SELECT reason FROM diverged WHERE digest = ?", digest)), None
        )

    def digests_of_diverged(self) -> list[str]:
        """List the digests of the runs whose training diverged."""
        return [str(digest) for (digest,) in self.query("SELECT digest FROM diverged")]

    def add_divergence(self, digest: str, reason: str) -> None:
        """Note that the training of a run diverged, so that it is not trained again.

        Raises:
            ConvscopeError: if it cannot be written.
        """
        with database_errors(self.path / DATABASE), closing(open_writer(self.path)) as database:
            database.execute("INSERT OR REPLACE INTO diverged (digest, reason) VALUES (?, ?)", (digest, reason))

    def weights(self, weights_file: str, width: int, num_rows: int) -> NDArray[np.float32]:
        """Return the first rows of a file with weights, (num_rows, width), mapped; raises `RunError` if damaged."""
        return map_rows(self.path, weights_file, num_rows, width)

    def model(self, run: StoredRun) -> Model:
        """Return the trained network of a run; raises `RunError` if its weights are damaged."""
        group, start, arrays = run.group, 0, dict[str, NDArray[np.float32]]()
        flat = np.array(self.weights(group.weights_file, group.width, run.weights_row + 1)[run.weights_row], np.float32)
        for name, shape in group.architecture.weight_shapes.items():
            size = int(np.prod(shape))
            arrays[name] = flat[start : start + size].reshape(shape)
            start += size
        provenance = dict(group.provenance)
        if provenance:
            provenance |= {"seed": run.seed, "epoch": run.history.best_epoch or len(run.history)}
        try:
            model = Model(group.architecture, arrays, group.class_names, provenance, handwriting=group.handwriting)
        except ValueError as error:
            raise RunError(
                f"{self.path / group.weights_file}: damaged ({error}); use another copy of the runs"
            ) from error
        if model.weights_sha256 != run.weights_sha256:
            raise RunError(
                f"{self.path / group.weights_file}: not the weights of run {run.digest}; use another copy of it"
            )
        return model

    def append(
        self,
        group: StoredGroup,
        model: Model,
        history: History,
        y_true: NDArray[np.integer[Any]],
        y_pred: NDArray[np.integer[Any]],
        facts: Mapping[str, Any],
    ) -> StoredRun:
        """Add a finished run, in the place of a damaged one with its digest, and return it.

        Args:
            facts: `seed`, `digest`, `accuracy`, `loss`, `threads`, and `machine`, a `Machine`.

        Raises:
            RunError: if the runs here classified other test images.
            ConvscopeError: if the disk is full or the folder cannot be written to.
        """
        kind = _label_kind(group.architecture.num_classes)
        flat = np.concatenate([model.weights[name].ravel() for name in group.architecture.weight_shapes])
        machine = json.dumps(facts["machine"].to_dict(), sort_keys=True, allow_nan=False)
        blobs = _table(history).tobytes(), y_pred.astype(f"<{kind}").tobytes()
        with database_errors(self.path / DATABASE), closing(open_writer(self.path)) as database:
            weights_file = _weights_file(database, group)
            index = database.execute(  # a damaged row may name any row of weights
                "SELECT coalesce(max(weights_row) + 1, 0) FROM run WHERE weights_row < ? AND grp IN "
                "(SELECT id FROM grp WHERE weights_file = ?)",
                (count_rows(self.path, weights_file, group.width), weights_file),
            ).fetchone()[0]
            write_row(self.path, weights_file, index, flat)
            database.execute("BEGIN IMMEDIATE")
            _write_labels(database, y_true, kind, self.path)
            group_id, text_sha256 = _write_group(database, group, weights_file)
            database.execute("INSERT OR IGNORE INTO machine (json) VALUES (?)", (machine,))
            [machine_id] = database.execute("SELECT id FROM machine WHERE json = ?", (machine,)).fetchone()
            row = [
                facts["digest"], facts["seed"], index, float(facts["accuracy"]), float(facts["loss"]),
                float(sum(history.seconds)), time.time(), facts["threads"], model.weights_sha256,
            ]  # fmt: skip
            row_sha256 = _row_sha256(row, group.digest, text_sha256, weights_file, machine, *blobs)
            database.execute("DELETE FROM run WHERE digest = ?", (facts["digest"],))
            run_id = database.execute(
                "INSERT INTO run (digest, seed, weights_row, accuracy, loss, seconds, ended, threads, weights_sha256, "
                "grp, machine, row_sha256) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (*row, group_id, machine_id, row_sha256),
            ).lastrowid
            for table, blob in zip(("history", "predictions"), blobs, strict=True):
                database.execute(f"INSERT OR REPLACE INTO {table} (run, blob) VALUES (?, ?)", (run_id, blob))
            database.execute("COMMIT")
        self._groups.clear()
        run = self.find(facts["digest"])
        assert run is not None, facts["digest"]
        return run

    def _run(self, row: tuple[Any, ...]) -> StoredRun:
        """Return the run of a row of `_SELECT`; raises `RunError` if it is damaged."""
        digest, group_id, seed, weights_row, accuracy, loss, seconds, ended, machine_id, threads = row[:10]
        weights_sha256, row_sha256, history, predictions = row[10:]
        try:
            group = self._group(group_id)
            text, machine = self._machine(machine_id)
            values = [digest, seed, weights_row, accuracy, loss, seconds, ended, threads, weights_sha256]
            sums = group.digest, group.text_sha256, group.weights_file, text, history, predictions
            if _row_sha256(values, *sums) != row_sha256:
                raise ValueError("its digest is another")
            y_pred = np.frombuffer(predictions, self.y_true.dtype)
            is_good = (
                re.fullmatch("[0-9a-f]{16}", digest)
                and 0 <= seed <= MAX_SEED
                and 0 <= weights_row <= _MAX_ROWS
                and 1 <= threads <= 65_536
                and np.isfinite([loss, seconds, ended]).all()
                and min(seconds, ended) >= 0
                and len(history) % (8 * len(HISTORY_COLUMNS)) == 0
                and y_pred.shape == self.y_true.shape
                and y_pred.max(initial=0) < group.architecture.num_classes
                and self.y_true.max(initial=0) < group.architecture.num_classes
                and accuracy == float((y_pred == self.y_true).mean())
            )
            if not is_good:
                raise ValueError("a number is out of range")
        except (ConvscopeError, AttributeError, TypeError, ValueError, OverflowError) as error:
            raise self._damage_error(digest, error) from error
        return StoredRun(
            self.path / digest, digest, group, seed, weights_row, accuracy, loss, seconds, ended, machine,
            self.notes.commands, threads, weights_sha256, y_pred, history,
        )  # fmt: skip

    def _damage_error(self, digest: Any, error: Exception) -> DamagedRunError:
        return DamagedRunError(
            f"{self.path / DATABASE}: run {digest!s:.16} is damaged ({error!s:.200}); train it again, or use another "
            "copy of the runs"
        )

    def _group(self, group_id: int) -> StoredGroup:
        if group_id not in self._groups:
            rows = self.query("SELECT digest, record, record_sha256, weights_file FROM grp WHERE id = ?", group_id)
            if not rows or not all(isinstance(value, str) for value in rows[0]):
                raise ValueError("its group is missing")
            digest, text, text_sha256, weights_file = rows[0]
            self._groups[group_id] = StoredGroup.parse(digest, text, text_sha256, weights_file, self.path / DATABASE)
        return self._groups[group_id]

    def _machine(self, machine_id: int) -> tuple[str, Machine]:
        if machine_id not in self._machines:
            rows = self.query("SELECT json FROM machine WHERE id = ?", machine_id)
            if not rows:
                raise ValueError("its machine is missing")
            text = rows[0][0]
            self._machines[machine_id] = text, decode(text.encode(), Machine, self.path / DATABASE)
        return self._machines[machine_id]

    def _meta(self, key: str) -> str:
        for (value,) in self.query("SELECT value FROM meta WHERE key = ?", key):
            if isinstance(value, str) and re.fullmatch(r"(u[12] )?[0-9a-f]{32,64}", value):
                return value
        raise RunError(f"{self.path / DATABASE}: damaged (no {key}); use another copy of the runs")


def _weights_file(database: sqlite3.Connection, group: StoredGroup) -> str:
    """Return the name of the file with the weights of a group: one for each architecture."""
    row = database.execute("SELECT weights_file FROM grp WHERE digest = ?", (group.digest,)).fetchone()
    if row is not None and re.fullmatch(WEIGHTS_FILE, str(row[0])):
        return str(row[0])
    stem = re.sub(r"[^\w.-]+", "-", group.architecture.name)[:40].lstrip(".") or "network"
    return f"weights/{stem}-{sha256_of(canonical_json(group.architecture.to_dict()))[:8]}.npy"


def _write_labels(database: sqlite3.Connection, y_true: NDArray[np.integer[Any]], kind: str, path: Path) -> None:
    labels = _labels_digest(y_true, kind)
    for key, value in (("identity", secrets.token_hex(16)), ("labels", labels)):
        database.execute("INSERT OR IGNORE INTO meta (key, value) VALUES (?, ?)", (key, value))
    if database.execute("SELECT value FROM meta WHERE key = 'labels'").fetchone() != (labels,):
        raise RunError(f"{path}: has runs that classified other test images; choose another folder")
    blob = y_true.astype(f"<{kind}").tobytes()
    database.execute("INSERT OR REPLACE INTO labels (sha256, blob) VALUES (?, ?)", (labels.split()[1], blob))


def _labels_digest(y_true: NDArray[np.integer[Any]], kind: str) -> str:
    return f"{kind} {sha256_of(y_true.astype(f'<{kind}').tobytes())}"


def _label_kind(num_classes: int) -> str:
    return "u1" if num_classes <= 256 else "u2"


def _write_group(database: sqlite3.Connection, group: StoredGroup, weights_file: str) -> tuple[int, str]:
    """Return the id of a group and the digest of its text, both new where it is not here or damaged."""
    select = "SELECT id, record, record_sha256 FROM grp WHERE digest = ?"
    row = database.execute(select, (group.digest,)).fetchone()
    if row is not None and isinstance(row[1], str) and sha256_of(row[1]) == row[2]:
        return row[0], row[2]
    values = (group.digest, group.text, sha256_of(group.text), weights_file, group.width)
    database.execute(
        "INSERT INTO grp (digest, record, record_sha256, weights_file, width) VALUES (?, ?, ?, ?, ?) "
        "ON CONFLICT (digest) DO UPDATE SET record = excluded.record, record_sha256 = excluded.record_sha256, "
        "weights_file = excluded.weights_file, width = excluded.width",
        values,
    )
    return database.execute(select, (group.digest,)).fetchone()[0], values[2]


def _row_sha256(values: list[Any], *parts: str | bytes) -> str:
    """Return the digest of a row, and of what it refers to in other tables."""
    hashed = hashlib.sha256(repr(values).encode())
    for part in parts:
        content = part.encode() if isinstance(part, str) else part
        hashed.update(len(content).to_bytes(8, "little"))
        hashed.update(content)
    return hashed.hexdigest()


def _table(history: History) -> NDArray[np.float64]:
    """Return (epochs, 5): the columns of a history, NaN where nothing was measured."""
    nothing = (float("nan"),) * len(history)
    return np.array([getattr(history, name) or nothing for name in HISTORY_COLUMNS], "<f8").T.copy()
