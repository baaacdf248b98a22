"""Read a model's configuration, as Keras 2 or Keras 3 writes it, into a list of layers with their inputs.

Nested models are flattened, and a layer that is used twice becomes two. Classes and modules that a configuration names
are only compared as text with known names, and never imported or created. A model is an entry like its layers:

    {"class_name": "Functional", "config": {
        "layers": [{"class_name": "Dense", "config": {"name": "dense", ...}, "inbound_nodes": [...]}, ...],
        "input_layers": ["input", 0, 0], "output_layers": ["dense", 0, 0]}}

In a Sequential each layer reads the one before, so `inbound_nodes` and the last two lists are missing.
"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from convscope.architecture.network import keras_stem
from convscope.interchange.keras_files.dialect import modernize
from convscope.interchange.keras_files.nodes import LayerCall, read_calls, read_endpoints
from convscope.interchange.refusal import ModelFileError, quote
from convscope.interchange.translation.outputs import check_output

Indices = tuple[int, ...]
_Use = tuple[str, int]
"""A use of a layer: its name and the number of its call."""
IMAGE = -1
"""The index of the image in `KerasLayer.inputs`."""
_CHAINS, _GRAPHS = ("Sequential",), ("Functional", "Model")
_MAX_ENTRIES = 1000  # layers, with those of nested models, and each further use of a layer
_MAX_DEPTH = 16  # models within models, which are read by recursion
_KERAS_MODULE = re.compile(r"(keras|tf_keras|tensorflow\.keras|tensorflow\.python\.keras)(\.\w+)*")


@dataclass(frozen=True)
class KerasLayer:
    """A layer as a configuration describes it.

    Attributes:
        inputs: the indices of its inputs in the list of all layers; `IMAGE` for the image.
        path: the names of the nested models around it, and its own.
        group: the group of its weights in Keras 3's files, such as `layers/sequential/layers/conv2d`.
        call: the arguments of its call that change its result, in words; "" without.
        is_foreign: True if its class comes from code outside Keras.
    """

    name: str
    class_name: str
    config: Mapping[str, Any]
    inputs: tuple[int, ...]
    path: tuple[str, ...]
    group: str
    call: str = ""
    is_foreign: bool = False


@dataclass(frozen=True)
class KerasGraph:
    """All layers of a model, each after its inputs.

    Attributes:
        outputs: the indices of the layers whose outputs are the model's.
        input_shape: the declared shape without the batch, with None for open sizes; None if it is not declared.
        is_part: True if layers of the model were left out.
    """

    layers: tuple[KerasLayer, ...]
    outputs: tuple[int, ...]
    input_shape: tuple[int | None, ...] | None
    name: str
    is_part: bool = False


def read_graph(model: Mapping[str, Any], output: str | None = None, version: str | None = None) -> KerasGraph:
    """Read the layers of a model's configuration, `{"class_name": ..., "config": ...}`.

    Args:
        output: the layer at the output that is wanted, of several; layers that do not lead to it are left out.
        version: Keras's, if the file states it elsewhere.

    Raises:
        ModelFileError: if it is not a Sequential or Functional model with one input, or damaged.
    """
    reader = _Reader(str(version or model.get("keras_version"))[:2] in ("1.", "2."))
    kind = str(model.get("class_name"))
    if kind not in _CHAINS + _GRAPHS or _is_foreign(model):
        raise ModelFileError(
            f"its model is of the class {quote(kind)}, which is Python code outside Keras and is never run; build the "
            "same layers as a Sequential or Functional model and copy the weights with set_weights"
        )
    outputs = reader.read_model(model, (IMAGE,), (), "")
    if not reader.layers:
        raise ModelFileError("its model has no layers; save the whole model")
    graph = KerasGraph(tuple(reader.layers), outputs, reader.input_shape, _read_name(model)[:80])
    if output is None:
        return _sort_layers(graph)
    part = _sort_layers(replace(graph, outputs=(_find_end(graph, output),)))
    return replace(part, is_part=len(part.layers) < len(graph.layers))


def find_config(description: dict[str, Any]) -> dict[str, Any]:
    """Find the model's configuration in a description, which TensorFlow.js puts one or two levels lower."""
    for key in ("modelTopology", "model_config"):
        inner = description.get(key)
        description = inner if isinstance(inner, dict) else description
    return description


def keras_name(class_name: str) -> str:
    """Spell a class as Keras does in names: `max_pooling2d` for `MaxPooling2D`, `re_lu` for `ReLU`."""
    return keras_stem(re.sub(r"\W+", "", class_name))


def _sort_layers(graph: KerasGraph) -> KerasGraph:
    """Sort the layers so that each comes after its inputs, and all layers on vectors after all layers on maps.

    Our networks need this: they have all maps before the first dense layer. Within both parts, the layers of a branch
    stand one after another, and the layer that joins two branches comes directly after the second.
    """
    order = _order_depth_first(graph)
    on_vectors: set[int] = set()  # dense layers, and all that read one directly or not
    for index in order:
        layer = graph.layers[index]
        if layer.class_name == "Dense" or on_vectors & set(layer.inputs):
            on_vectors.add(index)
    order.sort(key=on_vectors.__contains__)  # stable: within both parts the order stays
    moved = {IMAGE: IMAGE} | {old: new for new, old in enumerate(order)}
    layers = tuple(
        replace(graph.layers[old], inputs=tuple(moved[index] for index in graph.layers[old].inputs)) for old in order
    )
    return replace(graph, layers=layers, outputs=tuple(moved[index] for index in graph.outputs))


def _order_depth_first(graph: KerasGraph) -> list[int]:
    """List the indices of all layers that lead to an output, each after its inputs."""
    order: list[int] = []
    seen = {IMAGE}
    # Without recursion: a deep network must not exhaust Python's stack.
    waiting = [(index, False) for index in sorted(graph.outputs, reverse=True)]
    while waiting:
        index, is_ready = waiting.pop()
        if is_ready:  # the second visit: all inputs are in the order
            order.append(index)
        elif index not in seen:
            seen.add(index)
            waiting.append((index, True))
            waiting += [(source, False) for source in reversed(graph.layers[index].inputs)]
    return order


def _find_end(graph: KerasGraph, output: str) -> int:
    """Find the index of the layer called `output` among the outputs."""
    ends = {graph.layers[index].name: index for index in graph.outputs if index != IMAGE}
    check_output(output, list(ends))
    return ends[output]


class _Reader:
    """Collects the layers of a model and of the models nested in it."""

    def __init__(self, is_old: bool) -> None:
        self._is_old = is_old  # written by a Keras before 3
        self.layers: list[KerasLayer] = []
        self.input_shape: tuple[int | None, ...] | None = None
        self._entries = 0

    def read_model(self, model: Mapping[str, Any], inputs: Indices, path: tuple[str, ...], group: str) -> Indices:
        """Append the layers of `model`, which reads `inputs`, and return the indices of its outputs.

        `path` holds the names of the nested models around its layers, and `group` is Keras 3's group of the model.
        """
        if len(path) > _MAX_DEPTH:
            raise ModelFileError(f"models are nested more than {_MAX_DEPTH} levels deep; build a flat model")
        config: Any = model.get("config")
        if isinstance(config, list):  # as Keras before 2.2.3 wrote a Sequential
            config = {"layers": config}
        entries = config.get("layers") if isinstance(config, dict) else None
        if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
            raise ModelFileError(f"the configuration of the model {quote(_read_name(model))} has no list of layers")
        self._entries += len(entries)
        if self._entries > _MAX_ENTRIES:
            raise ModelFileError(
                f"its model has more than {_MAX_ENTRIES:,} layers; only small networks can be imported"
            )
        groups = _name_groups(entries, f"{group}/layers" if group else "layers")
        if str(model.get("class_name")) in _CHAINS:
            for entry, layer_group in zip(entries, groups, strict=True):
                inputs = self._read_entry(entry, inputs, path, layer_group)
            if not path and self.input_shape is None:  # a Sequential without an Input, built by its first call
                self._set_input_shape(config.get("build_input_shape"))
            return inputs
        return self._read_model_graph(config, list(zip(entries, groups, strict=True)), inputs, path)

    def _read_model_graph(
        self,
        config: Mapping[str, Any],
        entries: list[tuple[dict[str, Any], str]],
        inputs: Indices,
        path: tuple[str, ...],
    ) -> Indices:
        """Append the layers of a Functional model, whose entries name their inputs, in an order that computes them.

        Each call of a layer appends it once more. For example, in `a = A(image); b = B(a); c = B(b)` the calls are
        {"A": [image], "B": [a, b]}, and the uses ("A", 0), ("B", 0) and ("B", 1) become three layers of the list.
        A nested model appends several layers; `indices_of_use` then has those of its outputs.
        """
        named = {_read_name(entry): (entry, group) for entry, group in entries}
        if len(named) < len(entries):
            raise ModelFileError("two layers of one model have the same name; save the model with Keras again")
        calls = {name: read_calls(entry, name) for name, (entry, _) in named.items()}
        starts = read_endpoints(config.get("input_layers"))
        if len(starts) != 1 or starts[0][0] not in named:
            raise ModelFileError(f"its model has {len(starts)} inputs; build a model with one image as input")
        # `read_model` has counted each layer once. Further uses count too, because each reads a nested model once more.
        self._entries += sum(map(len, calls.values())) - len(named)
        indices_of_use: dict[_Use, Indices] = {}
        for name, number in _iterate_uses(calls):
            (entry, group), use = named[name], calls[name][number]
            sources = tuple(index for source in use.sources for index in indices_of_use[source])
            sources = inputs if name == starts[0][0] else sources  # the model's Input passes on what the model reads
            indices_of_use[name, number] = self._read_entry(entry, sources, path, group, use.call)
        outputs = read_endpoints(config.get("output_layers"))
        if not outputs or any(use not in indices_of_use for use in outputs):
            raise ModelFileError(
                "the output of its model does not come from any of its layers; save it with Keras again"
            )
        return tuple(index for use in outputs for index in indices_of_use[use])

    def _read_entry(
        self, entry: dict[str, Any], inputs: Indices, path: tuple[str, ...], group: str, call: str = ""
    ) -> Indices:
        """Append a layer or the layers of a nested model, and return the indices of its outputs."""
        kind, name, config = str(entry.get("class_name")), _read_name(entry), entry.get("config")
        if isinstance(config, dict):
            kind, config = modernize(kind, config, self._is_old)
        is_foreign = _is_foreign(entry)
        if kind in _CHAINS + _GRAPHS and not is_foreign:
            return self.read_model(entry, inputs, (*path, name), group)
        if not isinstance(config, dict):
            raise ModelFileError(f"the layer {quote(name)} has no configuration; save the model with Keras again")
        if inputs == (IMAGE,) and self.input_shape is None:
            self._set_input_shape(config.get("batch_shape", config.get("batch_input_shape")))
        if kind == "InputLayer" and not is_foreign:
            return inputs
        self.layers.append(KerasLayer(name, kind, config, inputs, (*path, name), group, call, is_foreign))
        return (len(self.layers) - 1,)

    def _set_input_shape(self, shape: Any) -> None:
        """Set the input shape from one with a batch, such as [null, 28, 28, 1]."""
        if shape is None:
            return
        if not isinstance(shape, list) or not 2 <= len(shape) <= 5:
            raise ModelFileError(
                f"its input has the shape {quote(shape)}; an image's is (H, W, C), (H, W) or (pixels,)"
            )
        if not all(
            size is None or (isinstance(size, int) and not isinstance(size, bool) and 0 < size < 1 << 31)
            for size in shape[1:]
        ):
            raise ModelFileError(f"its input has the shape {quote(shape)}, which is not an image shape")
        self.input_shape = tuple(shape[1:])


def _iterate_uses(calls: Mapping[str, list[LayerCall]]) -> Iterator[_Use]:
    """Yield the uses of all layers, each after its sources; the entries of a file may stand in any order."""
    known: set[_Use] = set()
    waiting = [(name, number) for name, uses in calls.items() for number in range(len(uses))]
    while waiting:
        ready = [(name, number) for name, number in waiting if known.issuperset(calls[name][number].sources)]
        if not ready:
            names = quote([name for name, _ in waiting[:4]])
            raise ModelFileError(f"the layers {names} form a cycle, or need a layer that is missing")
        yield from ready
        known.update(ready)
        waiting = [use for use in waiting if use not in known]


def _name_groups(entries: list[dict[str, Any]], container: str) -> list[str]:
    """Name the group of each layer's weights as Keras 3 does: by its class, with a number, not by its name."""
    counts: Counter[str] = Counter()
    groups = []
    for entry in entries:
        stem = keras_name(str(entry.get("class_name")))
        groups.append(f"{container}/{stem}_{counts[stem]}" if counts[stem] else f"{container}/{stem}")
        counts[stem] += ".ops" not in str(entry.get("module"))  # Keras 3 does not count functions such as `x + y`
    return groups


def _is_foreign(entry: Mapping[str, Any]) -> bool:
    """True if an entry names a class outside Keras, by its module or by a name registered with a decorator."""
    module = entry.get("module")
    is_outside = module is not None and not (isinstance(module, str) and _KERAS_MODULE.fullmatch(module))
    return is_outside or entry.get("registered_name") not in (None, entry.get("class_name"))


def _read_name(entry: Mapping[str, Any]) -> str:
    config = entry.get("config")
    name = entry.get("name") or (config.get("name") if isinstance(config, dict) else None)
    if name is None:
        return keras_name(str(entry.get("class_name")))
    if not isinstance(name, str) or not 0 < len(name) <= 200:
        raise ModelFileError(f"a layer's name is {quote(name)}; save the model with Keras again")
    return name
