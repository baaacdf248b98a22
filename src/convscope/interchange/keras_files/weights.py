"""From stored arrays to weights: found for every layer, checked against the shapes the layers need, and then read."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from convscope.architecture import Architecture
from convscope.engine.network import check_weights, float_array
from convscope.interchange.keras_files.assembly import Assembly, Stored
from convscope.interchange.keras_files.hdf5 import Hdf5File, StoredArray
from convscope.interchange.refusal import ModelFileError


class Places(Protocol):
    """Where one kind of file keeps the arrays of a layer."""

    def arrays(self, stored: Stored) -> Mapping[str, StoredArray]:
        """Return what is there for a layer by the names of its variables; raises `ModelFileError` if it is damaged."""

    def all_paths(self) -> set[str]:
        """Return the paths of all arrays that are weights of layers."""


def read_weights(file: Hdf5File, file_bytes: int, places: Places, assembly: Assembly) -> dict[str, NDArray[np.float32]]:
    """Return the weights of an architecture by name; none is read before all are there in their shapes.

    Raises:
        ModelFileError: if an array is missing, of another shape, no float or not finite, or belongs to no layer.
    """
    stored = assembly.stored
    found = [_in_shape(places.arrays(one), one) for one in stored]
    # Once each: a layer that is used twice has two copies here.
    claimed = {array.path: array for arrays in found for array in arrays.values()}.values()
    if sum(array.num_bytes for array in claimed) > file_bytes:
        raise ModelFileError("its arrays overlap; it is damaged or malicious")
    extra = sorted(places.all_paths() - {array.path for array in claimed})
    if extra and not assembly.is_part:
        raise ModelFileError(
            f"it holds {len(extra)} weights that belong to no layer of the model, the first {extra[0][:100]!r}; "
            "the configuration is not the one of these weights"
        )
    arrays = [
        {name: file.read(array) for name, array in held.items() if name in one.weights.values()}
        for one, held in zip(stored, found, strict=True)
    ]
    return as_weights(assembly.architecture, stored, arrays)


def as_weights(
    architecture: Architecture, stored: Sequence[Stored], arrays: Sequence[Mapping[str, NDArray[Any]]]
) -> dict[str, NDArray[np.float32]]:
    """Return the weights of `architecture` from the arrays of each layer, in its shapes.

    Raises:
        ModelFileError: if one is not of a float type or not finite, or a variance is below zero.
    """
    shapes = architecture.weight_shapes
    weights: dict[str, NDArray[np.float32]] = {}
    try:
        for one, held in zip(stored, arrays, strict=True):
            for name, source in one.weights.items():
                if isinstance(source, str):
                    array = held[source]
                    if one.turned and source == "kernel":
                        height, width, channels = one.turned
                        array = array.reshape(channels, height, width, -1).transpose(1, 2, 0, 3)
                    array = float_array(array)
                    if one.is_second:
                        array = np.concatenate([np.zeros_like(array), array], axis=-1)
                    weights[name] = np.ascontiguousarray(array.reshape(shapes[name]))
                else:
                    weights[name] = np.array(np.broadcast_to(np.asarray(source, np.float32), shapes[name]))
        check_weights(architecture, weights)
    except ValueError as error:
        raise ModelFileError(f"{error}; save the model again") from error
    return weights


def check_shapes(shapes: Mapping[str, tuple[int, ...]], stored: Stored) -> None:
    """Raise `ModelFileError`, saying which one differs and how, unless a layer's arrays have the shapes it needs."""
    where = "/".join(stored.layer.path)[:100]
    for name, shape in stored.variables.items():
        if name not in shapes:
            raise ModelFileError(f"the weight {name} of the layer {where!r} is missing; save the whole model again")
        if shapes[name] != shape:
            raise ModelFileError(
                f"the weight {name} of the layer {where!r} has the shape {shapes[name]}, but its configuration needs "
                f"{shape}; the weights belong to another model"
            )
    if extra := sorted(shapes.keys() - stored.variables.keys()):
        raise ModelFileError(f"the layer {where!r} has a weight {extra[0][:40]!r} that its configuration does not have")


def _in_shape(arrays: Mapping[str, StoredArray], stored: Stored) -> Mapping[str, StoredArray]:
    check_shapes({name: array.shape for name, array in arrays.items()}, stored)
    return arrays
