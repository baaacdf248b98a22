"""Stored arrays of layers: found for every layer, checked against the shapes the layers need, and then read."""

from collections.abc import Mapping, Sequence
from typing import Any

from numpy.typing import NDArray

from convscope.engine.network import float_array
from convscope.interchange.keras_files.conversion import Stored
from convscope.interchange.keras_files.hdf5 import Hdf5File
from convscope.interchange.keras_files.places import Places
from convscope.interchange.refusal import ModelFileError

LayerArrays = list[Mapping[str, NDArray[Any]]]


def read_arrays(
    file: Hdf5File, file_bytes: int, places: Places, stored: Sequence[Stored], is_part: bool
) -> LayerArrays:
    """Return the arrays of each layer by their Keras names; none is read before all are there in their shapes.

    Args:
        is_part: whether the file has layers that are not read.

    Raises:
        ModelFileError: if an array is missing, of another shape, no float, or belongs to no layer.
    """
    arrays_of_layers = [places.arrays(layer_arrays) for layer_arrays in stored]
    for layer_arrays, arrays in zip(stored, arrays_of_layers, strict=True):
        check_shapes({name: array.shape for name, array in arrays.items()}, layer_arrays)
    # Once each: a layer that is used twice has two copies here.
    claimed = {array.path: array for arrays in arrays_of_layers for array in arrays.values()}.values()
    if sum(array.num_bytes for array in claimed) > file_bytes:
        raise ModelFileError("its arrays overlap; it is damaged or malicious")
    extra = sorted(places.all_paths() - {array.path for array in claimed})
    if extra and not is_part:
        raise ModelFileError(
            f"it holds {len(extra)} weights that belong to no layer of the model, the first {extra[0][:100]!r}; "
            "the configuration is not the one of these weights"
        )
    return [
        {name: float_array(file.read(array)) for name, array in held.items() if name in layer_arrays.needed}
        for layer_arrays, held in zip(stored, arrays_of_layers, strict=True)
    ]


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
