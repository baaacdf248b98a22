"""Build a Keras model from an `Architecture` and weights, of Keras's own layers with our names.

If a layer of ours needs several of Keras, the further ones are named after it: `NAME_activation` follows a
`BatchNormalization` or an `Add`, which have no activation in Keras; `NAME_padding` and `NAME_strides` stand around a
`DepthwiseConv2D` whose row and column strides differ, which TensorFlow does not compute.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import log
from typing import Any, Literal

from convscope.architecture import Architecture, AveragePooling2D, DepthwiseConv2D, LayerRow
from convscope.architecture.network import FreeNames
from convscope.architecture.table import get_source_name
from convscope.base.errors import EngineError
from convscope.engine.keras.backend import BACKEND_VARIABLE, backend_name, load_keras
from convscope.engine.network import Weights, check_weights, float_array

_NUM_VOTING_LAYERS = 10  # the number of layers that `_voting_layers` makes

Output = Literal["logits", "probabilities", "both"]


@dataclass(frozen=True, eq=False)
class Block:
    """The Keras layers that compute one of ours, one after the other.

    Attributes:
        name: the name of our layer; "input" is the normalisation of the image.
        kind: the kind of our layer; "" for the input.
        reads: the name of an earlier block whose output the first layer reads in addition to the previous one, or a
            `Branch` instead of it; "" for all other layers.
        layers: Keras's, at least one. Each reads the one before, except in a `SoftVoting`, see `_connect_voting`.
    """

    name: str
    kind: str
    reads: str
    layers: tuple[Any, ...]

    def __call__(self, values: Mapping[str, Any], x: Any) -> Any:
        """Compute the block's output from the output `x` of the previous block and all `values` by name."""
        y, layers = self._find_input(values, x), self.layers
        if self.kind == "SoftVoting":  # an activation may follow
            y, layers = _connect_voting(layers[:_NUM_VOTING_LAYERS], y), layers[_NUM_VOTING_LAYERS:]
        for layer in layers:
            y = layer(y)
        return y

    def _find_input(self, values: Mapping[str, Any], x: Any) -> Any:
        if not self.reads:
            return x
        earlier_output = values[self.reads]
        # `Concatenate` joins the channels in this order; for `Add` it makes no difference.
        return earlier_output if self.kind == "Branch" else [earlier_output, x]


def build_keras(architecture: Architecture, weights: Weights, *, output: Output = "probabilities") -> Any:
    """Build `architecture` with `weights` as a Keras model of images (N, H, W, C) from 0 to 255, float32 or uint8.

    It is a `keras.Sequential`, or a functional `keras.Model` if a layer reads an earlier one or both outputs are
    requested. It computes in float32 and channels last, whatever Keras's settings are, and normalises the images
    itself.

    Args:
        weights: by name, of any type that `float_array` takes.
        output: "logits" (N, K), their softmax "probabilities" (N, K), or "both" as a dict of these names.

    Raises:
        ValueError: if the weights do not fit the architecture.
        MissingPackageError: if Keras or a backend is missing.
        EngineError: if Keras computes one of the layers wrongly on its backend.
    """
    check_weights(architecture, weights)
    blocks = keras_blocks(architecture, softmax=output == "probabilities")
    model = _connect_both(architecture, blocks) if output == "both" else connect_blocks(architecture, blocks)
    set_weights(blocks, weights)
    return model


def keras_blocks(architecture: Architecture, *, softmax: bool) -> list[Block]:
    """Make Keras layers for the image's normalisation and each layer; with `softmax` they end in probabilities."""
    keras = load_keras()
    # Gives names for Keras layers that are not ours, with a number if one of ours has the name already.
    free = FreeNames(layer.name for layer in architecture.layers)
    image = architecture.input
    scaling = keras.layers.Rescaling(image.scale, image.offset, name=free("rescaling"), dtype="float32")
    blocks = [Block("input", "", "", (scaling,))]
    last = architecture.layers[-1]
    for row in architecture.table:
        layer = row.layer
        activation = getattr(layer, "activation", "linear")
        if layer is last:  # softmax is its only activation, which a model of logits leaves out
            activation = "softmax" if softmax else "linear"
        blocks.append(Block(layer.name, layer.kind, get_source_name(layer), _make_layers(row, activation, free)))
    return blocks


def connect_blocks(architecture: Architecture, blocks: list[Block]) -> Any:
    """Connect the blocks to a model."""
    keras = load_keras()
    image = _make_input(architecture, blocks)
    if any(block.reads or block.kind == "SoftVoting" for block in blocks):
        return keras.Model(image, _compute_outputs(blocks, image)[blocks[-1].name], name=_model_name(architecture))
    layers = [layer for block in blocks for layer in block.layers]
    return keras.Sequential([image, *layers], name=_model_name(architecture))


def weight_variables(blocks: list[Block], names: Mapping[str, Any]) -> dict[str, Any]:
    """Find the Keras variable of each weight of `names`, such as `LAYER/kernel`, in their order."""
    # Keras's layers have an attribute of the same name as our weight: `kernel`, `bias`, `gamma`, `moving_mean`, ...
    holders = {layer.name: layer for block in blocks for layer in block.layers}
    return {name: getattr(holders[name.partition("/")[0]], name.partition("/")[2]) for name in names}


def set_weights(blocks: list[Block], weights: Weights) -> None:
    """Assign the weights to the layers of a model."""
    for name, variable in weight_variables(blocks, weights).items():
        variable.assign(float_array(weights[name]).reshape(variable.shape))


def _make_layers(row: LayerRow, activation: str, free: FreeNames) -> tuple[Any, ...]:
    """Make the Keras layers of a layer; the last applies `activation`."""
    keras = load_keras()
    layer: Any = row.layer
    # The settings of every Keras layer, and those of a layer that reads maps.
    common: dict[str, Any] = {"name": layer.name, "dtype": "float32"}
    maps: dict[str, Any] = {**common, "data_format": "channels_last"}
    if layer.kind == "Activation":
        return (_make_activation(activation, layer.name, layer.negative_slope),)
    if layer.kind in ("Conv2D", "DepthwiseConv2D", "Dense"):
        weighted = {"activation": activation, "use_bias": getattr(layer, "use_bias", True)}
        if layer.kind == "Dense":
            return (keras.layers.Dense(row.output_shape[-1], **weighted, **common),)
        if isinstance(layer, DepthwiseConv2D):
            return _depthwise(row, weighted, maps, free)
        more = _window_settings(layer) | {"dilation_rate": layer.dilation_rate, "groups": layer.groups}
        return (keras.layers.Conv2D(row.output_shape[-1], layer.window.size, **more, **weighted, **maps),)
    # The other kinds take no activation in Keras, so it is a layer of its own.
    own = _voting_layers(row, common, free) if layer.kind == "SoftVoting" else (_make_plain_layer(row, common, maps),)
    return own if activation == "linear" else (*own, _make_activation(activation, free(f"{layer.name}_activation")))


def _make_plain_layer(row: LayerRow, common: dict[str, Any], maps: dict[str, Any]) -> Any:
    """Make the Keras layer of a layer without a kernel."""
    layers = load_keras().layers
    layer: Any = row.layer
    match layer.kind:
        case "MaxPooling2D" | "AveragePooling2D":
            _check_average(row)
            return getattr(layers, layer.kind)(layer.window.size, **_window_settings(layer), **maps)
        case "GlobalMaxPooling2D" | "GlobalAveragePooling2D" | "Flatten":
            return getattr(layers, layer.kind)(**maps)
        case "ZeroPadding2D":
            return layers.ZeroPadding2D(layer.padding, **maps)
        case "Dropout":
            # `seed_dropout` sets the state of its generator before each epoch; without a seed Keras would draw one.
            return layers.Dropout(layer.rate, seed=0, **common)
        case "BatchNormalization":
            settings = {"momentum": layer.momentum, "epsilon": layer.epsilon}
            return layers.BatchNormalization(axis=-1, **settings, **common)
        case "LayerNormalization":
            return layers.LayerNormalization(axis=-1, epsilon=layer.epsilon, **common)
        case "GroupNormalization":
            return layers.GroupNormalization(layer.groups, axis=-1, epsilon=layer.epsilon, **common)
        case "Add" | "Multiply":  # Keras gives a vector the axes of maps
            return getattr(layers, layer.kind)(**common)
        case "PReLU":  # one slope for each channel: rows and columns share it
            return layers.PReLU(shared_axes=list(range(1, len(row.input_shape))) or None, **common)
        case "Branch":  # a layer that changes nothing, so that our name is in the model
            return layers.Activation("linear", **common)
        case "Concatenate":
            return layers.Concatenate(axis=-1, **common)
    raise AssertionError(layer.kind)


def _voting_layers(row: LayerRow, common: dict[str, Any], free: FreeNames) -> tuple[Any, ...]:
    """Make the Keras layers of a `SoftVoting`, which `_connect_voting` connects.

    Keras has no layer for log Σ exp of a row x. But log_softmax(x) = x - log Σ exp(x), so subtracting it from x leaves
    log Σ exp(x) in every number of the row.
    """
    layers, name = load_keras().layers, row.layer.name
    members = row.input_shape[0] // row.output_shape[0]

    def settings(part: str) -> dict[str, Any]:
        return common | {"name": free(f"{name}_{part}")}

    return (
        layers.Reshape((members, *row.output_shape), **common),  # (members, K)
        layers.Activation("log_softmax", **settings("logarithms")),  # log p[i, k] of member i and class k
        layers.Subtract(**settings("sums")),  # log Σ_k exp of each member's logits
        layers.Permute((2, 1), **settings("by_class")),  # (K, members)
        layers.Activation("log_softmax", **settings("shares")),
        layers.Subtract(**settings("class_sums")),  # log Σ_i p[i, k]
        layers.Permute((2, 1), **settings("by_member")),  # (members, K), with equal rows
        layers.Add(**settings("votes")),
        layers.GlobalAveragePooling1D(data_format="channels_last", **settings("mean")),  # (K,), over members
        layers.Rescaling(1.0, -log(members), **settings("shift")),  # x · 1 - log members
    )


def _connect_voting(voting: Sequence[Any], x: Any) -> Any:
    """Connect the layers of `_voting_layers` from the members' logits `x` to the ensemble's logits (N, K).

    y[k] = log Σ_i p[i, k] - log members + 1 / members · Σ_i log Σ_j exp(x[i, j])

    As the rows of `class_sums` are equal, the mean over members leaves them as they are and takes that of `sums`.
    """
    rows, log_softmax, subtract, by_class, class_log_softmax, class_subtract, by_member, add, mean, shift = voting
    logits = rows(x)
    log_p = log_softmax(logits)
    sums = subtract([logits, log_p])  # log Σ_j exp(x[i, j])
    log_p_by_class = by_class(log_p)
    class_sums = by_member(class_subtract([log_p_by_class, class_log_softmax(log_p_by_class)]))  # log Σ_i p[i, k]
    return shift(mean(add([class_sums, sums])))


def _check_average(row: LayerRow) -> None:
    """Raise `EngineError` if Keras 3.15 on PyTorch would count padding in a mean, as copies of the edge.

    It does so if an axis has more padding on one side than on the other and the window has more than two pixels there.
    """
    layer = row.layer
    if not isinstance(layer, AveragePooling2D) or layer.padding == "valid" or backend_name() != "torch":
        return
    frame = layer.window.frame(row.input_shape)
    is_wide = any(any(zeros) and kernel > 2 for zeros, kernel in zip(frame, layer.window.size, strict=True))
    if is_wide and any(before != after for before, after in frame):
        raise EngineError(
            f"{layer.name}: Keras on PyTorch takes means over such windows of `same` padding wrongly; "
            f"set {BACKEND_VARIABLE} to tensorflow or jax"
        )


def _depthwise(row: LayerRow, weighted: dict[str, Any], maps: dict[str, Any], free: FreeNames) -> tuple[Any, ...]:
    """Make the Keras layers of a depthwise convolution: one, or two or three if its strides differ."""
    layers, layer = load_keras().layers, row.layer
    assert isinstance(layer, DepthwiseConv2D)
    window = layer.window
    settings = {"depth_multiplier": layer.depth_multiplier, "dilation_rate": layer.dilation_rate, **weighted, **maps}
    if window.strides[0] == window.strides[1]:
        return (layers.DepthwiseConv2D(window.size, **_window_settings(layer), **settings),)
    # TensorFlow needs equal strides. So the convolution moves by one pixel, and a pooling of 1 × 1 windows takes every
    # s-th row and t-th column of its output. Its padding is that of the strides, hence a layer before it.
    chain = [layers.DepthwiseConv2D(window.size, **settings)]
    frame = window.frame(row.input_shape)
    if any(map(any, frame)):
        chain.insert(0, layers.ZeroPadding2D(frame, **maps | {"name": free(f"{layer.name}_padding")}))
    chain.append(layers.MaxPooling2D(1, window.strides, **maps | {"name": free(f"{layer.name}_strides")}))
    return tuple(chain)


def _window_settings(layer: Any) -> dict[str, Any]:
    return {"strides": layer.window.strides, "padding": layer.window.padding}


def _make_activation(activation: str, name: str, negative_slope: float = 0.2) -> Any:
    layers = load_keras().layers
    if activation == "leaky_relu":  # Keras's layer has another default slope, 0.3
        return layers.LeakyReLU(negative_slope, name=name, dtype="float32")
    return layers.Activation(activation, name=name, dtype="float32")


def _make_input(architecture: Architecture, blocks: list[Block]) -> Any:
    name = FreeNames(layer.name for block in blocks for layer in block.layers)("images")
    return load_keras().Input(architecture.input.shape, name=name, dtype="float32")


def _compute_outputs(blocks: list[Block], image: Any) -> dict[str, Any]:
    """Connect the blocks one after the other; return each block's output by its name."""
    values: dict[str, Any] = {}
    x = image
    for block in blocks:
        values[block.name] = x = block(values, x)
    return values


def _connect_both(architecture: Architecture, blocks: list[Block]) -> Any:
    """Connect the blocks to a model with two outputs, the logits and their softmax."""
    image = _make_input(architecture, blocks)
    logits = _compute_outputs(blocks, image)[blocks[-1].name]
    layer_names = {layer.name for block in blocks for layer in block.layers}
    probabilities = _make_activation("softmax", FreeNames(layer_names)("probabilities"))(logits)
    return load_keras().Model(image, {"logits": logits, "probabilities": probabilities}, name=_model_name(architecture))


def _model_name(architecture: Architecture) -> str:
    """Write the architecture's name in letters that Keras and TensorFlow accept as a model's name."""
    return re.sub(r"[^A-Za-z0-9_.-]+", "_", architecture.name).lstrip("_.-") or "model"
