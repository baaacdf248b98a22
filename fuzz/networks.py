"""Compute random networks by the compiled engine under AddressSanitizer and UBSan, and compare them with the reference.

    python fuzz/networks.py [--count 10000] [--seed 1] [--first 0] [--sets avx512 avx2 sse2 amx_bf16]

Case n of a seed is a network around the n-th ordered triple of layer kinds (network_cases.py). The engine trains it,
predicts, and computes gradients, ablations and augmented images (network_checks.py). Every instruction set computes
all `--count` cases, the sets for bfloat16 in bfloat16, and the reference computes each case once; as many processes run
as there are cores. A case that fails is printed with the command that repeats it.
"""

import argparse
import itertools
import json
import os
import shutil
import subprocess
import sys
import sysconfig
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import Any

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))  # before the imports below: `tests` has the generator

from tests.random_networks import kind_sequences  # noqa: E402

from convscope.engine.processor import instruction_sets  # noqa: E402

BUILD = HERE.parent / "build" / "networks"
FLAGS = "-fsanitize=address,undefined -fno-sanitize=vptr -fno-sanitize-recover=all -fno-omit-frame-pointer -g1"
CHUNK = 250  # cases a process: the interpreter starts slowly under the sanitizers
MAX_FAILURES = 10  # then no further cases are started

_tallying = Lock()


@dataclass
class Tally:
    """The results of a set's cases so far."""

    instruction_set: str
    done: int = 0
    failed: list[int] = field(default_factory=list)
    pairs: Counter[tuple[str, ...]] = field(default_factory=Counter)
    triples: Counter[tuple[str, ...]] = field(default_factory=Counter)
    worst: dict[str, float] = field(default_factory=dict)
    compared: int = 0
    ill_conditioned: int = 0

    @property
    def precision(self) -> str:
        """The type in which the set computes."""
        return "bfloat16" if self.instruction_set in instruction_sets("bfloat16") else "float32"

    def add(self, line: dict[str, Any]) -> None:
        """Count a worker's findings about a case."""
        self.done += 1
        self.compared += line["compared"]
        self.ill_conditioned += line["ill_conditioned"]
        for step, difference in line["worst"].items():
            self.worst[step] = max(self.worst.get(step, 0.0), difference)
        kinds = line["kinds"]
        self.pairs.update(itertools.pairwise(kinds))
        self.triples.update(zip(kinds, kinds[1:], kinds[2:], strict=False))

    def __str__(self) -> str:
        pairs, triples = kind_sequences(2), kind_sequences(3)
        worst = ", ".join(f"{step} {difference:.1e}" for step, difference in sorted(self.worst.items()))
        return (
            f"{self.instruction_set}, {self.precision}: {self.done:,} networks, {len(self.failed)} failed\n"
            f"  {sum(pair in self.pairs for pair in pairs):,} of {len(pairs):,} ordered pairs and "
            f"{sum(triple in self.triples for triple in triples):,} of {len(triples):,} triples of layer kinds\n"
            f"  {self.compared:,} arrays compared, {self.ill_conditioned:,} of them ill-conditioned\n"
            f"  largest differences, of an array's largest number: {worst}"
        )


def main(arguments: list[str]) -> int:
    """Compare the cases; return 0 if no case failed and every ordered pair of kinds was among them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--first", type=int, default=0)
    usable = (*instruction_sets(), *instruction_sets("bfloat16"))
    parser.add_argument("--sets", nargs="+", default=list(usable), choices=usable)
    options = parser.parse_args(arguments)
    module = build_module()
    tallies = {name: Tally(name) for name in options.sets}
    end, start = options.first + options.count, time.monotonic()
    chunks = [(first, min(CHUNK, end - first)) for first in range(options.first, end, CHUNK)]
    processes = min(len(os.sched_getaffinity(0)), len(chunks))
    with ThreadPoolExecutor(processes) as pool:
        list(pool.map(lambda chunk: run_chunk(module, tallies, options.seed, *chunk), chunks))
    print(f"{options.count:,} networks of seed {options.seed} in {time.monotonic() - start:.0f} s, {processes} at once")
    print(*tallies.values(), sep="\n")
    missing = [pair for tally in tallies.values() for pair in kind_sequences(2) if pair not in tally.pairs]
    if missing and options.count >= len(kind_sequences(2)):
        print(f"no network had {' before '.join(missing[0])}")
        return 1
    return 1 if any(tally.failed for tally in tallies.values()) else 0


def build_module() -> Path:
    """Build the engine's module for this interpreter under the sanitizers; unchanged parts are not built again."""
    start = time.monotonic()
    settings = {
        "build-dir": str(BUILD),
        "install.strip": "false",
        "cmake.build-type": "Debug",  # with assertions
        "cmake.define.CMAKE_CXX_COMPILER": "g++",
        "cmake.define.CMAKE_CXX_FLAGS": FLAGS,
        "cmake.define.CONVSCOPE_OPTIMIZATION": "-O1",
        "cmake.define.CMAKE_COMPILE_WARNING_AS_ERROR": "ON",  # the same flags as run.sh, so that ccache compiles once
    }
    subprocess.run(
        [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--upgrade", "--target", BUILD / "module"]
        + [f"--config-settings={name}={value}" for name, value in settings.items()]
        + [HERE.parent],
        check=True,
    )
    print(f"built the engine under the sanitizers in {time.monotonic() - start:.0f} s", flush=True)
    return BUILD / "module" / "convscope" / "engine" / f"_native{sysconfig.get_config_var('EXT_SUFFIX')}"


def run_chunk(module: Path, tallies: dict[str, Tally], seed: int, first: int, count: int) -> None:
    """Compute cases in processes of their own, and tally the findings of each set, also after a crash."""
    if sum(len(tally.failed) for tally in tallies.values()) >= MAX_FAILURES:
        return
    crashed = run_process(module, tallies, seed, first, count)
    if crashed is None:
        print(f"{max(tally.done for tally in tallies.values()):,} networks so far", flush=True)
        return
    number, name = crashed
    names = list(tallies)
    if later := names[names.index(name) + 1 :]:
        run_chunk(module, {name: tallies[name] for name in later}, seed, number, 1)
    if number + 1 < first + count:
        run_chunk(module, tallies, seed, number + 1, first + count - number - 1)


def run_process(module: Path, tallies: dict[str, Tally], seed: int, first: int, count: int) -> tuple[int, str] | None:
    """Compute cases in one process; return the number and the set at which it ended too early, None if it did not."""
    compiler = shutil.which("g++")
    assert compiler is not None
    preload = subprocess.run([compiler, "-print-file-name=libasan.so"], capture_output=True, text=True, check=True)
    environment = {
        **os.environ,
        "LD_PRELOAD": preload.stdout.strip(),
        # The interpreter has leaks of its own. The other two options save a fifth of the time.
        "ASAN_OPTIONS": "detect_leaks=0:malloc_context_size=8:quarantine_size_mb=64",
        "UBSAN_OPTIONS": "print_stacktrace=1",
        "OPENBLAS_NUM_THREADS": "1",
    }
    environment.pop("CONVSCOPE_ISA", None)
    errors = BUILD / f"errors-{first}.txt"
    with errors.open("w") as stderr:
        command = [sys.executable, HERE / "network_worker.py", module, ",".join(tallies)]
        number, name = first, next(iter(tallies))
        with subprocess.Popen(
            [*command, *map(str, (seed, first, count))],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
        ) as worker:
            assert worker.stdout is not None
            for text in worker.stdout:
                if text[0] != "{":
                    announced, name = text.split()
                    number = int(announced)
                    continue
                line = json.loads(text)
                with _tallying:
                    tallies[name].add(line)
                if line["failures"]:
                    report(tallies[name], seed, number, "\n".join([*line["failures"], json.dumps(line["case"])]))
    messages = errors.read_text()
    errors.unlink()
    if worker.returncode == 0:
        return None
    report(tallies[name], seed, number, f"the process ended with {worker.returncode}\n{messages[-8000:]}")
    return number, name


def report(tally: Tally, seed: int, number: int, failure: str) -> None:
    """Print a case that failed, and how to see it again."""
    tally.failed.append(number)
    command = f"--seed {seed} --first {number} --count 1 --sets {tally.instruction_set}"
    print(f'failed: make fuzz ARGS="networks {command}"\n{failure}', flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
