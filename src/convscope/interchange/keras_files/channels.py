"""A model whose maps have the channels first, told as one whose maps have them last.

The kernels are stored alike either way. What differs is the order of the input's axes, the axis of a normalisation, and
in which order a Flatten puts the numbers.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from convscope.interchange.keras_files.graph import KerasGraph, KerasLayer

FLATTENS_CHANNELS_FIRST = "flattens channels first"
"""The key, in the configuration of a Flatten or Reshape, that says so."""
_FIRST = {"data_format": "channels_first"}
_TO_VECTORS = ("Flatten", "Reshape", "GlobalAveragePooling2D", "GlobalMaxPooling2D")
_ON_LAST_AXIS = ("Dense", "Softmax", "Rescaling")


def channels_last(graph: KerasGraph) -> KerasGraph:
    """Return a model with the channels last; one that has them so, or partly so, stays as it is."""
    formats = {layer.config.get("data_format") for layer in graph.layers if layer.class_name != "Flatten"} - {None}
    shape = graph.input_shape
    if formats != {"channels_first"} or (shape is not None and len(shape) != 3):
        return graph
    layers, is_maps, is_turned = [], True, False
    for layer in graph.layers:
        config = _config(layer, is_maps, is_turned)
        layers.append(replace(layer, config=config))
        is_maps = is_maps and layer.class_name not in _TO_VECTORS
        is_turned = (is_turned and layer.class_name != "Dense") or FLATTENS_CHANNELS_FIRST in config
    turned = None if shape is None else (*shape[1:], shape[0])
    return replace(graph, layers=tuple(layers), input_shape=turned)


def _config(layer: KerasLayer, is_maps: bool, is_turned: bool) -> Mapping[str, Any]:
    """Return a layer's configuration with the channels last; where it cannot be, `data_format` still says the other.

    Args:
        is_maps: whether the layer is given maps.
        is_turned: whether it is given vectors of maps in the order of channels first.
    """
    config, kind = dict(layer.config), layer.class_name
    if kind == "Concatenate" and is_maps:
        return config | ({"axis": -1} if config.get("axis", -1) == 1 else _FIRST)
    if kind == "BatchNormalization":
        if is_maps:
            return config | ({"axis": -1} if config.get("axis", -1) in (1, [1]) else _FIRST)
        return config | (_FIRST if is_turned else {})
    if is_maps and kind in ("Flatten", "Reshape"):
        is_turning = kind == "Flatten" and config.get("data_format") == "channels_first"
        return config | {"data_format": None} | ({} if is_turning else {FLATTENS_CHANNELS_FIRST: True})
    if is_maps and kind in _ON_LAST_AXIS:
        is_one_number = kind == "Rescaling" and not any(isinstance(value, list | dict) for value in config.values())
        return config | ({} if is_one_number else _FIRST)
    return config | {"data_format": None}
