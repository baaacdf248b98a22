"""Store many finished runs in one folder, and read each by its digest.

runs.db            a database of all runs: results, histories, predictions (see `run_database`)
weights/NAME.npy   a row for each run of an architecture: its weights, one tensor after the other
from/              the networks that runs started from, and the digests of training images

A run exists once its row is in the database. Its weights are written and synced before, after the last row that the
database knows; a killed process leaves weights without a row, and the next run overwrites them. The digest `row_sha256`
covers a row and everything it refers to, so a damaged run is an error of its own, and the others are read.
"""

import json
import os
import re
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
from convscope.base.records import decode
from convscope.storage import stored_rows
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
from convscope.storage.stored_run import StoredGroup, StoredRun, compute_sha256
from convscope.storage.weights_file import map_rows, write_row
from convscope.training import HISTORY_COLUMNS, History
from convscope.training.model import Model

_MAX_ROWS = 1 << 40  # more than any disk holds
_SELECT = """
SELECT digest, grp, seed, weights_row, accuracy, loss, seconds, ended, machine, threads, weights_sha256, row_sha256,
(SELECT blob FROM history WHERE history.run = run.id), (SELECT blob FROM predictions WHERE predictions.run = run.id)
FROM run WHERE """


@dataclass
class _Reader:
    """A connection to the database in `folder`, with the process and thread that own it."""

    folder: Path
    owner: tuple[int, int]
    connection: sqlite3.Connection

    def query(self, statement: str, *parameters: str | int) -> list[tuple[Any, ...]]:
        """Run an SQL statement and return its rows."""
        try:
            return self.connection.execute(statement, parameters).fetchall()
        except sqlite3.OperationalError as error:
            if not needs_rollback(error):
                raise
        # A writer was killed in the middle of a commit after this connection was opened. Its journal must be rolled
        # back before reading, so this continues with a copy. (A transaction around all reading would avoid the case,
        # but lock writers out for minutes.)
        self.connection.close()
        self.connection = open_reader(self.folder)
        return self.connection.execute(statement, parameters).fetchall()


class StoredRuns:
    """The runs in the folder `path`; one process at a time can add runs (see `writing`)."""

    def __init__(self, path: Path) -> None:
        self.path, self.notes = path, RunNotes(path, self.query)
        self._open: _Reader | None = None
        self._groups, self._machines = dict[int, StoredGroup](), dict[int, tuple[str, Machine]]()

    @contextmanager
    def reading(self) -> Iterator["_Reader"]:
        """Use the same connection for everything that this thread reads in the block; raises `RunError` if damaged."""
        owner = os.getpid(), threading.get_ident()
        with database_errors(self.path / DATABASE):
            if self._open is not None and self._open.owner == owner:
                yield self._open
                return
            # Another thread may have a reader open, which is of no use here: a sqlite3 connection stays in its thread.
            # So this one takes its place until the block ends.
            reader = _Reader(self.path, owner, open_reader(self.path))
            previous, self._open = self._open, reader
            try:
                yield reader
            finally:
                if os.getpid() == owner[0]:  # SQLite forbids to use or close a connection in a forked child
                    self._open = previous
                    reader.connection.close()

    def query(self, statement: str, *parameters: str | int) -> list[tuple[Any, ...]]:
        """Run an SQL statement and return its rows; none without a database."""
        if not has_database(self.path):
            return []
        with self.reading() as reader:
            return reader.query(statement, *parameters)

    def __len__(self) -> int:
        return sum(count for (count,) in self.query("SELECT count(*) FROM run"))

    def digests(self) -> list[str]:
        """List the digests of all runs, in the order in which they finished."""
        # A damaged page of the table or of its index can drop rows without an error (in 9 of 155 trials). A run that
        # one of the two lists lacks is in the other; the second also has those that are stored in between.
        rows = self.query("SELECT digest FROM run NOT INDEXED ORDER BY id")
        rows += self.query("SELECT digest FROM run INDEXED BY sqlite_autoindex_run_1 ORDER BY id")
        return list(dict.fromkeys(str(digest) for (digest,) in rows))

    def find(self, digest: str) -> StoredRun | None:
        """Find the run with a digest; None if there is none. Raises `RunError` if it is damaged."""
        if not has_database(self.path):
            return None
        with self.reading() as reader:
            try:
                rows = reader.query(f"{_SELECT} digest = ?", digest)
            except sqlite3.DatabaseError as error:
                if not is_damage(error):
                    raise
                raise self._make_damage_error(digest, error) from error
            return self._read_run(rows[0]) if rows else None

    def runs(self, on_damaged: Callable[[str], None]) -> Iterator[StoredRun]:
        """Yield all runs in the order in which they finished; `on_damaged` is called for each damaged run.

        Raises:
            RunError: if the whole database is damaged.
        """
        if not has_database(self.path):
            return
        with self.reading():
            for digest in self.digests():
                try:
                    run = self.find(digest)
                    if run is None:  # a transaction that deletes a run adds it again, so damage is the only cause
                        raise self._make_damage_error(digest, ValueError("it is not in the table, or not in its index"))
                except DamagedRunError as error:
                    on_damaged(str(error))
                else:
                    yield run

    @cached_property
    def identity(self) -> str:
        """32 random hexadecimal digits of this database."""
        return self._read_meta("identity")

    def has_labels(self, y_true: NDArray[np.integer[Any]], num_classes: int) -> bool:
        """True if the runs here classified test images with these labels, or there are no runs."""
        kind = stored_rows.choose_label_type(num_classes)
        return not len(self) or self._read_meta("labels") == stored_rows.digest_labels(y_true, kind)

    @cached_property
    def y_true(self) -> NDArray[np.unsignedinteger[Any]]:
        """The labels of the test images (M,), once there is a run; raises `RunError` if they are damaged."""
        rows = self.query("SELECT sha256, blob FROM labels")
        kind, digest = self._read_meta("labels").split()  # such as "u1 9f86d081..."
        sha256, blob = rows[0] if rows else ("", b"")
        if kind not in ("u1", "u2") or not isinstance(blob, bytes) or not compute_sha256(blob) == sha256 == digest:
            raise RunError(f"{self.path / DATABASE}: damaged (the labels); use another copy of the runs")
        return np.frombuffer(blob, f"<{kind}")

    def find_divergence(self, digest: str) -> str | None:
        """Find the reason why the training of a run diverged; None if it did not diverge or was not tried."""
        rows = self.query("SELECT reason FROM diverged WHERE digest = ?", digest)
        return str(rows[0][0]) if rows else None

    def digests_of_diverged(self) -> list[str]:
        """List the digests of the runs whose training diverged."""
        return [str(digest) for (digest,) in self.query("SELECT digest FROM diverged")]

    def add_divergence(self, digest: str, reason: str) -> None:
        """Record that the training of a run diverged, so that it is not trained again."""
        with database_errors(self.path / DATABASE), closing(open_writer(self.path)) as database:
            database.execute("INSERT OR REPLACE INTO diverged (digest, reason) VALUES (?, ?)", (digest, reason))

    def weights(self, weights_file: str, width: int, num_rows: int) -> NDArray[np.float32]:
        """Map the first rows of a file with weights, (num_rows, width); raises `RunError` if it is damaged."""
        return map_rows(self.path, weights_file, num_rows, width)

    def model(self, run: StoredRun) -> Model:
        """Load the trained network of a run; raises `RunError` if its weights are damaged."""
        group, path = run.group, self.path / run.group.weights_file
        rows = self.weights(group.weights_file, group.width, run.weights_row + 1)
        flat = np.array(rows[run.weights_row], np.float32)  # a copy: a model must not change when the file does
        arrays, start = dict[str, NDArray[np.float32]](), 0
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
            raise RunError(f"{path}: damaged ({error}); use another copy of the runs") from error
        if model.weights_sha256 != run.weights_sha256:
            raise RunError(f"{path}: not the weights of run {run.digest}; use another copy of it")
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
        """Add a finished run, or replace a damaged one with its digest, and return it.

        Args:
            facts: `seed`, `digest`, `accuracy`, `loss`, `threads`, and `machine`, a `Machine`.

        Raises:
            RunError: if the runs here classified other test images.
            ConvscopeError: if the disk is full or the folder cannot be written to.
        """
        kind = stored_rows.choose_label_type(group.architecture.num_classes)
        flat = np.concatenate([model.weights[name].ravel() for name in group.architecture.weight_shapes])
        machine = json.dumps(facts["machine"].to_dict(), sort_keys=True, allow_nan=False)
        history_table = stored_rows.tabulate_history(history)
        blobs = {"history": history_table.tobytes(), "predictions": y_pred.astype(f"<{kind}").tobytes()}
        with database_errors(self.path / DATABASE), closing(open_writer(self.path)) as database:
            weights_file = stored_rows.name_weights_file(database, group)
            weights_row = stored_rows.find_free_weights_row(database, self.path, weights_file, group.width)
            # The weights are on the disk before the transaction begins, so no committed row can lack its weights.
            write_row(self.path, weights_file, weights_row, flat)
            database.execute("BEGIN IMMEDIATE")  # takes the write lock now, and not at the first INSERT
            stored_rows.write_labels(database, y_true, kind, self.path)
            group_id, text_sha256 = stored_rows.write_group(database, group, weights_file)
            machine_id = stored_rows.write_machine(database, machine)
            values = [
                facts["digest"], facts["seed"], weights_row, float(facts["accuracy"]), float(facts["loss"]),
                float(sum(history.seconds)), time.time(), facts["threads"], model.weights_sha256,
            ]  # fmt: skip
            row_sha256 = stored_rows.hash_row(values, group.digest, text_sha256, weights_file, machine, *blobs.values())
            stored_rows.write_run(database, (*values, group_id, machine_id, row_sha256), blobs)
            database.execute("COMMIT")
        self._groups.clear()  # a damaged group may have been written again
        run = self.find(facts["digest"])  # read back, which also checks the digest
        assert run is not None, facts["digest"]
        return run

    def _read_run(self, row: tuple[Any, ...]) -> StoredRun:
        """Read a run from a row of `_SELECT`; raises `RunError` if it is damaged.

        A row may hold values of any type, as SQLite's columns have none of their own: an error while reading them is
        damage, too.
        """
        (
            digest, group_id, seed, weights_row, accuracy, loss, seconds, ended, machine_id, threads,
            weights_sha256, row_sha256, history, predictions,
        ) = row  # fmt: skip
        try:
            group = self._read_group(group_id)
            machine_text, machine = self._read_machine(machine_id)
            values = [digest, seed, weights_row, accuracy, loss, seconds, ended, threads, weights_sha256]
            parts = group.digest, group.text_sha256, group.weights_file, machine_text, history, predictions
            # Against damage: the digest of all that was written, in the order in which `append` gives it to `hash_row`.
            if stored_rows.hash_row(values, *parts) != row_sha256:
                raise ValueError("its digest does not match")
            # Against a hostile database with correct digests: every value that is used.
            y_true, y_pred = self.y_true, np.frombuffer(predictions, self.y_true.dtype)
            are_numbers_valid = (
                re.fullmatch("[0-9a-f]{16}", digest)
                and 0 <= seed <= MAX_SEED
                and 0 <= weights_row <= _MAX_ROWS
                and 1 <= threads <= 65_536
                and np.isfinite([loss, seconds, ended]).all()
                and min(seconds, ended) >= 0
                and len(history) % (8 * len(HISTORY_COLUMNS)) == 0  # whole rows of float64
            )
            are_labels_valid = (
                y_pred.shape == y_true.shape
                and max(y_pred.max(initial=0), y_true.max(initial=0)) < group.architecture.num_classes
                and accuracy == float((y_pred == y_true).mean())
            )
            if not (are_numbers_valid and are_labels_valid):
                raise ValueError("a number is out of range")
        except (ConvscopeError, AttributeError, TypeError, ValueError, OverflowError) as error:
            raise self._make_damage_error(digest, error) from error
        return StoredRun(
            self.path / digest, digest, group, seed, weights_row, accuracy, loss, seconds, ended, machine,
            self.notes.commands, threads, weights_sha256, y_pred, history,
        )  # fmt: skip

    def _make_damage_error(self, digest: Any, error: Exception) -> DamagedRunError:
        return DamagedRunError(
            f"{self.path / DATABASE}: run {digest!s:.16} is damaged ({error!s:.200}); train it again, or use another "
            "copy of the runs"
        )

    def _read_group(self, group_id: int) -> StoredGroup:
        """Read a group once; raises `ValueError` or `RunError` if it is missing or damaged."""
        if group_id not in self._groups:
            rows = self.query("SELECT digest, record, record_sha256, weights_file FROM grp WHERE id = ?", group_id)
            if not rows or not all(isinstance(value, str) for value in rows[0]):
                raise ValueError("its group is missing")
            digest, text, text_sha256, weights_file = rows[0]
            self._groups[group_id] = StoredGroup.parse(digest, text, text_sha256, weights_file, self.path / DATABASE)
        return self._groups[group_id]

    def _read_machine(self, machine_id: int) -> tuple[str, Machine]:
        """Read a machine once: its JSON, which the digests of the runs cover, and the record."""
        if machine_id not in self._machines:
            rows = self.query("SELECT json FROM machine WHERE id = ?", machine_id)
            if not rows:
                raise ValueError("its machine is missing")
            text = rows[0][0]
            self._machines[machine_id] = text, decode(text.encode(), Machine, self.path / DATABASE)
        return self._machines[machine_id]

    def _read_meta(self, key: str) -> str:
        """Read `identity` or `labels`, such as "u1 9f86d081..."; raises `RunError` if it is missing or damaged."""
        for (value,) in self.query("SELECT value FROM meta WHERE key = ?", key):
            if isinstance(value, str) and re.fullmatch(r"(u[12] )?[0-9a-f]{32,64}", value):
                return value
        raise RunError(f"{self.path / DATABASE}: damaged (no {key}); use another copy of the runs")
