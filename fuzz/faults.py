"""Interrupt training jobs at random moments, and on a disk that fills up, and check that nothing is lost.

    python fuzz/faults.py [--kills 300] [--signals 50] [--full-disks 50] [--failures 0] [--seed 0] [--jobs train run]

Each trial starts a job in a folder of its own, stops it, and starts it again as its message or the documentation says.
It must then end with the results of a job that nobody interrupted, bit for bit, leave nothing in TMPDIR, and print no
traceback. What the interrupted job announced as finished must not be trained again. A failed trial is printed with the
command that repeats it, and its folder is kept.

A failure is a single write, fsync or rename that ends with an error; then the disk works again. In a small experiment,
each such call fails in a trial of its own; with `--failures`, that many calls of all jobs do. While a job with stored
runs is interrupted and continued, a reader keeps opening them and must never meet damage.
"""

import argparse
import contextlib
import json
import os
import random
import re
import shlex
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import convscope as cs
from convscope.storage import StoredRuns

HERE = Path(__file__).parent
INTERRUPTIONS = ("SIGKILL", "SIGTERM", "SIGINT", "full disk", "failure")
EXIT_CODES = {"SIGKILL": -signal.SIGKILL, "SIGTERM": 128 + signal.SIGTERM, "SIGINT": 1, "full disk": 1, "failure": 1}
# Results that differ between two runs of the same job.
TIMED = re.compile(r"seconds|command")
# A job prints this line when it stores a run. A job that continues it prints the line again, with the same seconds.
KEPT_RUN = re.compile(r"^run \d+ of \d+, (?P<run>.*?): accuracy .*?, trained in (?P<seconds>[\d.]+) s", re.MULTILINE)
TIMEOUT_SECONDS = 600


@dataclass(frozen=True)
class Job:
    """A command, the files that hold its results, and the arguments that continue it in the folder `out`."""

    arguments: tuple[str, ...]
    results: tuple[str, ...]
    continue_arguments: Callable[[Path], list[str]] | None = None  # None: the same command again

    def start_arguments(self, data: Path, out: Path) -> list[str]:
        threads = [] if self.arguments[0] == "sweep" else ["--threads", "1"]
        return [self.arguments[0], "--dataset", str(data), *self.arguments[1:], *threads, "--out", str(out)]


JOBS = {
    "train": Job(
        ("train", "--recipe", "classic", "--epochs", "8", "--batch-size", "32"),
        ("model.safetensors", "history.jsonl", "evaluation.json", "predictions.npz"),
        lambda out: ["train", "--resume", str(out)],
    ),
    "run": Job(
        ("run", "--recipe", "fast", "--epochs", "3", "--seeds", "2"),
        ("model.safetensors", "baseline/model.safetensors", "evaluation.json", "ablation.json", "seeds.json"),
        lambda out: ["run", "--resume", str(out)],
    ),
    "sweep": Job(
        ("sweep", "--recipe", "fast", "--vary", "learning_rate=0.001..0.01", "--trials", "4", "--vary",
         "epochs=2"),
        ("architecture.json", "recipe.json"),
    ),
    "experiment": Job(
        ("experiment", "--architecture", "tiny697", "--architecture", "ann", "--recipe", "fast", "--epochs", "2",
         "--seeds", "3"),
        ("runs.csv",),
    ),
    "experiment-local": Job(
        ("experiment", "--architecture", "tiny697", "--recipe", "fast", "--epochs", "2", "--seeds", "4", "--executor",
         "local:2"),
        ("runs.csv",),
    ),
    "sweep-local": Job(
        ("sweep", "--recipe", "fast", "--vary", "filters=8,16", "--trials", "4", "--vary", "epochs=2",
         "--executor", "local:2"),
        ("architecture.json", "recipe.json"),
    ),
    "two-runs": Job(
        ("experiment", "--architecture", "tiny697", "--recipe", "fast", "--epochs", "1", "--seeds", "2"),
        ("runs.csv",),
    ),
}  # fmt: skip
EACH_CALL_FAILS = "two-runs"
BY_DEFAULT = tuple(name for name in JOBS if name != EACH_CALL_FAILS)


@dataclass(frozen=True)
class Trial:
    """One interruption of one job: its moment is a fraction of the job's seconds, or of its writes."""

    number: int
    job: str
    interruption: str
    moment: float
    to_group: bool  # a terminal signals the whole process group, a service manager the process

    def __str__(self) -> str:
        group = ", the whole group" if self.to_group else ""
        return f"trial {self.number}: {self.job}, {self.interruption} at {self.moment:.0%}{group}"


@dataclass(frozen=True)
class Reference:
    """The results of a job that nobody interrupts."""

    results: dict[str, Any]
    seconds: float
    writes: int  # the number of writes that need space
    calls: int  # writes, fsyncs and renames; each can fail once


class TrialError(Exception):
    """An interrupted job did something wrong."""


def main() -> int:
    """Run the trials; return 0 if every trial ended as it should."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=300, help="trials with SIGKILL")
    parser.add_argument("--signals", type=int, default=50, help="trials with SIGTERM, and as many with SIGINT")
    parser.add_argument("--full-disks", type=int, default=50, help="trials on a disk that fills up")
    parser.add_argument("--failures", type=int, help="trials with a single call that fails")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", nargs="+", choices=JOBS, default=BY_DEFAULT)
    parser.add_argument("--only", type=int, help="number of the only trial to run")
    parser.add_argument("--processes", type=int, default=os.cpu_count())
    parser.add_argument("--folder", type=Path, default=Path("build/faults"))
    options = parser.parse_args()
    folder = options.folder.resolve()
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    library = compile_failing_disk(folder)
    data = write_data(folder / "data.npz")
    jobs = [*options.jobs, EACH_CALL_FAILS] if options.failures is None else options.jobs
    references = {name: measure_reference(name, data, folder / f"reference-{name}", library) for name in jobs}
    for name, reference in references.items():
        print(f"{name}: {reference.seconds:.1f} s, {reference.calls} writes, fsyncs and renames", flush=True)
    numbers = options.kills, options.signals, options.signals, options.full_disks, options.failures or 0
    trials = draw_trials(dict(zip(INTERRUPTIONS, numbers, strict=True)), options.jobs, options.seed)
    if options.failures is None:
        calls = references[EACH_CALL_FAILS].calls
        moments = [(call + 0.5) / calls for call in range(calls)]
        trials += [Trial(len(trials) + n, EACH_CALL_FAILS, "failure", at, False) for n, at in enumerate(moments)]
    if options.only is not None:
        trials = [trials[options.only]]

    def run(trial: Trial) -> str:
        return run_trial(trial, references[trial.job], data, folder / f"{trial.number:04}", library)

    with ThreadPoolExecutor(options.processes) as pool:
        failures = 0
        for trial, failure in zip(trials, pool.map(run, trials), strict=True):
            if failure:
                failures += 1
                arguments = [*sys.argv[1:], "--only", str(trial.number)]
                print(f"{trial}\n{failure}\nTo repeat it: fuzz/faults.py {shlex.join(arguments)}", flush=True)
    print(f"{len(trials) - failures} passed, {failures} failed")
    return int(failures > 0)


def draw_trials(counts: dict[str, int], jobs: list[str], seed: int) -> list[Trial]:
    """Draw the trials: the jobs take turns, the moments are uniform over each job's length."""
    generator = random.Random(seed)
    kinds = [interruption for interruption in INTERRUPTIONS for _ in range(counts[interruption])]
    return [
        Trial(number, jobs[number % len(jobs)], interruption, generator.random(), generator.random() < 0.5)
        for number, interruption in enumerate(kinds)
    ]


def write_data(path: Path) -> Path:
    """Write a small part of MNIST, so that a job takes seconds."""
    data = cs.load_dataset("mnist")
    np.savez(
        path,
        x_train=data.train.images[:1200, ..., 0],
        y_train=data.train.labels[:1200],
        x_test=data.test.images[:300, ..., 0],
        y_test=data.test.labels[:300],
    )
    return path


def compile_failing_disk(folder: Path) -> Path:
    """Compile the library that lets writes fail, and return its path."""
    library = folder / "failing_disk.so"
    compiler = os.environ.get("CC", "cc")
    subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-o", library, HERE / "failing_disk.c", "-ldl"], check=True)
    return library


def measure_reference(name: str, data: Path, folder: Path, library: Path) -> Reference:
    """Run a job to its end, without interruptions."""
    job, counts = JOBS[name], list[int]()
    environment, seconds = prepare(folder), 0.0
    for once in (False, True):
        out = folder / ("once" if once else "out")
        counting = environment | failing_disk(folder, library, once=once)
        start = time.monotonic()
        subprocess.run(
            convscope(job.start_arguments(data, out)), env=counting, check=True, capture_output=True, text=True
        )
        seconds = time.monotonic() - start
        counts.append(int.from_bytes((folder / "counter").read_bytes(), sys.byteorder))
    return Reference(read_results(job, out), seconds, *counts)


def run_trial(trial: Trial, reference: Reference, data: Path, folder: Path, library: Path) -> str:
    """Interrupt a job and continue it; return what went wrong, or an empty text."""
    job, out = JOBS[trial.job], folder / "out"
    environment = prepare(folder)
    command = convscope(job.start_arguments(data, out))
    try:
        if trial.interruption in ("full disk", "failure"):
            once = trial.interruption == "failure"
            number = int(trial.moment * (reference.calls if once else reference.writes))
            faulty = environment | failing_disk(folder, library, number, once=once)
            with reading(out):
                first = subprocess.run(command, env=faulty, capture_output=True, text=True, timeout=TIMEOUT_SECONDS)
        else:
            with reading(out):
                first = interrupt(command, environment, trial, trial.moment * reference.seconds)
        signal_number = getattr(signal, trial.interruption, 0)
        has_ended = first.returncode == -signal_number and has_results(job, out, reference)
        if not has_ended:  # the signal came while Python was on its way out
            check_end(trial, first, folder)
        has_begun = job.continue_arguments is not None and (out / "run.json").exists()
        again = convscope(job.continue_arguments(out)) if has_begun and job.continue_arguments else command
        with reading(out):
            second = subprocess.run(again, env=environment, capture_output=True, text=True, timeout=TIMEOUT_SECONDS)
        is_finished = first.returncode == 0 or has_ended or (out / "DONE").exists()
        if second.returncode != 0 and not (is_finished and "finished" in second.stderr):
            raise TrialError(f"continuing it ended with {second.returncode}:\n{second.stderr}")
        check_repeated(first.stdout + first.stderr, second.stdout + second.stderr)
        if read_results(job, out) != reference.results:
            raise TrialError("its results differ from those of a job that was not interrupted")
        check_leftovers(folder)
    except (TrialError, subprocess.TimeoutExpired, OSError, ValueError, KeyError) as error:
        return f"{type(error).__name__}: {error} ({folder})"
    shutil.rmtree(folder)
    return ""


def convscope(arguments: list[str]) -> list[str]:
    """Make a command of convscope's arguments."""
    return [sys.executable, "-m", "convscope", *arguments]


def prepare(folder: Path) -> dict[str, str]:
    """Make a trial's folder with a TMPDIR, and return the environment of its processes."""
    (folder / "tmp").mkdir(parents=True)
    return os.environ | {"TMPDIR": str(folder / "tmp"), "PYTHONDONTWRITEBYTECODE": "1", "OMP_NUM_THREADS": "1"}


@contextlib.contextmanager
def reading(out: Path) -> Iterator[None]:
    """Read all stored runs in `out` again and again while the block runs; raise the reader's first error."""
    stop, errors = threading.Event(), list[str]()

    def read() -> None:
        while not stop.wait(0.05) and not errors:
            for runs in (out / "runs", out / "seeds" / "runs"):
                try:
                    stored = StoredRuns(runs)
                    for run in stored.runs(errors.append):
                        stored.model(run)
                except Exception as error:
                    errors.append(f"{type(error).__name__}: {error}")

    reader = threading.Thread(target=read)
    reader.start()
    try:
        yield
    finally:
        stop.set()
        reader.join()
    if errors:
        raise TrialError(f"a reader meanwhile: {errors[0]}")


def failing_disk(folder: Path, library: Path, from_write: int | None = None, *, once: bool = False) -> dict[str, str]:
    """Make a counter, and return the environment in which writes are counted and fail.

    Args:
        from_write: the first write that fails; None for none.
        once: True if only this call fails, False if all later ones do too.
    """
    counter = folder / "counter"
    counter.write_bytes(bytes(8))
    settings = {"FAILING_DISK_FOLDER": f"{folder}/", "FAILING_DISK_COUNTER": str(counter), "LD_PRELOAD": str(library)}
    settings |= {"FAILING_DISK_ONCE": "1"} if once else {}
    return settings if from_write is None else settings | {"FAILING_DISK_FROM": str(from_write)}


def interrupt(
    command: list[str], environment: dict[str, str], trial: Trial, seconds: float
) -> subprocess.CompletedProcess[str]:
    """Start a process group, signal it after some seconds, and wait until all of it has ended."""
    process = subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    if trial.interruption != "SIGKILL":
        wait_for_handlers(process)  # before, Python itself ends the process, and prints a traceback at SIGINT
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(seconds)
    with contextlib.suppress(ProcessLookupError):
        send = os.killpg if trial.to_group else os.kill
        send(process.pid, signal.Signals[trial.interruption])
    # Workers hold the pipes, so this also waits for them.
    output, errors = process.communicate(timeout=TIMEOUT_SECONDS)
    return subprocess.CompletedProcess(command, process.returncode, output, errors)


def wait_for_handlers(process: subprocess.Popen[str]) -> None:
    """Wait until a process handles SIGTERM, or has ended."""
    status = Path(f"/proc/{process.pid}/status")
    while process.poll() is None:
        caught = next(line for line in status.read_text().splitlines() if line.startswith("SigCgt:"))
        if int(caught.split()[1], 16) >> (signal.SIGTERM - 1) & 1:
            return
        time.sleep(0.005)


def check_end(trial: Trial, first: subprocess.CompletedProcess[str], folder: Path) -> None:
    """Raise a TrialError unless an interrupted job ended with its stated code and message, or had ended before."""
    if "Traceback" in first.stderr or "Exception ignored" in first.stderr:
        raise TrialError(f"a traceback:\n{first.stderr}")
    if first.returncode == 0:
        return
    if first.returncode == EXIT_CODES[trial.interruption]:
        errors = [line for line in first.stderr.splitlines() if line.startswith("Error: ")]
        if trial.interruption != "SIGKILL":
            if len(errors) != 1 or errors[0] != first.stderr.splitlines()[-1]:
                raise TrialError(f"not one line that says what happened:\n{first.stderr}")
            check_leftovers(folder)
    else:
        raise TrialError(f"ended with {first.returncode}:\n{first.stderr}")


def check_repeated(first: str, second: str) -> None:
    """Raise a TrialError if a run that was kept is trained again, which takes other seconds."""
    before, after = ({match["run"]: match["seconds"] for match in KEPT_RUN.finditer(text)} for text in (first, second))
    if again := [run for run, seconds in before.items() if after.get(run, seconds) != seconds]:
        raise TrialError(f"trained again: {', '.join(again)}")


def check_leftovers(folder: Path) -> None:
    """Raise a TrialError if TMPDIR or the job's folder has temporary files."""
    if leftovers := [*(folder / "tmp").iterdir(), *folder.glob("out/**/*.partial")]:
        raise TrialError(f"left behind: {', '.join(map(str, leftovers))}")


def has_results(job: Job, out: Path, reference: Reference) -> bool:
    """True if a job's folder has all results."""
    return all((out / name).exists() for name in job.results) and read_results(job, out) == reference.results


def read_results(job: Job, out: Path) -> dict[str, Any]:
    """Read a job's results by file."""
    return {name: read_result(out / name) for name in job.results}


def read_result(path: Path) -> Any:
    """Read a file of results without the values that differ between two runs of the same job."""
    if path.suffix == ".safetensors":
        return cs.load_model(path.parent).weights_sha256
    if path.suffix == ".npz":
        with np.load(path) as arrays:
            return {name: arrays[name].tobytes() for name in arrays.files}
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".csv":
        header, *rows = [line.split(",") for line in text.splitlines()]
        kept = [column for column, name in enumerate(header) if not TIMED.search(name)]
        return sorted([row[column] for column in kept] for row in rows)
    if path.suffix == ".jsonl":
        return [without_times(json.loads(line)) for line in text.splitlines()]
    return without_times(json.loads(text))


def without_times(value: Any) -> Any:
    """Copy a JSON value without keys that differ between two runs."""
    if isinstance(value, dict):
        return {key: without_times(item) for key, item in value.items() if not TIMED.search(key)}
    return [without_times(item) for item in value] if isinstance(value, list) else value


if __name__ == "__main__":
    sys.exit(main())
