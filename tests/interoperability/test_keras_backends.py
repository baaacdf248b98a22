"""The tests of the Keras engine and export on the backends that this process does not use, each in one of its own."""

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from convscope.engine.keras.backend import BACKENDS, backend_name

OTHERS = [name for name in BACKENDS if find_spec(name) and name != backend_name()]
CHOSEN = "reference and residual or Nesterov or goes_on and Adam or written"


@pytest.mark.slow
@pytest.mark.parametrize("backend", OTHERS)
def test_the_engine_means_the_same_on_other_backends(backend):
    here = Path(__file__).parent
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-k", CHOSEN]
    files = [str(here / "test_keras_engine.py"), str(here / "test_keras_export.py")]
    done = subprocess.run(
        [*command, *files],
        env={**os.environ, "KERAS_BACKEND": backend},
        capture_output=True,
        text=True,
        check=False,
        cwd=here.parent.parent,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert " passed" in done.stdout
