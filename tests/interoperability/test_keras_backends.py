"""Some tests of the Keras engine, export and round trips, run on the backends that this process does not use."""

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from convscope.engine.keras.backend import BACKENDS, backend_name

OTHERS = [name for name in BACKENDS if find_spec(name) and name != backend_name()]
# By file, the expression that pytest's -k selects tests with.
CHOSEN = {
    "test_keras_engine.py": "reference and residual or Nesterov or goes_on and Adam",
    "test_keras_export.py": "written or over_edges or plain_model",
    "test_round_trips.py": "0 and (as_keras or as_they_are or its_file and keras)",
}


@pytest.mark.slow
@pytest.mark.parametrize("backend", OTHERS)
def test_keras_recipes_mean_the_same_on_other_backends(backend: str):
    here = Path(__file__).parent
    chosen = " or ".join(f"({file} and ({names}))" for file, names in CHOSEN.items())
    completed = subprocess.run(
        [
            sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-k", chosen,
            *(here / file for file in CHOSEN),
        ],
        # JAX compiles each network once for the few steps it does here.
        env={**os.environ, "KERAS_BACKEND": backend, "XLA_FLAGS": "--xla_backend_optimization_level=0"},
        capture_output=True,
        text=True,
        check=False,
        cwd=here.parent.parent,
    )  # fmt: skip
    assert completed.returncode == 0, completed.stdout + completed.stderr
    assert " passed" in completed.stdout
