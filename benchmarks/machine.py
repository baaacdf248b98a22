"""Describe the machine of a timing: processor, cores, instruction sets, load; and wait for a quiet moment."""

import os
import platform
import re
import time
from pathlib import Path
from typing import Any

NOTABLE = ("avx2", "fma", "avx512f", "avx512_vnni", "avx512_bf16", "amx_bf16", "asimd", "sve")

QUIET = 0.1  # the share of the processor that other programs may take


def describe() -> dict[str, Any]:
    """Describe the machine as plain JSON."""
    lines = _lines("/proc/cpuinfo")
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    flags = {flag for line in lines if line.startswith(("flags", "Features")) for flag in line.split(":")[1].split()}
    return {
        "processor": names[0] if names else platform.processor() or platform.machine(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "instruction_sets": [flag for flag in NOTABLE if flag in flags],
        "system": platform.platform(),
        "python": platform.python_version(),
    }


def load() -> list[float]:
    """Read the load averages of the last 1, 5 and 15 minutes."""
    return [round(value, 2) for value in os.getloadavg()]


def measure_busy_share(seconds: float = 1.0) -> float:
    """Measure the share of the processor that is taken during the next `seconds`; 0 if it is unknown."""
    before = ticks()
    time.sleep(seconds)
    total, idle = (now - then for now, then in zip(ticks(), before, strict=True))
    return 1 - idle / total if total else 0.0


def measure_others_share(start: tuple[int, int], own_seconds: float) -> float:
    """Measure the share of the processor that other programs took since `ticks` returned `start`; 0 if it is unknown.

    Args:
        own_seconds: the processor seconds that the measurement itself took.
    """
    total, idle = (now - then for now, then in zip(ticks(), start, strict=True))
    return max(1 - (idle + own_seconds * os.sysconf("SC_CLK_TCK")) / total, 0.0) if total else 0.0


def wait_until_quiet(limit_seconds: float) -> float:
    """Wait until other programs leave the processor alone, or the limit is over; return the share they took last."""
    end = time.monotonic() + limit_seconds
    while (share := measure_busy_share()) > QUIET and time.monotonic() < end:
        time.sleep(1)
    return share


def ticks() -> tuple[int, int]:
    """Read the ticks of the processor's clock since the machine started: (all, idle); zeros if they are unknown."""
    for line in _lines("/proc/stat"):
        if line.startswith("cpu "):
            ticks = [int(word) for word in line.split()[1:]]
            return sum(ticks), ticks[3] + ticks[4]
    return 0, 0


def _lines(path: str) -> list[str]:
    try:
        return Path(path).read_text().splitlines()
    except OSError:
        return []


def measure_memory_bytes() -> int:
    """Measure the memory of this process and all below it, shared pages divided by those who share them (Linux)."""
    total, waiting = 0, [os.getpid()]
    while waiting:
        process = waiting.pop()
        try:
            waiting += map(int, Path(f"/proc/{process}/task/{process}/children").read_text(encoding="utf-8").split())
            for task in Path(f"/proc/{process}/task").iterdir():
                if task.name != f"{process}":
                    waiting += map(int, (task / "children").read_text(encoding="utf-8").split())
            kilobytes = re.search(
                r"^Pss:\s+(\d+)", Path(f"/proc/{process}/smaps_rollup").read_text("utf-8"), re.MULTILINE
            )
            total += 1024 * int(kilobytes[1]) if kilobytes else 0
        except OSError:  # it has ended
            continue
    return total
