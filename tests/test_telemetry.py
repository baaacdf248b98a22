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

START = """
import time
from pathlib import Path
from convscope.cli import main
def run(*words): main.main(list(map(str, words)), standalone_mode=False)
"""
MODEL = """
import convscope as cs
from convscope.engine import initial_weights
network = cs.presets.ann((28, 28, 1), 10)
cs.save_model(cs.Model(network, initial_weights(network, 0), tuple("0123456789")), "model.safetensors")
"""
CODE = {
    # ONNX Runtime's own telemetry connects after a few seconds.
    "onnx": f"{START}{MODEL}run('export', 'model.safetensors', '--format', 'onnx', '--dataset', DATA)\ntime.sleep(8)",
    "sweep": f"{START}run('sweep', '--dataset', DATA, '--architecture', 'ann', '--recipe', 'fast', '--search', 'tpe', "
    "'--vary', 'learning_rate=0.001..0.01', '--trials', 2, '--out', 'sweep')",
    "tensorboard": f"{START}run('train', '--dataset', DATA, '--architecture', 'ann', '--recipe', 'fast', '--out', "
    "'run')\nrun('log', 'run', '--to', 'tensorboard:logs')",
    "service": "import fastapi, uvicorn, convscope.service",
    "dask": "import distributed",
    "classifier and embedding": "import sklearn.manifold, convscope.classifier",
    "tables": "import pyarrow.parquet",
}


@pytest.mark.parametrize("name", CODE)
def test_nothing_is_left_at_home_and_no_host_is_looked_up(name: str, small_folder: Path, tmp_path: Path):
    files, names = trace(f"DATA = {str(small_folder)!r}\n{CODE[name]}", tmp_path)
    assert {file for file in files if not file.startswith(".cache/matplotlib/")} == set()
    assert names == set()
