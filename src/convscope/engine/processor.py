"""What the compiled engine uses of this processor: an instruction set and a number of threads, and its peak."""

import os

from convscope.base.errors import EngineError, RecipeError
from convscope.engine import _native
from convscope.recipes import Precision

INSTRUCTION_SET_VARIABLE = "CONVSCOPE_ISA"


def instruction_sets(precision: Precision = "float32") -> tuple[str, ...]:
    """Return the names of the instruction sets that the engine can use on this processor, the fastest first.

    For `bfloat16` these are the ones with instructions for it, which many processors lack; whatever is not a product of
    bfloat16 numbers they compute as `avx512` does, to the same bits.
    """
    return tuple(_native.instruction_sets(precision == "bfloat16"))


def usable_instruction_sets(precision: Precision) -> tuple[str, ...]:
    """Return `instruction_sets(precision)`; raises `RecipeError`, saying what to take instead, if there are none."""
    if not (usable := instruction_sets(precision)):
        raise RecipeError(
            f"precision is {precision}, but this processor has no instructions for it (AVX512-BF16 or AMX-BF16); use "
            "precision float32"
        )
    return usable


def measure_peak(
    threads: int | None = None,
    instruction_set: str | None = None,
    seconds: float = 0.2,
    precision: Precision = "float32",
) -> float:
    """Return the peak of multiply-add in GFLOP/s (a multiply-add counts as two), measured for some `seconds`.

    It is the best of many short rounds of arithmetic in registers alone, so no real work reaches it.

    Args:
        threads, instruction_set, precision: as `NativeNetwork` takes them.

    Raises:
        ValueError: if threads < 1, or if the instruction set is unknown or not usable here.
    """
    chosen = chosen_instruction_set(instruction_set, precision)
    return _native.measure_peak(chosen_threads(threads), chosen, precision == "bfloat16", seconds) / 1e9


def chosen_threads(threads: int | None) -> int:
    """Return how many threads work: by default as many as the process may run on, and 1,024 at most."""
    if threads is None:
        threads = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if threads < 1:
        raise ValueError(f"threads is {threads}; it must be at least 1")
    return min(threads, 1024)


def chosen_instruction_set(name: str | None, precision: Precision) -> str:
    """Return the instruction set that is asked for: by name, by CONVSCOPE_ISA, or else the fastest.

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
        usable += instruction_sets("bfloat16")  # so that one may be named for training, and what follows it goes on
    if name not in usable:
        raise EngineError(f"{origin} is {name!r}; on this processor, {precision} can use {', '.join(usable)}")
    return name
