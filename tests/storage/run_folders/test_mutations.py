"""Every file of a run is changed anywhere: each reader works or raises a `ConvscopeError`, in bounded memory.

The suite tries a part of all changes, drawn from a fixed seed for each file; `CONVSCOPE_MUTATIONS=1000000` tries all.
"""

import io
import json
import os
import random
import resource
import shutil
import signal
import sqlite3
import struct
import traceback
import zipfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from convscope.base.errors import ConvscopeError
from convscope.data.datasets import Splits, load_dataset
from convscope.evidence.comparison.predictions_file import read_labels_and_predictions
from convscope.evidence.evaluating import evaluate
from convscope.experiment.store import RunStore
from convscope.prediction import predict
from convscope.report.evidence import render_evidence
from convscope.runs.jobs import read_options
from convscope.runs.seeds import make_run_spec
from convscope.runs.topics import TOPICS, read_topics
from convscope.runs.tracking.run import read_results, read_run
from convscope.service import load_served
from convscope.storage import load_model, open_run

from .conftest import invoke

MAX_CHANGES = int(os.environ.get("CONVSCOPE_MUTATIONS", "2"))  # changes tried of each file
_BYTES = 1 << 30  # memory that a reader may take in addition to the process's own
_SECONDS = 300  # time limit for one change

_MARK = "\N{SNOWMAN}"  # a value that occurs nowhere else, replaced by a text after encoding
# JSON texts that replace values of all types.
_TEXTS = (
    "null", "true", "0", "-1", "0.5", "9223372036854775807", "-9223372036854775808", "1e300", "1e400", f"1{'0' * 400}",
    "NaN", '""', '"x"', f'"{"long " * 20_000}"', '"\\ud800"', "[]", "[0]", "{}", '{"x": {"x": 0}}',
    "[" * 60 + "]" * 60, "[" * 5000 + "]" * 5000,
)  # fmt: skip


def list_paths(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the path of keys to each value in `value`; of a list, only to its first and its last item."""
    yield path
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from list_paths(inner, (*path, key))
    elif isinstance(value, list):
        for index in sorted({0, len(value) - 1} if value else ()):
            yield from list_paths(value[index], (*path, index))


def change_json(value: Any, seed: str) -> Iterator[tuple[str, str]]:
    """Yield descriptions of random changes of `value`, and its JSON text after each change alone."""
    every_change = [(path, text) for path in list_paths(value) if path for text in (*_TEXTS, None)]
    for path, text in random.Random(seed).sample(every_change, min(MAX_CHANGES, len(every_change))):
        changed = json.loads(json.dumps(value))
        part = changed
        for key in path[:-1]:
            part = part[key]
        if text is None:
            del part[path[-1]]
        else:
            part[path[-1]] = _MARK
        whole = json.dumps(changed, ensure_ascii=False).replace(f'"{_MARK}"', text or "")
        yield f"{'/'.join(map(str, path))} = {'(deleted)' if text is None else text[:30]}", whole


@contextmanager
def limit_resources() -> Iterator[None]:
    """Let a reader raise `MemoryError` or `TimeoutError` beyond `_BYTES` more memory or `_SECONDS`."""
    taken = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    before = resource.getrlimit(resource.RLIMIT_AS)

    def raise_timeout(*_: object) -> None:
        raise TimeoutError

    handler = signal.signal(signal.SIGALRM, raise_timeout)
    resource.setrlimit(resource.RLIMIT_AS, (taken + _BYTES, before[1]))
    signal.alarm(_SECONDS)
    try:
        yield
    finally:
        signal.alarm(0)
        resource.setrlimit(resource.RLIMIT_AS, before)
        signal.signal(signal.SIGALRM, handler)


def _run_command(*words: object) -> None:
    completed = invoke(*words)
    if completed.exception is not None and not isinstance(completed.exception, SystemExit):
        raise completed.exception
    assert completed.exit_code in (0, 1), completed.output
    assert len(completed.stderr) < 5000, completed.stderr[:200]


class Readers:
    """All readers of a run's files, each to be called with a changed file."""

    def __init__(self, run: Path) -> None:
        self.run = run
        folder = open_run(run)
        self.folder, self.model = folder, folder.load_model()
        self.splits: Splits = load_dataset(folder.record.dataset.argument)
        self.spec = make_run_spec(folder, folder.seed + 1)
        self.digest = self.spec.digest(self.splits)

    def of_record(self) -> None:
        _run_command("evaluate", self.run)
        _run_command("compare", self.run, self.run / "baseline")
        folder = open_run(self.run)
        read_options(folder)
        read_run(self.run)
        read_results(self.run)
        make_run_spec(folder, 1)

    def of_results(self) -> None:
        read_run(self.run)
        read_results(self.run)
        open_run(self.run).load_history()

    def of_evidence(self, topic: str) -> None:
        render_evidence(read_topics(self.folder, [topic], self.model))

    def of_model(self) -> None:
        model = load_model(self.run)
        str(model)
        try:
            evaluate(model, self.splits.test)
        except ValueError:  # the data are not the model's; the command names the file
            _run_command("evaluate", self.run)
        predict(model, np.full((40, 30, 1), 200, np.uint8))
        for served in load_served([str(self.run)]):
            str(served.version)

    def of_training(self) -> None:
        self.folder.load_state()
        dict(self.folder.load_snapshots())

    def of_stored(self) -> None:
        runs = self.run / "seeds" / "runs"
        result = RunStore(self.splits, runs).find(self.spec, self.digest)
        if result is None:  # the change made it another run, or damaged it
            return
        json.dumps(result.to_dict(), allow_nan=False)
        load_model(runs / self.digest)
        _run_command("compare", self.run, runs)
        shutil.rmtree(runs / self.digest, ignore_errors=True)
        open_run(runs / self.digest)

    def of_predictions(self) -> None:
        read_labels_and_predictions(
            self.folder.locate("predictions.npz"), len(self.splits.test), self.splits.test.num_classes
        )


def _json(path: Path) -> Any:
    return json.loads(path.read_text())


def _tensors(path: Path) -> tuple[Any, bytes]:
    """Read a safetensors file: the length of the header in 8 bytes, the header, and the rest."""
    content = path.read_bytes()
    (length,) = struct.unpack("<Q", content[:8])
    return json.loads(content[8 : 8 + length]), content[8 + length :]


def _change_file(path: Path, kind: str) -> Iterator[tuple[str, bytes]]:
    """Yield descriptions of changes of the file at `path`, and its bytes after each change alone.

    A safetensors file has three kinds: its header (JSON), in it the description of the model (JSON), and the numbers.
    """
    if kind == "lines":
        rows = [json.loads(line) for line in path.read_text().splitlines()]
        for what, text in change_json(rows[0], path.name):
            yield what, "\n".join([text, *map(json.dumps, rows[1:])]).encode()
    elif kind == "json":
        for what, text in change_json(_json(path), path.name):
            yield what, text.encode("utf-8", "surrogatepass")
    elif kind == "header":
        header, rest = _tensors(path)
        for what, text in change_json(header, path.name):
            yield what, struct.pack("<Q", len(text.encode())) + text.encode() + rest
    elif kind == "description":
        header, rest = _tensors(path)
        for what, text in change_json(json.loads(header["__metadata__"]["convscope"]), path.name):
            whole = json.dumps({**header, "__metadata__": {"convscope": text}}).encode()
            yield what, struct.pack("<Q", len(whole)) + whole + rest
    elif kind == "database":
        yield from _change_database(path)
    elif kind == "rows":
        content = path.read_bytes()  # .npy: 8 bytes, the length of a text (2 bytes), the text of 118, and the numbers
        for length in (0, 5, 127, 128, len(content) - 1):
            yield f"{length} bytes", content[:length]
        for shape in ("(1000000000000, 1)", "()", "(-1,)", "(0, 0)", "None", "(" * 100):
            yield f"shape {shape}", content[:8] + struct.pack("<H", 118) + shape.encode().ljust(118) + content[128:]
    elif kind == "numbers":
        header, rest = _tensors(path)
        for value in (np.nan, np.inf, 3e38, -3e38, 1e-45):
            numbers = np.frombuffer(rest, "<f4").copy()
            numbers[:: 1 if abs(value) < 1 else 7] = value  # all are tiny, or each seventh is huge or no number
            whole = json.dumps(header).encode()
            yield f"weights = {value}", struct.pack("<Q", len(whole)) + whole + numbers.tobytes()
    else:
        yield from _change_archive(path)


def _change_archive(path: Path) -> Iterator[tuple[str, bytes]]:
    with np.load(path) as arrays:
        kept = dict(arrays)
    y_true = kept["y_true"]
    others: dict[str, Any] = {
        "of floats": y_true.astype(np.float64), "of text": y_true.astype("U1"),
        "of wide numbers": y_true.astype(np.uint64) + 2**63, "negative": y_true - 9, "large": y_true + 9,
        "short": y_true[1:], "empty": y_true[:0], "of a plane": y_true[None],
    }  # fmt: skip
    for what, array in others.items():
        for name in ("y_true", "y_pred"):
            buffer = io.BytesIO()
            np.savez(buffer, **{**kept, name: array})
            yield f"{name} {what}", buffer.getvalue()
    for header in (
        "{'descr': '<i8', 'fortran_order': False, 'shape': (1000000000000,), }",
        "{'descr': '|O', 'fortran_order': False, 'shape': (60,), }",
        "{'descr': '<i8', 'fortran_order': False, 'shape': (-60,), }",
        "{'descr': 5, 'fortran_order': 'x', 'shape': None, }",
        "[" * 5000,
    ):
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
            text = header.ljust(117) + "\n"
            start = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text.encode()
            archive.writestr("y_true.npy", start + bytes(60 * 8))  # 60 labels of 8 bytes
        yield f"header {header[:40]}", buffer.getvalue()


def _change_database(path: Path) -> Iterator[tuple[str, bytes]]:
    """Yield changes of a database: values of columns, random bytes anywhere and in page headers, and its length."""
    content, stream = path.read_bytes(), random.Random(path.name)
    values = ["NULL", "0", "-1", "9223372036854775807", "1e300", "9e999", "'x'", "''", "x'00ff'", "zeroblob(100000)"]
    with closing(sqlite3.connect(path)) as database:
        tables = [name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        columns = [(table, row[1]) for table in tables for row in database.execute(f"PRAGMA table_info({table})")]
    every_change = [(table, column, value) for table, column in columns for value in values]
    for table, column, value in stream.sample(every_change, min(8 * MAX_CHANGES, len(every_change))):
        with closing(sqlite3.connect(":memory:")) as database:
            database.deserialize(content)
            database.execute("PRAGMA journal_mode = MEMORY")
            with suppress(sqlite3.IntegrityError), database:
                database.execute(f"UPDATE {table} SET {column} = {value}")
            yield f"{table}.{column} = {value}", database.serialize()
    for _ in range(8 * MAX_CHANGES):
        changed = bytearray(content)
        for _ in range(stream.choice((1, 1, 4, 64))):
            changed[stream.randrange(len(changed))] = stream.randrange(256)
        yield f"bytes {sum(a != b for a, b in zip(changed, content, strict=True))}", bytes(changed)
    for _ in range(8 * MAX_CHANGES):  # changes of the headers of pages
        changed, page = bytearray(content), 4096 * stream.randrange(len(content) // 4096)
        changed[page + stream.randrange(100)] = stream.randrange(256)
        yield f"page {page // 4096}", bytes(changed)
    for length in (0, 5, 100, 512, 4096, len(content) // 2, len(content) - 1):
        yield f"{length} bytes", content[:length]


_RESULTS = ("evaluation", "comparison", "timings", "tracking")
# By name: the file, the kind of its changes, and its reader.
CASES: dict[str, tuple[str, str, Callable[[Readers], None]]] = {
    "run.json": ("run.json", "json", Readers.of_record),
    "run.json of the baseline": ("baseline/run.json", "json", Readers.of_record),
    "history.jsonl": ("history.jsonl", "lines", Readers.of_results),
    **{name: (f"{name}.json", "json", Readers.of_results) for name in _RESULTS},
    **{topic: (f"{topic}.json", "json", partial(Readers.of_evidence, topic=topic)) for topic in TOPICS},
    "model, description": ("model.safetensors", "description", Readers.of_model),
    "model, header": ("model.safetensors", "header", Readers.of_model),
    "model, numbers": ("model.safetensors", "numbers", Readers.of_model),
    "state, description": ("checkpoints/state.safetensors", "description", Readers.of_training),
    "state, header": ("checkpoints/state.safetensors", "header", Readers.of_training),
    "snapshot, description": ("checkpoints/epoch-0001.safetensors", "description", Readers.of_training),
    "predictions.npz": ("predictions.npz", "archive", Readers.of_predictions),
    "runs.db": ("seeds/runs/runs.db", "database", Readers.of_stored),
    "weights": ("seeds/runs/weights/WEIGHTS", "rows", Readers.of_stored),
}  # fmt: skip


@pytest.fixture(scope="module")
def readers(finished_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Readers:
    run = Path(shutil.copytree(finished_run, tmp_path_factory.mktemp("changed") / "run"))
    read_run(run)  # writes tracking.json
    return Readers(run)


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="only Linux states the memory of a process there")
@pytest.mark.filterwarnings("ignore")  # NumPy warns of numbers that are out of range, but can be shown
@pytest.mark.parametrize("case", CASES)
def test_a_changed_file_is_read_or_refused_with_a_convscope_error(readers: Readers, case: str):
    name, kind, read = CASES[case]
    [weights] = (readers.run / "seeds" / "runs" / "weights").glob("cnn-*.npy")
    path = readers.run / name.replace("WEIGHTS", weights.name)
    content, failed = path.read_bytes(), list[str]()
    read(readers)  # the unchanged file
    try:
        for what, changed in _change_file(path, kind):
            path.write_bytes(changed)
            try:
                with limit_resources():
                    read(readers)
            except ConvscopeError:
                pass
            except Exception as error:
                last = traceback.extract_tb(error.__traceback__)[-1]
                origin = f"{Path(last.filename).name}:{last.lineno}"
                failed.append(f"{what}: {type(error).__name__}: {str(error)[:100]} ({origin})")
    finally:
        path.write_bytes(content)
    assert not failed, "\n".join(failed)
