"""Helpers of many tests: commands and their JSON, files made once for all processes, evidence without slow parts."""

import fcntl
import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache, partial
from importlib.resources import files
from io import BytesIO
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest
from click.testing import CliRunner, Result
from msgspec import convert
from numpy.typing import NDArray
from PIL import Image

from convscope.base.packing import Packed
from convscope.cli import main
from convscope.evidence.rejection import measure_rejection
from convscope.evidence.robustness import measure_attacks
from convscope.runs import page, seeds, topics


def unpack(block: dict[str, Any]) -> NDArray[Any]:
    """Unpack an array from plain JSON."""
    packed: Packed = convert(block, Packed)
    return packed.unpack()


def invoke(*arguments: object) -> Result:
    """Run a command in this process; check its JSON, if it prints some, against the schema of the command."""
    words = [str(argument) for argument in arguments]
    completed = CliRunner().invoke(main, words)
    if "--json" in words and completed.exit_code == 0:
        check_output(" ".join(words[: 2 if words[0] == "data" else 1]), json.loads(completed.stdout))
    return completed


def succeed(*arguments: object) -> Any:
    """Run a command that exits with 0; return what it printed, with `--json` as a value."""
    completed = invoke(*arguments)
    assert completed.exit_code == 0, completed.output
    return json.loads(completed.stdout) if "--json" in arguments else completed.stdout


def check_output(command: str, printed: Any) -> None:
    """Raise `jsonschema.ValidationError` unless `printed` matches the schema of `command --json`."""
    schema = output_schema()
    reference = {"$ref": f"#/$defs/{command.replace(' ', '%20')}", "$defs": schema["$defs"]}
    jsonschema.Draft202012Validator(reference).validate(printed)


@cache
def output_schema() -> dict[str, Any]:
    return json.loads(files("convscope.cli").joinpath("output.schema.json").read_text(encoding="utf-8"))


def encode_picture(image: Image.Image | np.ndarray, kind: str = "PNG", **options: object) -> bytes:
    """Return a picture, or an array of pixels, as the bytes of a file."""
    content = BytesIO()
    (Image.fromarray(image) if isinstance(image, np.ndarray) else image).save(content, kind, **options)
    return content.getvalue()


def assert_refused_wherever_it_ends(
    path: Path, read: Callable[[Path], object], error: type[Exception], step: int, match: str | None = None
) -> None:
    """Cut a file short after every `step` bytes, and check that `read` refuses it each time."""
    content = path.read_bytes()
    for end in range(0, len(content), step):
        path.write_bytes(content[:end])
        with pytest.raises(error, match=match):
            read(path)


def make_once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], None]) -> Path:
    """Return a folder that `make` fills, once for all processes of a test run. Tests only read it.

    The first process that asks fills the folder under a lock; the others wait for it.
    """
    base = factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "made" / name
    folder.parent.mkdir(exist_ok=True)
    with folder.with_name(f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        completed = folder.with_name(f"{name}.done")
        if not completed.exists():
            shutil.rmtree(folder, ignore_errors=True)  # the folder of a process that failed
            folder.mkdir()
            make(folder)
            completed.touch()
    return folder


@contextmanager
def bare_reports() -> Iterator[None]:
    """Write reports without evidence: none is measured for a report, and none that was measured before is drawn."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(page, "list_quick_topics", lambda _: ())
        patch.setattr(page, "TOPICS", {})
        patch.setattr(page, "render_evidence", lambda evidence: [None for _ in evidence])
        yield


@contextmanager
def empty_reports() -> Iterator[None]:
    """Write empty reports, for tests that read none: drawing a page takes most of a short command's time."""
    with bare_reports(), pytest.MonkeyPatch.context() as patch:
        patch.setattr(page, "write_report", write_empty_report)
        yield


def write_empty_report(folder: Path, _: object) -> Path:
    (folder / "report.html").write_text("")
    return folder / "report.html"


@contextmanager
def all_seeds() -> Iterator[None]:
    """Train as many seeds as on a fast machine, however long they take."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(seeds, "_MAX_FURTHER_SECONDS", 1e6)
        yield


@contextmanager
def small_evidence() -> Iterator[None]:
    """Let `convscope report RUN all` use few steps for attacks and few out-of-distribution images for the rejection.

    Other tests check the strength of attacks and the quality of the rejection.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(topics, "measure_attacks", partial(measure_attacks, steps=5, restarts=1))
        patch.setattr(topics, "measure_rejection", partial(measure_rejection, max_images=60))
        yield
