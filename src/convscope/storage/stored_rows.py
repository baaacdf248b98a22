"""Write the rows of a finished run into the tables of the database, with the digests by which damage is noticed.

A row of `run` has the numbers of one run, and refers to what it shares with others:

    run  ──grp──────────▶ grp: the settings of its group as JSON, and the name of the file with their weights
         ──weights_row──▶ its weights, a row of that file
         ──machine──────▶ machine: versions and processor as JSON
    history, predictions  a row each, with the id of the run
    labels                the labels of the test images, one row for all runs
"""

import hashlib
import re
import secrets
import sqlite3
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convscope.base.errors import RunError
from convscope.base.plain import canonical_json
from convscope.storage.stored_run import WEIGHTS_FILE, StoredGroup, compute_sha256
from convscope.storage.weights_file import count_rows
from convscope.training import HISTORY_COLUMNS, History


def name_weights_file(database: sqlite3.Connection, group: StoredGroup) -> str:
    """Name the file with the weights of a group; all groups of an architecture share it."""
    row = database.execute("SELECT weights_file FROM grp WHERE digest = ?", (group.digest,)).fetchone()
    if row is not None and re.fullmatch(WEIGHTS_FILE, str(row[0])):
        return str(row[0])
    stem = re.sub(r"[^\w.-]+", "-", group.architecture.name)[:40].lstrip(".") or "network"
    return f"weights/{stem}-{compute_sha256(canonical_json(group.architecture.to_dict()))[:8]}.npy"


def find_free_weights_row(database: sqlite3.Connection, folder: Path, weights_file: str, width: int) -> int:
    """Find the row after the last one in the file that a run in the database has; later rows belong to no run."""
    # A damaged run may name a row beyond the end of the file. It does not count.
    [row] = database.execute(
        "SELECT coalesce(max(weights_row) + 1, 0) FROM run WHERE weights_row < ? AND grp IN "
        "(SELECT id FROM grp WHERE weights_file = ?)",
        (count_rows(folder, weights_file, width), weights_file),
    ).fetchone()
    return int(row)


def write_labels(database: sqlite3.Connection, y_true: NDArray[np.integer[Any]], kind: str, path: Path) -> None:
    """Write the test labels with the first run; raises `RunError` if later runs have others."""
    labels = digest_labels(y_true, kind)
    for key, value in (("identity", secrets.token_hex(16)), ("labels", labels)):
        database.execute("INSERT OR IGNORE INTO meta (key, value) VALUES (?, ?)", (key, value))
    if database.execute("SELECT value FROM meta WHERE key = 'labels'").fetchone() != (labels,):
        raise RunError(f"{path}: has runs that classified other test images; choose another folder")
    blob = y_true.astype(f"<{kind}").tobytes()
    # With every run: that repairs damaged labels.
    database.execute("INSERT OR REPLACE INTO labels (sha256, blob) VALUES (?, ?)", (labels.split()[1], blob))


def digest_labels(y_true: NDArray[np.integer[Any]], kind: str) -> str:
    """Compute the digest of labels with their type before it, such as "u1 9f86d081..."."""
    return f"{kind} {compute_sha256(y_true.astype(f'<{kind}').tobytes())}"


def choose_label_type(num_classes: int) -> str:
    """Choose the type that labels are stored in: one byte if all classes fit, else two."""
    return "u1" if num_classes <= 256 else "u2"


def write_group(database: sqlite3.Connection, group: StoredGroup, weights_file: str) -> tuple[int, str]:
    """Write a group unless it is there and intact; return its id and the digest of its text."""
    select = "SELECT id, record, record_sha256 FROM grp WHERE digest = ?"
    row = database.execute(select, (group.digest,)).fetchone()
    if row is not None and isinstance(row[1], str) and compute_sha256(row[1]) == row[2]:
        return row[0], row[2]
    values = (group.digest, group.text, compute_sha256(group.text), weights_file, group.width)
    database.execute(
        "INSERT INTO grp (digest, record, record_sha256, weights_file, width) VALUES (?, ?, ?, ?, ?) "
        "ON CONFLICT (digest) DO UPDATE SET record = excluded.record, record_sha256 = excluded.record_sha256, "
        "weights_file = excluded.weights_file, width = excluded.width",
        values,
    )
    return database.execute(select, (group.digest,)).fetchone()[0], values[2]


def write_machine(database: sqlite3.Connection, machine: str) -> int:
    """Write a machine, as JSON, unless it is there; return its id."""
    database.execute("INSERT OR IGNORE INTO machine (json) VALUES (?)", (machine,))
    return int(database.execute("SELECT id FROM machine WHERE json = ?", (machine,)).fetchone()[0])


def write_run(database: sqlite3.Connection, row: tuple[Any, ...], blobs: Mapping[str, bytes]) -> None:
    """Write the row of a run, with its digest first, and its blobs by the name of their table."""
    # Deletes a damaged run of this digest. Its history and predictions may stay until a run gets the same id.
    database.execute("DELETE FROM run WHERE digest = ?", row[:1])
    run_id = database.execute(
        "INSERT INTO run (digest, seed, weights_row, accuracy, loss, seconds, ended, threads, weights_sha256, "
        "grp, machine, row_sha256) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        row,
    ).lastrowid
    for table, blob in blobs.items():
        database.execute(f"INSERT OR REPLACE INTO {table} (run, blob) VALUES (?, ?)", (run_id, blob))


def hash_row(values: list[Any], *parts: str | bytes) -> str:
    """Compute the digest of a row and of everything that it refers to in other tables."""
    digest = hashlib.sha256(repr(values).encode())  # `repr` of a float names all its bits
    for part in parts:
        content = part.encode() if isinstance(part, str) else part
        digest.update(len(content).to_bytes(8, "little"))  # so that ("ab", "c") and ("a", "bc") differ
        digest.update(content)
    return digest.hexdigest()


def tabulate_history(history: History) -> NDArray[np.float64]:
    """Convert a history to a table (epochs, 5), with NaN for columns without measurements."""
    missing = (float("nan"),) * len(history)
    return np.array([getattr(history, name) or missing for name in HISTORY_COLUMNS], "<f8").T.copy()
