"""The block in which NumPy computes on one thread."""

import subprocess
import sys

import pytest

from convscope.base.blas import one_blas_thread

SCRIPT = """
import numpy as np
from threadpoolctl import threadpool_info, threadpool_limits

from convscope.base.blas import one_blas_thread

def list_threads():
    return [pool["num_threads"] for pool in threadpool_info() if pool["internal_api"] == "openblas"]

threadpool_limits(2)  # even where this process may use a single core
before = list_threads()
with one_blas_thread():
    inside = list_threads()
print(before, inside, list_threads())
"""


def test_numpy_computes_on_one_thread_only_within_the_block() -> None:
    completed = subprocess.run([sys.executable, "-c", SCRIPT], check=True, capture_output=True, text=True)
    assert completed.stdout in ("[2] [1] [2]\n", "[] [] []\n")  # some builds of NumPy have another library


@pytest.mark.parametrize("absent", [ImportError, AttributeError, OSError])
def test_without_the_private_part_of_numpy_threads_are_left_alone(
    monkeypatch: pytest.MonkeyPatch, absent: type[Exception]
) -> None:
    def fail(_: str) -> None:
        raise absent

    monkeypatch.setattr("convscope.base.blas.import_module", fail)
    with one_blas_thread():
        pass
