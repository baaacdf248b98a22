"""The instruction sets, the threads and the peak speed of the compiled engine on this processor."""

import os

from convscope.base.errors import EngineError, RecipeError
from convscope.engine import _native
from convscope.recipes import Precision

INSTRUCTION_SET_VARIABLE = "CONVSCOPE_ISA"


def instruction_sets(precision: Precision = "float32") -> tuple[str, ...]:
    """List the instruction sets that the engine can use on this processor, the fastest first.

    For `bfloat16` it is `amx_bf16`, or none: most processors lack it. It computes all but the products of bfloat16
    numbers as `avx512` does, to the same bits.
    """
    return tuple(_native.instruction_sets(precision == "bfloat16"))


def usable_instruction_sets(precision: Precision) -> tuple[str, ...]:
    """List `instruction_sets(precision)`; without any, raise a `RecipeError` that names the alternative."""
    if not (usable := instruction_sets(precision)):
        raise RecipeError(
            f"precision is {precision}, but this processor has no instructions for it (AMX-BF16); use precision float32"
        )
    return usable


def measure_peak(threads: int | None = None, instruction_set: str | None = None, seconds: float = 0.2) -> float:
    """Measure the peak speed of float32 multiply-adds in GFLOP/s (a multiply-add counts as two) for `seconds`.

    It is the best of many short rounds of arithmetic in registers alone, so no real work reaches it.

    Args:
        threads, instruction_set: as `NativeNetwork` takes them.

    Raises:
        ValueError: if threads < 1, or if the instruction set is unknown or not usable here.
    """
    chosen = choose_instruction_set(instruction_set, "float32")
    return _native.measure_peak(choose_threads(threads), chosen, seconds) / 1e9


def choose_threads(threads: int | None) -> int:
    """Check a number of threads; the default is as many as the process may run on. The result is at most 1,024."""
    if threads is None:
        # A process may be restricted to some of the cores; only Linux tells to which.
        threads = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if threads < 1:
        raise ValueError(f"threads is {threads}; it must be at least 1")
    return min(threads, 1024)


def choose_instruction_set(name: str | None, precision: Precision) -> str:
    """Check an instruction set; the default is that of CONVSCOPE_ISA, or else the fastest.

    Raises:
        EngineError: if it is unknown or not usable here.
        RecipeError: as `usable_instruction_sets` does.
    """
    usable = usable_instruction_sets(precision)
    origin = "instruction_set"
    if name is None:
        name, origin = os.environ.get(INSTRUCTION_SET_VARIABLE, ""), INSTRUCTION_SET_VARIABLE
    if not name:
        return usable[0]
    if precision == "float32":
        # CONVSCOPE_ISA=amx_bf16 is also valid after the training, for measurements in float32.
        usable += instruction_sets("bfloat16")
    if name not in usable:
        raise EngineError(f"{origin} is {name!r}; on this processor, {precision} can use {', '.join(usable)}")
    return name
