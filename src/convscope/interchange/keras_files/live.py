"""Convert a Keras model in memory, by its description in JSON and its weights, as the reader of files does."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from numpy.typing import NDArray

from convscope.architecture import Shape
from convscope.base.arguments import checked
from convscope.data.datasets import DatasetLike
from convscope.engine.network import float_array
from convscope.interchange.keras_files.conversion import StoredLayer, convert
from convscope.interchange.keras_files.graph import read_graph
from convscope.interchange.keras_files.weight_layout import to_variable_name
from convscope.interchange.keras_files.weights import check_shapes
from convscope.interchange.refusal import ModelFileError, parse_json, prefix_errors
from convscope.interchange.scaling import Scaling
from convscope.interchange.scaling_search import with_scaling
from convscope.training.model import Model

_Arrays = list[tuple[str, NDArray[Any]]]


@checked
def from_keras(
    keras_model: Any,
    *,
    class_names: Sequence[str] | None = None,
    image_shape: Shape | None = None,
    output: str | None = None,
    scaling: Scaling | None = None,
    training: DatasetLike | None = None,
) -> Model:
    """Convert a `keras.Model` (of Keras 3 or 2) to a model with the same predictions.

    Args:
        class_names: K names; the classes' numbers by default.
        image_shape: (H, W) or (H, W, C), for a model that reads flat pixels or images of any size.
        output: the name of the layer at the output with a number for each class, for a model with several outputs.
        scaling: how a byte becomes the number that the model reads.
        training: labelled images that the model was trained on, by which `find_scaling` finds the scaling. A model that
            begins with a Rescaling of bytes needs neither `scaling` nor `training`.

    Raises:
        InterchangeError: if the model is not built; naming every unsupported layer, with what would be needed; or if
            its scaling is unknown or unclear.
        ValueError: if the class names are not as many as the logits, or `scaling` or `training` do not fit the model.
    """
    name = f"Keras model {getattr(keras_model, 'name', '')}".strip()
    with prefix_errors(name):
        if not getattr(keras_model, "built", False):
            raise ModelFileError("has no weights yet; build it, or give it an Input, first")
        graph = read_graph(parse_json(keras_model.to_json(), "to_json()"), output)
        arrays_by_path = dict(_iterate_arrays(keras_model, ()))

        def read_arrays(stored_layer: StoredLayer) -> Mapping[str, NDArray[Any]]:
            named = arrays_by_path.get(stored_layer.layer.path, [])
            arrays = {to_variable_name(name, stored_layer): array for name, array in named}
            check_shapes({name: array.shape for name, array in arrays.items()}, stored_layer)
            return {name: float_array(arrays[name]) for name in stored_layer.needed}

        imported = convert(graph, image_shape, read_arrays)
    return with_scaling(imported, scaling, training, name).to_model(class_names)


def _iterate_arrays(model: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], _Arrays]]:
    """Yield the path and the weights of each layer, also in nested models."""
    for layer in model.layers:
        layer_path = (*path, layer.name)
        if hasattr(layer, "layers"):  # a nested model
            yield from _iterate_arrays(layer, layer_path)
        else:
            names = [weight.name for weight in layer.weights]
            yield layer_path, list(zip(names, layer.get_weights(), strict=True))
