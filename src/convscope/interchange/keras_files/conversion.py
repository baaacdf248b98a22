"""Convert the layers of a Keras model to a network, through the translation that all formats share.

All layers are checked before anything is refused, so one error names every layer that is not supported. A first pass
with zeros for weights lists the arrays that are needed; they are read, and a second pass builds the network.

    Keras layer        node of the translation    what `_Converter` makes of it
    Rescaling(1/255)   Rescaling                  no layer: the value x is read as x / 255 from here on
    Conv2D(8, relu)    Conv2D                     a convolution with its weights, and relu as its activation
    Flatten            Flatten                    no layer yet: the index of the value is flat (see `_Converter`)
    Dense(10, softmax) Softmax                    Flatten, and Dense with softmax as its activation
"""

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convscope.architecture import Conv2D, Flatten, Shape
from convscope.interchange.imported import Imported
from convscope.interchange.keras_files.activations import Conversion, ConvertedLayer, KerasActivation
from convscope.interchange.keras_files.graph import IMAGE, KerasGraph, KerasLayer, keras_name
from convscope.interchange.keras_files.image import read_image
from convscope.interchange.keras_files.layers import (
    check_activation,
    check_supported,
    convert_layer,
    infer_reshape,
    is_unused,
    read_rescaling,
)
from convscope.interchange.refusal import ModelFileError, quote
from convscope.interchange.translation import elementwise, shapes
from convscope.interchange.translation.activations import match_product
from convscope.interchange.translation.network import build_network
from convscope.interchange.translation.nodes import Graph, Node
from convscope.interchange.translation.operators import list_problems
from convscope.interchange.translation.state import State, activate
from convscope.interchange.translation.steps import FileTensor, NotTranslated, to_scalar
from convscope.interchange.translation.windows import CHANNELS_FIRST, CHANNELS_LAST, pool_globally

_JOINING = ("Add", "Concatenate", "Multiply")  # the layers with several inputs
_GLOBAL = ("GlobalAveragePooling2D", "GlobalMaxPooling2D")
_ON_MAPS = ("Conv2D", "DepthwiseConv2D", "SeparableConv2D", "MaxPooling2D", "AveragePooling2D", "ZeroPadding2D")


@dataclass(frozen=True)
class StoredLayer:
    """A Keras layer and the arrays that it stores.

    Attributes:
        variables: the shapes of the arrays by their Keras names, in the order in which Keras stores them.
        needed: the names of the arrays that the network needs.
    """

    layer: KerasLayer
    variables: Mapping[str, Shape]
    needed: frozenset[str]


Arrays = Callable[[StoredLayer], Mapping[str, NDArray[Any]]]
"""Returns the arrays of a layer by their Keras names, at least those in `needed`."""
Order = tuple[int, ...] | None
"""The order in which a value holds the axes of maps, see `_find_order`."""


def list_arrays(graph: KerasGraph, image_shape: Shape | None) -> list[StoredLayer]:
    """List the layers of a model with the arrays that they store, in their order.

    This is the first pass: it converts the model with zeros for all weights, and notes the arrays that it is asked for.

    Raises:
        ModelFileError: naming every unsupported layer with what would be needed; or if the input shape is unknown, or
            the output is not a number for each class.
    """
    stored_layers: list[StoredLayer] = []

    def note_layer(stored_layer: StoredLayer) -> Mapping[str, NDArray[Any]]:
        stored_layers.append(stored_layer)
        # Views of a single 0 take no memory, whatever shapes a hostile file declares.
        return {name: np.broadcast_to(np.float32(0), shape) for name, shape in stored_layer.variables.items()}

    convert(graph, image_shape, note_layer)
    return stored_layers


def convert(graph: KerasGraph, image_shape: Shape | None, arrays: Arrays) -> Imported:
    """Build the network of a Keras model, with the arrays that `arrays` returns; raises as `list_arrays` does."""
    if problems := list(_find_problems(graph)):
        raise ModelFileError(list_problems(problems, f"{len(graph.layers)} layers"))
    # The names of the values, by the index of the layer that gives them. A layer that is used twice is in the list
    # twice, such as `dense` at 3 and 5, and its values need different names: dense#3 and dense#5.
    counts = Counter(layer.name for layer in graph.layers)
    values = {IMAGE: "image"} | {
        index: layer.name if counts[layer.name] == 1 else f"{layer.name}#{index}"
        for index, layer in enumerate(graph.layers)
    }
    nodes = _make_nodes(graph, values)
    # Logits and their softmax count as a single output: the softmax, which comes last and reads all the others.
    ends = sorted(set(graph.outputs))
    if len(ends) > 1 and (nodes[ends[-1]].operator != "Softmax" or graph.layers[ends[-1]].inputs != tuple(ends[:-1])):
        names = ", ".join(values[index] for index in ends)
        raise ModelFileError(
            f"the model's outputs are {names}; name the one with a number for each class with `output`"
        )
    notes: list[str] = []
    image, shape = read_image(graph, image_shape, notes)
    # A graph without constants, and of any opset, because the converter reads the arrays itself.
    outputs, constants = {values[ends[-1]]: None}, frozenset[str]()
    translated = Graph(nodes, image, outputs, constants, lambda _: np.zeros(0), 20, _Converter(arrays))
    imported = build_network(translated, shape)
    architecture = replace(imported.architecture, name=graph.name or imported.architecture.name)
    return replace(imported, architecture=architecture, notes=(*notes, *imported.notes), program="Keras")


def _make_nodes(graph: KerasGraph, values: Mapping[int, str]) -> tuple[Node, ...]:
    """Make a node of the shared translation for each layer; `values` names the outputs by the layers' indices."""
    return tuple(
        Node(
            # The shared translation finds the output with the classes by its Softmax.
            "Softmax" if layer.config.get("activation") == "softmax" else layer.class_name,
            _make_layer_name(layer),
            f"{quote('/'.join(layer.path))} ({layer.class_name[:40]}):",
            tuple(values[source] for source in layer.inputs),
            (values[index],),
            {"layer": layer, "axis": layer.config.get("axis", -1)},
        )
        for index, layer in enumerate(graph.layers)
    )


def _find_problems(graph: KerasGraph) -> Iterator[str]:
    """Yield a sentence for each unsupported layer, as far as that does not depend on shapes."""
    for layer in graph.layers:
        if is_unused(layer):
            continue
        try:
            check_supported(layer)
            check_activation(layer)
            count = len(layer.inputs)
            if layer.class_name in _JOINING and count < 2:
                raise NotTranslated(f"it has {count} inputs, where 2 or more are needed")
            if layer.class_name not in _JOINING and count != 1:
                raise NotTranslated(f"it has {count} inputs, where 1 can be converted")
        except NotTranslated as error:
            yield f"{quote('/'.join(layer.path))} ({layer.class_name[:40]}): {error}"


def _make_layer_name(layer: KerasLayer) -> str:
    """Make a valid name of a layer's Keras name, which may hold any characters."""
    stem = re.sub(r"[^A-Za-z0-9_]", "_", layer.name)[:80]
    return stem if stem.strip("_") else keras_name(layer.class_name)


class _Converter:
    """Converts Keras's layers to steps, one at each call; `build_network` calls it for each node.

    A value is a `FileTensor`: `value.step` is the layer of ours that computes it, with an output of `value.step.shape`,
    and `value.index` has Keras's shape and says where in that output each number stands. A step of (7, 7, 2) and an
    index of (98,) is a flattened map, an index of (2, 7, 7) a map with the channels first.
    """

    def __init__(self, arrays: Arrays) -> None:
        self._arrays = arrays
        self._used: set[tuple[str, ...]] = set()  # the paths of the layers whose weights were read

    def __call__(self, state: State, node: Node) -> FileTensor:
        """Convert a layer: here those that have no weights or join values, all others by `_convert`."""
        layer: KerasLayer = node.attributes["layer"]
        kind, config = layer.class_name, layer.config
        if is_unused(layer):
            state.notes.append(f"`{layer.name}` does nothing at prediction and was left out")
            return state.value(node)
        if node.name != layer.name:
            state.notes.append(f"the layer {quote(layer.name)} is called `{node.name}` here")
        if kind == "Concatenate":
            return elementwise.concatenation(state, node)
        if kind == "Add":
            value, *others = (state.plain(node, position) for position in range(len(node.inputs)))
            for operand in others:
                value = elementwise.add(state, value, operand, node.name)
            return value
        if kind == "Multiply":
            return _multiply(state, node)
        value = state.value(node)
        if kind == "Rescaling":
            return _rescale(value, config)
        if kind == "Reshape":
            return shapes.reshape_value(state, node, value, infer_reshape(config, value.index.size))
        if kind == "Flatten":
            if config.get("data_format") == "channels_first" and value.index.ndim == 3:
                # Keras moves the channels last before it flattens, so that the weights fit both formats.
                value = replace(value, index=value.index.transpose(1, 2, 0))
            return shapes.reshape_value(state, node, value, (value.index.size,))
        return self._convert(state, node, layer)

    def _convert(self, state: State, node: Node, layer: KerasLayer) -> FileTensor:
        """Convert a layer that becomes layers of ours, with its weights.

        Global pooling is converted by the shared translation. All others are described by `convert_layer`: as layers,
        which `_apply_conversion` fills with weights, and then an activation.
        """
        value = state.plain(node)
        if len(value.step.shape) == 1 < value.index.ndim and value.index.shape[-1] == value.index.size:
            # A pooled pixel, (1, 1, C): whatever works on it is converted as on a vector.
            pixel = _as_dense(layer)
            vector = replace(value, index=value.index.reshape(-1))
            result = self._convert_value(state, node, pixel, vector)
            return replace(result, index=result.index.reshape((*value.index.shape[:-1], -1)))
        return self._convert_value(state, node, layer, value)

    def _convert_value(self, state: State, node: Node, layer: KerasLayer, value: FileTensor) -> FileTensor:
        """Convert a layer of ours that reads the plain `value`."""
        order = _find_order(state, value)
        if layer.class_name in (*_ON_MAPS, *_GLOBAL):
            wanted = CHANNELS_FIRST if layer.config.get("data_format") == "channels_first" else CHANNELS_LAST
            if order != wanted:
                raise NotTranslated(f"it needs maps {'(C, H, W)' if wanted == CHANNELS_FIRST else '(H, W, C)'}")
            if layer.class_name in _GLOBAL:
                is_mean, keep = layer.class_name == "GlobalAveragePooling2D", bool(layer.config.get("keepdims"))
                return pool_globally(state, node, value, order, is_mean=is_mean, keep=keep)
        described = _with_our_axis(layer) if order == CHANNELS_FIRST else layer
        # The shape that the layer reads: a vector's is the file's, and maps have ours, (H, W, C).
        conversion = convert_layer(described, value.index.shape if value.index.ndim == 1 else value.step.shape)
        state.notes.extend(note.format(f"`{layer.name}`") for note in conversion.notes)
        if conversion.parts:
            value = self._apply_conversion(state, node, layer, value, conversion, order)
        return value if conversion.activation is None else _activate(state, value, conversion.activation, node.name)

    def _apply_conversion(
        self, state: State, node: Node, layer: KerasLayer, value: FileTensor, conversion: Conversion, order: Order
    ) -> FileTensor:
        """Apply the layers that a Keras layer becomes, without the activation.

        What they read decides how:

            a vector, by a Dense             the shared `shapes.dense`, which puts the kernel's rows into our order
            maps that are read as a vector   a Flatten of ours comes first
            maps, or a vector of ours        just the layers; maps must hold the axes in the order `order`
        """
        is_vector = value.index.ndim == 1
        arrays = self._read_arrays(state, layer, conversion)
        if layer.class_name == "Dense" and is_vector:
            kernel = arrays["kernel"].reshape(arrays["kernel"].shape[-2:])
            return shapes.dense(state, value, kernel, arrays.get("bias"), node.name)
        if is_vector and len(value.step.shape) == 3:  # maps that are read as a vector, after a Reshape or Flatten
            value = replace(value, step=state.work.step(value.step, Flatten()))
            return self._append_layers(state, value, conversion.parts, arrays, node.name, None)
        if (
            is_vector
            and layer.class_name == "GroupNormalization"
            and not state.work.is_order(value.index, value.step.shape, (0,))
        ):
            raise NotTranslated("it groups numbers in another order than layers give them; flatten with channels_last")
        if order is None:
            raise NotTranslated("it reads maps in another order than layers give them; build it without the Reshape")
        if isinstance(conversion.parts[0].layer, Conv2D) and layer.class_name == "Dense" and order != CHANNELS_LAST:
            raise NotTranslated("it reads maps with the channels first; build the model with channels_last")
        return self._append_layers(state, value, conversion.parts, arrays, node.name, order)

    def _read_arrays(self, state: State, layer: KerasLayer, conversion: Conversion) -> Mapping[str, NDArray[Any]]:
        """Read the arrays of a layer that the network needs, and note if it has been here before."""
        needed = {source for part in conversion.parts for source in part.sources.values() if isinstance(source, str)}
        arrays = self._arrays(StoredLayer(layer, conversion.variables, frozenset(needed))) if needed else {}
        if needed and layer.path in self._used:
            state.notes.append(f"`{layer.name}` is used more than once; each time it has a copy of its weights")
        self._used.add(layer.path)
        return arrays

    def _append_layers(
        self,
        state: State,
        value: FileTensor,
        parts: tuple[ConvertedLayer, ...],
        arrays: Mapping[str, NDArray[Any]],
        name: str,
        order: Order,
    ) -> FileTensor:
        """Apply the layers that a Keras layer becomes.

        Weights are for the channels, which both programs store alike. In a vector each number is a channel, so they
        are put from Keras's order of numbers into that of our step. If number 0 of the file is number 2 of our step
        (an index of [2, 0, 1]), its weight moves there: a b c becomes b c a.

        A source of a weight is the name of an array of the file, or a number for all channels, such as 1 for the
        gamma of a layer that has none.
        """
        step = value.step
        is_vector = len(step.shape) == 1
        for part in parts:
            weights = {}
            for weight, shape in part.layer.weight_shapes(step.shape).items():
                source = part.sources[weight]
                if isinstance(source, str):
                    array = arrays[source].reshape(shape)
                    weights[weight] = elementwise.reorder_weights(value.index, array) if is_vector else array
                else:
                    weights[weight] = np.broadcast_to(np.asarray(source, np.float32), shape)
            layer: Any = part.layer
            step = state.work.step(step, replace(layer, name=name + part.suffix), weights)
        if is_vector:
            return replace(value, step=step, users=1)
        return FileTensor(step, state.work.order(step.shape, order or CHANNELS_LAST))


def _with_our_axis(layer: KerasLayer) -> KerasLayer:
    """Copy a layer on maps (N, C, H, W) with the `axis` that it would have on (N, H, W, C)."""
    # Axis 1, the channels, becomes -1. Axis -1, the columns, becomes 0, the images: no layer of ours normalises either,
    # so it is refused.
    axis = layer.config.get("axis", -1)
    return replace(layer, config={**layer.config, "axis": -1 if axis in (1, [1]) else 0 if axis == -1 else axis})


def _find_order(state: State, value: FileTensor) -> Order:
    """Find the order in which a value holds the axes of maps; (0,) for a vector, None for any other order."""
    if value.index.ndim == 1:
        return (0,)
    for order in (CHANNELS_LAST, CHANNELS_FIRST):
        if state.work.is_order(value.index, value.step.shape, order):
            return order
    return None


def _as_dense(layer: KerasLayer) -> KerasLayer:
    """Describe a convolution of one pixel as the dense layer that it is; other layers stay."""
    config = layer.config
    if layer.class_name != "Conv2D" or config.get("kernel_size") not in (1, [1, 1]) or config.get("groups", 1) != 1:
        return layer
    return replace(layer, class_name="Dense", config={**config, "units": config.get("filters")})


def _multiply(state: State, node: Node) -> FileTensor:
    """Multiply all inputs: an activation such as x · sigmoid(x), or `Multiply` layers."""
    if len(node.inputs) == 2 and (activated := match_product(state, node)) is not None:
        return activated
    product, *others = (state.plain(node, position) for position in range(len(node.inputs)))
    for value in others:
        # As Keras does, a value with fewer axes gets axes of size 1 behind that of the images.
        rank = max(product.index.ndim, value.index.ndim)
        product, value = (
            replace(side, index=side.index.reshape((*[1] * (rank - side.index.ndim), *side.index.shape)))
            for side in (product, value)
        )
        product = elementwise.multiply(state, product, value, node.name)
    return product


def _rescale(value: FileTensor, config: Mapping[str, Any]) -> FileTensor:
    """Multiply a value by `scale` and add `offset`: numbers for all channels, or for each."""
    channels = value.index.shape[-1]
    scales, offsets = (np.array(read_rescaling(config, channels, name)) for name in ("scale", "offset"))
    if max(len(scales), len(offsets)) > 1 and value.step.shape != value.index.shape:
        raise NotTranslated("it has a number for each channel, which are not the last axis; build it with them last")
    if value.curve:
        raise NotTranslated("it reads a softmax, which is allowed at the end only")
    # (factor · x + shift) · scale + offset = (factor · scale) · x + (shift · scale + offset)
    scale, offset = to_scalar(scales), to_scalar(offsets)
    return replace(value, factor=to_scalar(value.factor * scale), shift=to_scalar(value.shift * scale + offset))


def _activate(state: State, value: FileTensor, activation: KerasActivation, name: str) -> FileTensor:
    if activation.name == "linear":
        return value
    if activation.name == "softmax":
        if value.index.ndim != 1:
            raise NotTranslated("it takes a softmax of maps; one over the classes is needed, at the end")
        return replace(value, curve="softmax")
    if activation.factor != 1:
        value = replace(state.finish(replace(value, factor=activation.factor)), users=value.users)
    return activate(state, value, activation.name, activation.negative_slope, name)
