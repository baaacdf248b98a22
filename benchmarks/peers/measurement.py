"""Parse the arguments of a peer script, time it, and print its one JSON object: the part that all peers share."""

import argparse
import json
import platform
import resource
from importlib.metadata import version
from time import perf_counter
from typing import Any

IMAGES = 60_000
BATCH = 128
STEPS = 469  # in an epoch; the last has 96 images


def arguments(description: str | None, **defaults: Any) -> argparse.Namespace:
    """Parse the command line; `defaults` are the options beside --threads, each with its default."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=2)
    for name, default in defaults.items():
        flag = f"--{name.replace('_', '-')}"
        parser.add_argument(flag, type=type(default), default=default, help=f"(default: {default})")
    return parser.parse_args()


def seconds_of(work: Any, times: int) -> list[float]:
    """Measure the seconds of each of `times` calls of `work`, which must return only when it is done."""
    seconds = []
    for _ in range(times):
        start = perf_counter()
        work()
        seconds.append(perf_counter() - start)
    return seconds


def report(seconds: list[float], *, packages: list[str], threads: int, configuration: str, **more: Any) -> None:
    """Print the measurement as one JSON object: the `seconds` of each repetition, and how they were measured."""
    print(
        json.dumps(
            {
                "seconds": seconds,
                "versions": {"python": platform.python_version(), **{name: version(name) for name in packages}},
                "threads": threads,
                "configuration": configuration,
                "peak_memory_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
                **more,
            }
        )
    )
