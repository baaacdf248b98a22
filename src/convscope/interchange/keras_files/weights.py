"""Find the stored arrays of all layers, check their shapes, and then read them."""

from collections.abc import Mapping, Sequence
from typing import Any

from numpy.typing import NDArray

from convscope.engine.network import float_array
from convscope.interchange.keras_files.conversion import StoredLayer
from convscope.interchange.keras_files.hdf5 import Hdf5File
from convscope.interchange.keras_files.weight_layout import WeightLayout
from convscope.interchange.refusal import ModelFileError

LayerArrays = list[Mapping[str, NDArray[Any]]]


def read_arrays(
    file: Hdf5File, file_bytes: int, layout: WeightLayout, stored_layers: Sequence[StoredLayer], is_part: bool
) -> LayerArrays:
    """Read the arrays of each layer by their Keras names, after checking that all have the right shapes.

    Args:
        is_part: True if the file has layers that are not needed.

    Raises:
        ModelFileError: if an array is missing, of another shape, no float, or belongs to no layer.
    """
    arrays_of_layers = [layout.arrays(stored_layer) for stored_layer in stored_layers]
    for stored_layer, arrays in zip(stored_layers, arrays_of_layers, strict=True):
        check_shapes({name: array.shape for name, array in arrays.items()}, stored_layer)
    # A layer that is used twice is in the list twice, but its arrays count once.
    claimed = {array.path: array for arrays in arrays_of_layers for array in arrays.values()}.values()
    # Different arrays may point to the same bytes, so that a small file would fill the memory.
    if sum(array.num_bytes for array in claimed) > file_bytes:
        raise ModelFileError("its arrays overlap; it is damaged or malicious")
    extra = sorted(layout.all_paths() - {array.path for array in claimed})
    if extra and not is_part:
        raise ModelFileError(
            f"it holds {len(extra)} weights that belong to no layer of the model, the first {extra[0][:100]!r}; "
            "the configuration is not the one of these weights"
        )
    return [
        {name: float_array(file.read(array)) for name, array in arrays.items() if name in stored_layer.needed}
        for stored_layer, arrays in zip(stored_layers, arrays_of_layers, strict=True)
    ]


def check_shapes(shapes: Mapping[str, tuple[int, ...]], stored_layer: StoredLayer) -> None:
    """Raise `ModelFileError` if an array of a layer is missing, superfluous, or has another shape than it needs."""
    where = "/".join(stored_layer.layer.path)[:100]
    for name, shape in stored_layer.variables.items():
        if name not in shapes:
            raise ModelFileError(f"the weight {name} of the layer {where!r} is missing; save the whole model again")
        if shapes[name] != shape:
            raise ModelFileError(
                f"the weight {name} of the layer {where!r} has the shape {shapes[name]}, but its configuration needs "
                f"{shape}; the weights belong to another model"
            )
    if extra := sorted(shapes.keys() - stored_layer.variables.keys()):
        raise ModelFileError(f"the layer {where!r} has a weight {extra[0][:40]!r} that its configuration does not have")
