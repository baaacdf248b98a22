"""Many runs in one folder: crashes, damage, concurrent readers, and hostile databases."""

import multiprocessing
import os
import shutil
import sqlite3
import stat
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import convscope as cs
from convscope.base.errors import ConvscopeError, RunError
from convscope.experiment.store import RunStore
from convscope.storage import StoredRuns, list_runs, load_model, open_run, run_database, stored_rows

from .made_runs import SPEC, SPLITS, keep_runs, make_result, make_splits


def digest_of(seed: int) -> str:
    return replace(SPEC, seed=seed).digest(SPLITS)


def list_seeds(folder: Path, on_damaged: Callable[[str], None] = pytest.fail) -> list[int]:
    return [run.seed for run in StoredRuns(folder / "runs").runs(on_damaged)]


def execute_sql(folder: Path, statement: str, *values: object) -> None:
    with closing(sqlite3.connect(folder / "runs" / "runs.db")) as database, database:
        database.execute(statement, values)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    keep_runs(tmp_path, range(5))
    return tmp_path


def test_stored_results_come_back_unchanged(folder: Path):
    stored = StoredRuns(folder / "runs")
    for seed, run in enumerate(stored.runs(pytest.fail)):
        expected = make_result(replace(SPEC, seed=seed), SPLITS)
        assert (run.seed, run.loss, run.threads, run.history) == (seed, 0.5, 1, expected.history)
        assert (run.y_pred == expected.y_pred).all()
        assert stored.model(run).weights_sha256 == run.weights_sha256 == expected.model.weights_sha256
        assert load_model(run.path).weights_sha256 == expected.model.weights_sha256
        assert open_run(run.path).load_history() == expected.history
    assert (stored.y_true == SPLITS.test.labels).all()


def read_until_stopped(
    folder: Path, stop: "multiprocessing.synchronize.Event", messages: "multiprocessing.Queue"
) -> None:
    try:
        while not stop.is_set():
            seeds = list_seeds(folder, lambda line: messages.put(line))
            assert seeds == list(range(len(seeds))), seeds
            for path in list_runs(folder / "runs")[:3]:
                load_model(path)
    except BaseException as error:
        messages.put(repr(error)[:3000])


@pytest.mark.slow
def test_readers_never_see_damage_while_another_process_writes(tmp_path: Path):
    keep_runs(tmp_path, range(1))
    context = multiprocessing.get_context("spawn")
    stop, messages = context.Event(), context.Queue()
    readers = [context.Process(target=read_until_stopped, args=(tmp_path, stop, messages)) for _ in range(2)]
    for reader in readers:
        reader.start()
    keep_runs(tmp_path, range(1, 150))
    stop.set()
    for reader in readers:
        reader.join(60)
    assert messages.empty(), messages.get()
    assert list_seeds(tmp_path) == list(range(150))


def test_the_weights_are_on_the_disk_before_their_row_is(folder: Path, monkeypatch: pytest.MonkeyPatch):
    synced, fsync = list[tuple[str, int]](), os.fsync

    def note(handle: int) -> None:
        kind = "folder" if stat.S_ISDIR(os.fstat(handle).st_mode) else "file"
        synced.append((kind, len(StoredRuns(folder / "runs"))))
        fsync(handle)

    monkeypatch.setattr(os, "fsync", note)
    keep_runs(folder, range(5, 6))
    assert synced == [("file", 5)]  # SQLite syncs its own files
    synced.clear()
    layers = (cs.Flatten(), cs.Dense(4), cs.Dense(3, "softmax"))
    keep_runs(folder, range(1), replace(SPEC, architecture=replace(SPEC.architecture, layers=layers)))
    # A new file of weights, and the folders that may have got a new name: its own, and that of all runs.
    assert synced == [("file", 6), ("folder", 6), ("folder", 6)]
    with closing(run_database.open_writer(folder / "runs")) as database:
        assert database.execute("PRAGMA synchronous").fetchone() == (2,)  # FULL
        assert database.execute("PRAGMA journal_mode").fetchone() == ("delete",)


def test_weights_without_a_row_are_overwritten(folder: Path, tmp_path_factory, monkeypatch: pytest.MonkeyPatch):
    whole = tmp_path_factory.mktemp("whole")
    keep_runs(whole, range(7))

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(stored_rows, "write_labels", stop)
        with pytest.raises(KeyboardInterrupt):
            keep_runs(folder, range(6, 7))
    assert list_seeds(folder) == [0, 1, 2, 3, 4]
    keep_runs(folder, range(5, 7))
    [weights], [expected] = ((path / "runs" / "weights").iterdir() for path in (folder, whole))
    assert weights.read_bytes() == expected.read_bytes()


# Of the run of seed 2, whose id is 3.
DAMAGE = {
    "its loss": "UPDATE run SET loss = 0.0 WHERE seed = 2",
    "its seed": "UPDATE run SET seed = 9 WHERE seed = 2",
    "its row of weights": "UPDATE run SET weights_row = 1099511627776 WHERE seed = 2",
    "its group": "UPDATE run SET grp = 7 WHERE seed = 2",
    "its machine": "UPDATE run SET machine = 7 WHERE seed = 2",
    "text for a number": "UPDATE run SET accuracy = 'high' WHERE seed = 2",
    "its history": "UPDATE history SET blob = zeroblob(length(blob)) WHERE run = 3",
    "no history": "DELETE FROM history WHERE run = 3",
    "its predictions": "UPDATE predictions SET blob = zeroblob(length(blob)) WHERE run = 3",
    "no predictions": "DELETE FROM predictions WHERE run = 3",
}


@pytest.mark.parametrize("what", DAMAGE)
def test_a_damaged_run_is_named_and_the_others_are_read(folder: Path, what: str):
    execute_sql(folder, DAMAGE[what])
    messages = list[str]()
    assert list_seeds(folder, messages.append) == [0, 1, 3, 4]
    assert len(messages) == 1
    assert f"run {digest_of(2)} is damaged" in messages[0]
    with pytest.raises(RunError, match=f"run {digest_of(2)} is damaged"):
        open_run(folder / "runs" / digest_of(2))
    store = RunStore(SPLITS, folder / "runs")
    assert store.find(replace(SPEC, seed=2), digest_of(2)) is None
    assert store.find(replace(SPEC, seed=3), digest_of(3)) is not None
    keep_runs(folder, range(2, 3))  # a command that needs the run trains it again
    keep_runs(folder, range(5, 6))
    assert sorted(list_seeds(folder)) == [0, 1, 2, 3, 4, 5]
    for path in list_runs(folder / "runs"):
        load_model(path)


@pytest.mark.parametrize("occurrence", [0, 1])
def test_a_run_missing_from_the_table_or_from_its_index_is_read_or_named(folder: Path, occurrence: int):
    path, digest = folder / "runs" / "runs.db", digest_of(3).encode()
    parts = path.read_bytes().split(digest)
    assert len(parts) == 3, "the digest stands in the table and in its index"
    names = [digest, digest]
    names[occurrence] = digest[:-1] + b"x"
    path.write_bytes(parts[0] + names[0] + parts[1] + names[1] + parts[2])
    damaged = list[str]()
    seeds = list_seeds(folder, damaged.append)
    assert {0, 1, 2, 4} <= set(seeds)
    assert 3 in seeds or any(digest.decode() in line for line in damaged)
    assert damaged, "the damage is reported"


@pytest.mark.parametrize(
    "statement",
    ["UPDATE grp SET record = replace(record, 'two', 'too')", "UPDATE grp SET record = '{'",
     "UPDATE labels SET blob = zeroblob(length(blob))", "UPDATE machine SET json = '{}'"],
)  # fmt: skip
def test_shared_files_of_runs_are_repaired_by_the_next_training(folder: Path, statement: str):
    execute_sql(folder, statement)
    messages = list[str]()
    assert list_seeds(folder, messages.append) == []
    assert len(messages) == 5  # one for each run
    keep_runs(folder, range(6))
    assert sorted(list_seeds(folder)) == [0, 1, 2, 3, 4, 5]


def test_damaged_weights_spoil_only_one_run(folder: Path):
    [path] = (folder / "runs" / "weights").iterdir()
    content = bytearray(path.read_bytes())
    content[-4:] = b"\0\0\x80\x3f"  # 1.0 as the last weight of the last run
    path.write_bytes(content)
    assert list_seeds(folder) == [0, 1, 2, 3, 4]
    load_model(folder / "runs" / digest_of(3))
    with pytest.raises(RunError, match=f"not the weights of run {digest_of(4)}"):
        load_model(folder / "runs" / digest_of(4))


@pytest.fixture
def hot_folder(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the runs as a process leaves it that is killed during a commit: changed pages, and SQLite's journal."""
    copy = tmp_path_factory.mktemp("hot")
    with closing(sqlite3.connect(folder / "runs" / "runs.db", isolation_level=None)) as database:
        database.execute("PRAGMA cache_spill = 1")
        database.execute("PRAGMA cache_size = 1")  # so that pages are written before the commit
        database.execute("BEGIN IMMEDIATE")
        database.execute("UPDATE run SET loss = 9.0")
        database.execute("INSERT INTO history (run, blob) VALUES (99, zeroblob(100000))")
        shutil.copytree(folder / "runs", copy / "runs")
        database.execute("ROLLBACK")
    assert (copy / "runs" / "runs.db-journal").stat().st_size > 0
    assert (copy / "runs" / "runs.db").read_bytes() != (folder / "runs" / "runs.db").read_bytes()
    return copy


def test_an_unfinished_commit_of_a_killed_process_is_rolled_back(hot_folder: Path):
    before = {path: path.read_bytes() for path in (hot_folder / "runs").glob("runs.db*")}
    assert list_seeds(hot_folder) == [0, 1, 2, 3, 4]
    assert {path: path.read_bytes() for path in (hot_folder / "runs").glob("runs.db*")} == before  # only read
    keep_runs(hot_folder, range(5, 6))
    assert list_seeds(hot_folder) == [0, 1, 2, 3, 4, 5]
    assert not (hot_folder / "runs" / "runs.db-journal").exists()


def test_a_process_that_is_killed_while_others_read_does_not_disturb_them(hot_folder: Path, folder: Path):
    path, hot = folder / "runs", hot_folder / "runs"
    stored = StoredRuns(path)
    with stored.reading():
        assert len(stored) == 5
        for name in ("runs.db", "runs.db-journal"):  # in place, as SQLite writes
            with (path / name).open("r+b" if name == "runs.db" else "wb") as file:
                file.write((hot / name).read_bytes())
        assert [run.seed for run in stored.runs(pytest.fail)] == [0, 1, 2, 3, 4]
        assert stored.find(digest_of(2)).loss == 0.5


def test_a_journal_that_names_another_file_is_refused(hot_folder: Path, tmp_path: Path):
    """A journal may name the journal of a commit to several databases, and SQLite would delete that file."""
    victim, journal = tmp_path / "victim", hot_folder / "runs" / "runs.db-journal"
    victim.write_text("mine")
    name = str(victim).encode()
    # At the end of a journal: a page number, the name, its length, the sum of its bytes, and the mark of journals.
    record = name + len(name).to_bytes(4, "big") + sum(name).to_bytes(4, "big") + bytes.fromhex("d9d505f920a163d7")
    journal.write_bytes(journal.read_bytes() + b"\xff" * 4 + record)
    for read in (lambda: list_seeds(hot_folder), lambda: keep_runs(hot_folder, range(5, 6))):
        with pytest.raises(RunError, match="names other files"):
            read()
    assert victim.read_text() == "mine"


def test_an_empty_database_of_a_killed_process_has_no_runs(tmp_path: Path):
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / "runs.db").write_bytes(b"")
    assert list_seeds(tmp_path) == []
    assert list_runs(tmp_path / "runs") == []
    keep_runs(tmp_path, range(1))
    assert list_seeds(tmp_path) == [0]


HOSTILE = {
    "another table": "CREATE TABLE more (a)",
    "a view": "CREATE VIEW more AS SELECT * FROM run",
    "a trigger": "CREATE TRIGGER more AFTER INSERT ON run BEGIN DELETE FROM run; END",
    "an index on a function": "CREATE INDEX more ON run (abs(seed))",
    "no table": "DROP TABLE history",
    "a generated column": "ALTER TABLE run ADD COLUMN more AS (zeroblob(1000000000))",
}


@pytest.mark.parametrize("what", HOSTILE)
def test_other_tables_are_refused(folder: Path, what: str):
    execute_sql(folder, HOSTILE[what])
    for read in (
        lambda: list_seeds(folder),
        lambda: keep_runs(folder, range(5, 6)),
        lambda: cs.load_weights_matrix(folder),
    ):
        with pytest.raises(RunError, match="other tables than those of this version"):
            read()


@pytest.mark.parametrize("name", ["runs.db", "runs.db-journal"])
@pytest.mark.parametrize("make", [os.mkfifo, lambda path: path.symlink_to("/etc/passwd"), Path.mkdir])
def test_pipes_links_and_folders_are_refused_without_waiting(folder: Path, name: str, make: Callable[[Path], None]):
    path = folder / "runs" / name
    path.unlink(missing_ok=True)
    make(path)
    with pytest.raises(RunError):
        list_seeds(folder)


def test_a_write_ahead_log_is_refused(folder: Path):
    execute_sql(folder, "PRAGMA user_version = 0")
    with closing(sqlite3.connect(folder / "runs" / "runs.db")) as database:
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("BEGIN IMMEDIATE")
        database.execute("DELETE FROM run")
        database.execute("COMMIT")
        with pytest.raises(RunError, match="is not of convscope"):
            list_seeds(folder)


def test_runs_on_other_test_images_are_refused(folder: Path):
    with pytest.raises(RunError, match="has runs that classified other test images"):
        keep_runs(folder, range(1), splits=make_splits(41))


def test_a_full_disk_is_an_error_with_a_next_step(folder: Path, monkeypatch: pytest.MonkeyPatch):
    connect = run_database._connect

    def connect_to_full(uri: str) -> sqlite3.Connection:
        connection = connect(uri)
        connection.execute("PRAGMA max_page_count = 1")
        return connection

    monkeypatch.setattr(run_database, "_connect", connect_to_full)
    with pytest.raises(ConvscopeError, match="free some space, or choose another folder"):
        keep_runs(folder, range(5, 50))
    monkeypatch.undo()
    kept = list_seeds(folder)
    keep_runs(folder, range(len(kept), 50))
    assert list_seeds(folder) == list(range(50))


def count_in_child(stored: StoredRuns, folder: Path, results: "multiprocessing.Queue") -> None:
    results.put((len(stored), list_seeds(folder)))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_forked_child_opens_its_own_connection(folder: Path):
    context, stored = multiprocessing.get_context("fork"), StoredRuns(folder / "runs")
    results = context.SimpleQueue()
    with stored.reading() as reader:
        child = context.Process(target=count_in_child, args=(stored, folder, results))
        child.start()
        child.join(60)
        assert results.get() == (5, [0, 1, 2, 3, 4])
        assert reader.query("SELECT count(*) FROM run") == [(5,)]


@pytest.mark.slow
def test_as_many_groups_as_a_sweep_makes_are_read_again(tmp_path: Path):
    keep_runs(tmp_path, range(1))
    with closing(sqlite3.connect(tmp_path / "runs" / "runs.db", isolation_level=None)) as database:
        database.execute("BEGIN")
        for number in range(20_000):
            database.execute(
                "INSERT INTO grp (digest, record, record_sha256, weights_file, width) SELECT ?, record, record_sha256, "
                "weights_file, width FROM grp WHERE id = 1",
                (f"{number:016x}",),
            )
        database.execute("COMMIT")
    assert (tmp_path / "runs" / "runs.db").stat().st_size > 30 << 20
    keep_runs(tmp_path, range(1, 2), replace(SPEC, recipe=replace(SPEC.recipe, batch_size=7)))
    assert list_seeds(tmp_path) == [0, 1]
    assert np.array_equal(cs.load_weights_matrix(tmp_path).seeds, [0, 1])
