"""Write and read training states as safetensors files, from which a training resumes.

Such a file has, for a weight of the name LAYER/kernel:

    weights/LAYER/kernel          its values after the last epoch
    best/LAYER/kernel             those after the best epoch so far, if the recipe takes that epoch's
    optimizer/SLOT/LAYER/kernel   an array that the optimizer keeps for it; `_check_shapes` lists the slots
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open

from convscope.architecture import Architecture
from convscope.base.errors import RunError
from convscope.storage.model_file import open_tensors, read_description, read_tensor, write_tensors
from convscope.training import History, TrainingState

_Arrays = Mapping[str, NDArray[Any]]


def save_state(state: TrainingState, path: Path) -> None:
    """Write `state` to `path`, whole or not at all; raises `ConvscopeError` if it cannot be written."""
    tensors = {f"weights/{name}": array for name, array in state.weights.items()}
    tensors |= {f"optimizer/{name}": array for name, array in state.optimizer.items()}
    tensors |= {f"best/{name}": array for name, array in state.best_weights.items()}
    write_tensors(path, tensors, {"history": state.history.rows()})


def load_state(path: Path, architecture: Architecture) -> TrainingState:
    """Read the state at `path`; raises `RunError` if it is missing, damaged, newer or not of `architecture`."""
    with open_tensors(path) as file:
        description = read_description(path, file)
        try:
            history = History.from_rows(description["history"])
            weights = _read_weights(file, "weights", architecture)
            names = sorted(file.keys())
            optimizer_names = [name for name in names if name.startswith("optimizer/")]
            optimizer = {name.removeprefix("optimizer/"): read_tensor(file, name) for name in optimizer_names}
            has_best = any(name.startswith("best/") for name in names)
            best = _read_weights(file, "best", architecture) if has_best else {}
            _check_shapes(architecture, weights, best, optimizer)
            return TrainingState(weights, optimizer, history, best)
        except (KeyError, TypeError, ValueError, SafetensorError) as error:
            raise RunError(f"{path}: not a training state of this run ({error}); start the run again") from error


def _read_weights(file: safe_open, prefix: str, architecture: Architecture) -> _Arrays:
    return {name: read_tensor(file, f"{prefix}/{name}", np.float32) for name in architecture.weight_shapes}


def _check_shapes(architecture: Architecture, weights: _Arrays, best_weights: _Arrays, optimizer: _Arrays) -> None:
    """Raise `ValueError` if an array has not the shape of its weight, and `KeyError` if the optimizer lacks one.

    The optimizer's arrays are called SLOT/WEIGHT, such as m/LAYER/kernel:

        slot         is in the file with              has an array for
        m, v         an optimizer that keeps arrays   trained weights
        unaveraged   averaging                        trained weights, and moving statistics except in older files
        unrounded    weights of few bits              trained kernels
    """
    slots = ["m", "v"] if optimizer else []
    slots += [slot for slot in ("unaveraged", "unrounded") if any(name.startswith(f"{slot}/") for name in optimizer)]
    trained = architecture.trainable_weight_shapes
    for name, shape in architecture.weight_shapes.items():
        arrays = [weights[name], best_weights.get(name, weights[name])]
        for slot in slots:
            is_needed = name in trained and (slot != "unrounded" or name.endswith("/kernel"))
            if is_needed or f"{slot}/{name}" in optimizer:
                arrays.append(optimizer[f"{slot}/{name}"])
        for array in arrays:
            if array.shape != shape:
                raise ValueError(f"a tensor of {name} has shape {array.shape}, not {shape}")
