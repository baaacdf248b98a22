"""Packages that convscope imports when it needs them report to nobody: no file at home, no look-up."""

import shutil
import sys
from pathlib import Path

import pytest
from tests.outside import trace

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux" or not shutil.which("g++"), reason="watches a process as on Linux"),
]

CODE = """
import time
import convscope as cs
import distributed, fastapi, pyarrow.parquet, sklearn.manifold, uvicorn
import convscope.classifier, convscope.service
from convscope.cli import main
from convscope.engine import initial_weights

def run(*words): main.main(list(map(str, words)), standalone_mode=False)

network = cs.presets.ann((28, 28, 1), 10)
cs.save_model(cs.Model(network, initial_weights(network, 0), tuple("0123456789")), "model.safetensors")
run("export", "model.safetensors", "--format", "onnx", "--dataset", DATA)
exported = time.monotonic()
fast = ("--dataset", DATA, "--architecture", "ann", "--recipe", "fast", "--out")
run("sweep", *fast, "sweep", "--search", "tpe", "--vary", "learning_rate=0.001..0.01", "--trials", 2)
run("train", *fast, "run")
run("log", "run", "--to", "tensorboard:logs")
time.sleep(max(0, exported + 8 - time.monotonic()))  # ONNX Runtime's own telemetry connects after a few seconds
"""


def test_nothing_is_left_at_home_and_no_host_is_looked_up(small_folder: Path, tmp_path: Path):
    files, names = trace(f"DATA = {str(small_folder)!r}\n{CODE}", tmp_path)
    assert {file for file in files if not file.startswith(".cache/matplotlib/")} == set()
    assert names == set()
