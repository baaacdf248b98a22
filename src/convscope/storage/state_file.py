"""Write and read training states as safetensors files, from which a training resumes."""

from pathlib import Path

import numpy as np
from safetensors import SafetensorError

from convscope.architecture import Architecture
from convscope.base.errors import RunError
from convscope.storage.model_file import open_tensors, read_description, read_tensor, write_tensors
from convscope.training import History, TrainingState


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
            weights = {name: read_tensor(file, f"weights/{name}", np.float32) for name in architecture.weight_shapes}
            names = sorted(file.keys())
            optimizer = {
                name.removeprefix("optimizer/"): read_tensor(file, name)
                for name in names
                if name.startswith("optimizer/")
            }
            best = {}
            if any(name.startswith("best/") for name in names):
                best = {name: read_tensor(file, f"best/{name}", np.float32) for name in architecture.weight_shapes}
            # The optimizer's arrays are called SLOT/WEIGHT. Adam has the slots m and v, averaging adds `unaveraged`,
            # and weights of few bits add `unrounded` for kernels.
            slots = [slot for slot in ("m", "v") if optimizer]
            for slot in ("unaveraged", "unrounded"):
                if any(name.startswith(f"{slot}/") for name in optimizer):
                    slots.append(slot)
            trained = architecture.trainable_weight_shapes
            for name, shape in architecture.weight_shapes.items():
                # A missing array that is needed is a KeyError below.
                needed = {
                    slot for slot in slots if name in trained and (slot != "unrounded" or name.endswith("/kernel"))
                }
                kept = [
                    optimizer[f"{slot}/{name}"] for slot in slots if slot in needed or f"{slot}/{name}" in optimizer
                ]
                for array in (weights[name], best.get(name, weights[name]), *kept):
                    if array.shape != shape:
                        raise ValueError(f"a tensor of {name} has shape {array.shape}, not {shape}")
            return TrainingState(weights, optimizer, history, best)
        except (KeyError, TypeError, ValueError, SafetensorError) as error:
            raise RunError(f"{path}: not a training state of this run ({error}); start the run again") from error
