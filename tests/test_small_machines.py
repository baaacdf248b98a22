"""`convscope run` on a small machine: one core, 1 GiB of memory, and a home folder that cannot be written to."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

resource = pytest.importorskip("resource")  # Windows has none

HOMELESS = ("CONVSCOPE_CACHE", "MPLCONFIGDIR", "XDG_CACHE_HOME", "XDG_CONFIG_HOME")


def small() -> None:
    """Give this process one core and 1 GiB of addresses."""
    resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "darwin", reason="macOS does not limit addresses")
def test_the_main_job_runs_on_one_core_with_little_memory_and_no_home(small_folder: Path, tmp_path: Path):
    environment = {name: value for name, value in os.environ.items() if name not in HOMELESS}
    environment["HOME"] = "/dev/null"  # nobody, not even root, can make a folder there
    words = ["run", "--dataset", small_folder, "--recipe", "fast", "--seeds", "1", "--no-baseline", "--json"]
    completed = subprocess.run(
        [sys.executable, "-m", "convscope", *words, "--out", tmp_path / "run"], env=environment, preexec_fn=small,
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (completed.returncode, completed.stderr) == (0, "")
    assert (tmp_path / "run/report.html").stat().st_size > 100_000
