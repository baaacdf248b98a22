"""Fuzz the reader of TensorFlow Lite models."""

import atheris

with atheris.instrument_imports(include=["convscope.interchange"]):
    from convscope.base.errors import InterchangeError
    from convscope.interchange.tflite_files import read_tflite

from pathlib import Path

from entry import fuzz

from convscope.engine.network import check_weights


def read(path: Path) -> None:
    """Read a network, and check its weights against its architecture."""
    imported = read_tflite(path)
    check_weights(imported.architecture, imported.weights)


fuzz(read, InterchangeError, "model.tflite")
