"""Describe this machine: its processor, its cores, and the versions of the software."""

import os
import platform
from functools import cache
from importlib.metadata import version
from pathlib import Path

from msgspec import UNSET

from convscope.engine import EngineName, keras
from convscope.engine.processor import choose_instruction_set
from convscope.recipes import Precision
from convscope.storage.records import Machine, Processor


@cache  # nothing here changes while the process runs
def describe_machine(engine: EngineName, precision: Precision) -> Machine:
    """Describe this machine; for the engine `keras`, the versions include Keras and its backend.

    Raises:
        EngineError: if the engine is `keras`, and that or its backend is missing.
        RecipeError: if this processor has no instructions for the precision.
    """
    versions = {"convscope": version("convscope"), "python": platform.python_version(), "numpy": version("numpy")}
    if engine == "keras":
        versions |= keras.versions()
    cpu = Processor(
        name=read_cpu_name(),
        cores=count_cores(),
        machine=platform.machine(),
        # Recorded, because a seed gives other weights with another instruction set.
        instruction_set=choose_instruction_set(None, precision) if engine == "native" else UNSET,
    )
    return Machine(versions=versions, cpu=cpu)


def count_cores() -> int:
    """Count the cores that this process may use."""
    # A process may be restricted to some cores, as by `taskset`; only Linux tells which.
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def read_cpu_name() -> str:
    """Read the processor's name from the system."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:  # not Linux
        lines = []
    # Cores have a line each, all alike. Processors other than x86 may have no such line.
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()
