"""Read the inputs of the layers of a Functional model, as Keras 2 and Keras 3 write them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from convscope.interchange.refusal import ModelFileError, quote


@dataclass(frozen=True)
class LayerCall:
    """A use of a layer: its sources by name and number of their use, and unusual arguments of the call."""

    sources: tuple[tuple[str, int], ...]
    call: str = ""


def read_calls(entry: Mapping[str, Any], name: str) -> list[LayerCall]:
    """Read the calls of a layer, an entry of a Functional model's `layers`; raises `ModelFileError` if damaged."""
    nodes = entry.get("inbound_nodes", [])
    if not isinstance(nodes, list):
        raise _make_damage_error(name)
    return [_read_call(node, name) for node in nodes] or [LayerCall(())]


def read_endpoints(tensors: Any) -> list[tuple[str, int]]:
    """Read the layers of a model's inputs or outputs: `[name, 0, 0]`, or a list or dictionary of these."""
    if isinstance(tensors, dict):
        tensors = list(tensors.values())
    if not isinstance(tensors, list):
        raise ModelFileError("its model does not declare its inputs and outputs; save it with Keras again")
    if _is_tensor(tensors):
        tensors = [tensors]
    if not all(_is_tensor(tensor) for tensor in tensors):
        raise ModelFileError(f"the inputs or outputs of its model are {quote(tensors)}; build a model with one output")
    return [(tensor[0], tensor[1]) for tensor in tensors]


def _read_call(node: Any, name: str) -> LayerCall:
    """Read an entry of a layer's `inbound_nodes` in any of its three forms."""
    # A tensor is [name of the layer, number of its call, number of the output], such as ["conv2d", 0, 0].
    if isinstance(node, dict):
        return _read_keras_3_call(node, name)
    # A function of TensorFlow in Keras 2: ["conv2d", 0, 0, {"y": ["conv2d_1", 0, 0]}].
    if isinstance(node, list) and _is_tensor(node[:3]):
        keywords = node[3] if len(node) > 3 and isinstance(node[3], dict) else {}
        tensors = [node[:3], *(value for value in keywords.values() if _is_tensor(value))]
        sources = [(tensor[0], tensor[1]) for tensor in tensors]
        options = {key: value for key, value in keywords.items() if not _is_tensor(value)}
        return LayerCall(tuple(sources), ", ".join(_describe_arguments(options)))
    # A layer in Keras 2: [["conv2d", 0, 0, {}], ["conv2d_1", 0, 0, {}]].
    if isinstance(node, list) and all(isinstance(t, list) and _is_tensor(t[:3]) and t[2] == 0 for t in node):
        calls = [call for tensor in node for call in _describe_arguments(tensor[3] if len(tensor) > 3 else {})]
        return LayerCall(tuple((tensor[0], tensor[1]) for tensor in node), ", ".join(calls))
    raise _make_damage_error(name)


def _read_keras_3_call(node: Mapping[str, Any], name: str) -> LayerCall:
    """Read Keras 3's form: {"args": [{"class_name": "__keras_tensor__", ...}, ...], "kwargs": {...}}."""
    sources: list[tuple[str, int]] = []
    calls = _describe_arguments(node.get("kwargs"))
    for argument in node.get("args") or []:
        for tensor in argument if isinstance(argument, list) else [argument]:
            history = _read_history(tensor)
            if history is None:
                calls.append(f"it is given {quote(tensor)}")
            elif not _is_tensor(history) or history[2] != 0:
                raise _make_damage_error(name)
            else:
                sources.append((history[0], history[1]))
    return LayerCall(tuple(sources), ", ".join(calls))


def _describe_arguments(keywords: Any) -> list[str]:
    """Describe the arguments that change the result of a call, such as training=True."""
    if not isinstance(keywords, dict):
        return []
    return [
        f"it is called with {key!s:.40}={quote(value)}" for key, value in keywords.items() if value not in (None, False)
    ]


def _read_history(tensor: Any) -> Any:
    """Read the source of a tensor of Keras 3, [layer, call, output]; None if it is not a tensor."""
    if (
        isinstance(tensor, dict)
        and tensor.get("class_name") == "__keras_tensor__"
        and isinstance(tensor.get("config"), dict)
    ):
        return tensor["config"].get("keras_history", ())
    return None


def _is_tensor(value: Any) -> bool:
    """True for [layer, call, output]: a name and two whole numbers."""
    return (
        isinstance(value, list)
        and len(value) == 3
        and isinstance(value[0], str)
        and all(isinstance(number, int) and not isinstance(number, bool) for number in value[1:])
    )


def _make_damage_error(name: str) -> ModelFileError:
    return ModelFileError(f"the input of the layer {quote(name)} is damaged; save the model with Keras again")
