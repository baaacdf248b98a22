"""The instruction sets that the engine finds, compared with the flags of Linux."""

import platform
from pathlib import Path

import pytest

from convscope.engine.processor import instruction_sets

CPUINFO = Path("/proc/cpuinfo")
NEEDED = {
    "avx512": {"avx2", "fma", "bmi1", "bmi2", "avx512f", "avx512bw", "avx512dq", "avx512vl"},
    "avx2": {"avx2", "fma", "bmi1", "bmi2"},
    "sse2": set[str](),
}


@pytest.mark.skipif(platform.machine() != "x86_64" or not CPUINFO.exists(), reason="only Linux on x86-64 lists them")
def test_the_engine_finds_the_instruction_sets_of_the_processor():
    flags = next(set(line.split()) for line in CPUINFO.read_text().splitlines() if line.startswith("flags"))
    assert list(instruction_sets()) == [name for name, needed in NEEDED.items() if needed <= flags]
    has_tiles = NEEDED["avx512"] | {"amx_tile", "amx_bf16"} <= flags
    assert instruction_sets("bfloat16") == ("amx_bf16",) * has_tiles
