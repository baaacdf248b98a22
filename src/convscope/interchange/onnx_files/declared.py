"""What a file that was written here says of its network beside the graph, where the graph says the same.

The graph alone does not tell everything: dropout does nothing in it, an activation may belong to a layer or be one.
"""

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from convscope.architecture import Architecture
from convscope.base.errors import InterchangeError
from convscope.interchange.imported import Imported
from convscope.interchange.onnx_files.graph import graph_of
from convscope.interchange.onnx_files.versions import DEFAULT_OPSET
from convscope.interchange.onnx_files.writing import make_proto
from convscope.interchange.refusal import ModelFileError
from convscope.interchange.translation.network import network_of

_MAX_CHARACTERS = 1 << 20


def as_declared(found: Imported, properties: Mapping[str, str], output: str | None) -> Imported | None:
    """Return the network with the architecture in a file's properties, or None if the graph computes something else.

    The proof: written as a graph, the declared network is read as the same layers.
    """
    try:
        declared = Architecture.from_dict(_json(properties, "architecture"))
        names = zip(declared.weight_shapes.items(), found.architecture.weight_shapes, strict=True)
        weights = {name: found.weights[other].reshape(shape) for (name, shape), other in names}
        network = replace(found, architecture=declared, weights=weights)
        proto = make_proto(network.to_model(), dtype="float32", fold=False, opset=DEFAULT_OPSET)
        again = network_of(graph_of(proto), None, output)
    except (InterchangeError, ModelFileError, ValueError, RecursionError):
        return None
    return network if again.architecture == replace(found.architecture, name=again.architecture.name) else None


def declared_class_names(properties: Mapping[str, str], number: int) -> tuple[str, ...] | None:
    """Return the class names in a file's properties, if there are so many."""
    try:
        names = _json(properties, "class_names")
    except (ValueError, RecursionError):
        return None
    if not isinstance(names, list) or len(names) != number or not all(isinstance(name, str) for name in names):
        return None
    return tuple(names)


def _json(properties: Mapping[str, str], key: str) -> Any:
    text = properties.get(key, "")
    if len(text) > _MAX_CHARACTERS:
        raise ValueError("too long")
    return json.loads(text)
