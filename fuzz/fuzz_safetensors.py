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

# Function by function: atheris.instrument_imports reported no branches of these modules.
for module in (model_file, state_file, layer_json, network):
    for function in vars(module).values():
        if isfunction(function) and function.__module__ == module.__name__:
            atheris.instrument_func(function)


def read(path: Path) -> None:
    """Read the file as a model and as a training state; then a file whose header alone is these bytes.

    The length stands before the header and seldom fits after a change: the reader would not get any further.
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
