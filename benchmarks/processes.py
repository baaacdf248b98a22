"""Run a measurement in a process of its own and read what it prints.

Nothing heavy is imported here on purpose: a child's peak memory is at least what its parent held when it started it.
"""

import json
import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile
from time import perf_counter
from typing import Any

# Empty: Python keeps bytecode, as it does for users. Without it, it compiles every changed module each time.
QUIET = {"TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1", "PYTHONDONTWRITEBYTECODE": ""}


class MeasurementError(Exception):
    """A process failed, or printed something else than one JSON object."""


@dataclass(frozen=True)
class Finished:
    """A process that ended well.

    Attributes:
        seconds: the time from its start to its end.
        cpu_seconds: the processor time of it and its children, on all cores together.
        peak_memory_bytes: the peak memory of the largest single process among it and its children (where several are
            large at once, they together held more).
        output: the text that it wrote to stdout.
    """

    seconds: float
    cpu_seconds: float
    peak_memory_bytes: int
    output: str


def run(command: Sequence[str | Path], folder: Path, environment: Mapping[str, str] | None = None) -> Finished:
    """Run `command` in `folder` to its end.

    Raises:
        MeasurementError: if the command does not exist or fails; the message ends with its last line of stderr.
    """
    words = [str(word) for word in command]
    variables = {**os.environ, **QUIET, **(environment or {})}
    with TemporaryFile() as output, TemporaryFile() as errors:
        start = perf_counter()
        try:
            process = subprocess.Popen(words, cwd=folder, env=variables, stdout=output, stderr=errors)
        except OSError as error:
            raise MeasurementError(f"{_short(words)}: {error.strerror}; `make peers` installs the peers") from error
        try:
            _, status, usage = os.wait4(process.pid, 0)
        except BaseException:
            process.kill()
            process.wait()
            raise
        seconds = perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        errors.seek(0)
        said = errors.read().decode(errors="replace").strip()
        if process.returncode != 0:
            last = said.splitlines()[-1] if said else "it said nothing"
            raise MeasurementError(f"{_short(words)} failed ({process.returncode}): {last}")
        return Finished(seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024, output.read().decode())


def run_json(command: Sequence[str | Path], folder: Path) -> dict[str, Any]:
    """Run `command` and return the JSON object that it printed on its last line.

    Raises:
        MeasurementError: as `run` does, or if there is no such object.
    """
    lines = run(command, folder).output.strip().splitlines()
    try:
        value = json.loads(lines[-1])
    except (IndexError, ValueError) as error:
        raise MeasurementError(f"{_short(command)} printed no JSON: {lines[-1:]}") from error
    if not isinstance(value, dict):
        raise MeasurementError(f"{_short(command)} printed {value!r}, not an object")
    return value


def _short(command: Sequence[str | Path]) -> str:
    """Format a command without the folders of its words."""
    return " ".join(Path(word).name for word in command)
