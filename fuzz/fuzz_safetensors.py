"""Fuzz the readers of models and of training states."""

from contextlib import suppress
from functools import cache
from inspect import isfunction
from pathlib import Path

import atheris
from entry import fuzz
from seeds import make_small_model

from convscope.architecture import Architecture, layer_json, network
from convscope.base.errors import RunError
from convscope.storage import load_model, model_file, state_file
from convscope.storage.state_file import load_state

# Function by function: what atheris.instrument_imports did to these modules left no trace of their branches.
for module in (model_file, state_file, layer_json, network):
    for function in vars(module).values():
        if isfunction(function) and function.__module__ == module.__name__:
            atheris.instrument_func(function)


def read(path: Path) -> None:
    """Read the file as a model and as a training state; then a file of which these bytes are the header alone.

    The header stands behind its length, which seldom still fits after a change: what is behind it would not be seen.
    """
    architecture, tensor_bytes = _model()
    header = path.read_bytes()
    for content in (header, len(header).to_bytes(8, "little") + header + bytes(tensor_bytes)):
        path.write_bytes(content)
        for load in (load_model, lambda file: load_state(file, architecture)):
            with suppress(RunError):
                load(path)


@cache
def _model() -> tuple[Architecture, int]:
    """Make the model whose states are read, and count the bytes of its tensors."""
    model = make_small_model()
    return model.architecture, sum(array.nbytes for array in model.weights.values())


fuzz(read, RunError, "model.safetensors")
