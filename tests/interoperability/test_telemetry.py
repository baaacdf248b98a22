"""Large packages that convscope imports on demand connect to no host; `tests/test_telemetry.py` checks the others."""

from pathlib import Path

import pytest
from tests.outside import trace

SETTINGS = {".keras/keras.json", ".ray/auth_token"}  # of the user's own Keras, and the password of a local Ray
METADATA = {"metadata.google.internal"}  # Ray asks in which cloud the machine is, which no setting prevents
KERAS = """
import convscope as cs
data = cs.load_dataset(DATA)
recipe = cs.Recipe(epochs=1)
cs.train(cs.presets.ann, data, recipe, engine="keras")
"""
CODE = {
    # MLflow connects within some seconds.
    "mlflow": """
import time
from convscope.cli import main
words = ["train", "--dataset", DATA, "--architecture", "ann", "--recipe", "fast", "--out", "run"]
main.main(words, standalone_mode=False)
main.main(["log", "run", "--to", "mlflow:sqlite:///mlflow.db"], standalone_mode=False)
time.sleep(8)
""",
    "ray": """
import time
from convscope.experiment import open_executor
with open_executor("ray://") as executor:
    assert executor.submit(lambda: 1).result() == 1
    time.sleep(8)
""",
    "tensorflow": f"import os; os.environ['KERAS_BACKEND'] = 'tensorflow'\n{KERAS}",
    "jax": f"import os; os.environ['KERAS_BACKEND'] = 'jax'\n{KERAS}",
    "torch": f"import os; os.environ['KERAS_BACKEND'] = 'torch'\n{KERAS}",
}


@pytest.mark.slow
@pytest.mark.parametrize("name", CODE)
def test_a_package_looks_up_no_host_and_writes_no_files_of_its_own(name: str, small_folder: Path, tmp_path: Path):
    if name == "ray":
        pytest.importorskip("ray", reason="Ray is not among what the extra `test` installs")
    files, names = trace(f"DATA = {str(small_folder)!r}\n{CODE[name]}", tmp_path)
    assert {file for file in files if not file.startswith(".cache/matplotlib/")} <= SETTINGS
    assert names <= METADATA
