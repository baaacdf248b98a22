"""Convert the layers of Keras to ours, one function for each class; classes without a function are not supported.

A function gets the layer's configuration and input shape, (H, W, C) or (units,), and makes our layer, whose own checks
refuse values out of range. Options that only matter in training (initialisers, regularisers, constraints) are ignored.
The `Conversion` says for each weight of our layer which array of Keras it is: {"bias": "bias"}, or a number for all
channels if Keras stores none: {"gamma": (1.0,)}.
"""

from collections.abc import Callable, Mapping
from math import prod
from typing import Any

from convscope.architecture import (
    AveragePooling2D,
    BatchNormalization,
    Conv2D,
    Dense,
    DepthwiseConv2D,
    Dropout,
    GroupNormalization,
    LayerNormalization,
    MaxPooling2D,
    PReLU,
    Shape,
)
from convscope.architecture.layer_json import layer_from_dict
from convscope.interchange.keras_files.activations import (
    ACTIVATION_LAYERS,
    Conversion,
    ConvertedLayer,
    activation_of_layer,
    read_activation,
)
from convscope.interchange.keras_files.graph import KerasLayer
from convscope.interchange.refusal import quote
from convscope.interchange.translation.steps import NotTranslated

_NORMALIZATION = ("gamma", "beta", "moving_mean", "moving_variance")


def convert_layer(layer: KerasLayer, shape: Shape) -> Conversion:
    """Convert a Keras layer with an input of `shape`; raises `NotTranslated` or `ArchitectureError` if that fails."""
    if layer.class_name in ACTIVATION_LAYERS:
        return Conversion(activation=activation_of_layer(layer.class_name, layer.config))
    return _CONVERTERS[layer.class_name](layer.config, shape)


def check_supported(layer: KerasLayer) -> None:
    """Raise `NotTranslated` if a layer with this configuration cannot be converted for any input."""
    if layer.class_name == "Lambda":
        raise NotTranslated(
            "it holds Python code, which is never run; replace it by layers of Keras, such as Rescaling or Reshape"
        )
    if layer.is_foreign:
        raise NotTranslated("it is Python code from outside Keras, which is never run; replace it by layers of Keras")
    if layer.class_name not in SUPPORTED:
        raise NotTranslated(
            _NEEDED.get(layer.class_name)
            or "convscope has no such layer; replace it by layers that docs/keras.md lists"
        )
    if layer.call:
        raise NotTranslated(f"{layer.call}; call each layer once, with its input only")
    for field, (plain, needed) in _PLAIN.items():
        if (value := layer.config.get(field)) is not None and value not in plain:
            raise NotTranslated(f"its {field} is {quote(value)}; {needed}")
    policy = layer.config.get("dtype")
    if isinstance(policy, dict) and str(policy.get("class_name")).startswith("Quantized"):
        raise NotTranslated("its weights are quantized; save the model before quantization")


def is_unused(layer: KerasLayer) -> bool:
    """True if a layer does nothing at prediction: it only changes images or outputs in training."""
    is_random = layer.class_name.startswith("Random") and layer.class_name != "RandomCrop"
    # Keras 3 writes this call for random layers in a Functional model, though its predictions pass training=False.
    is_called_plainly = not layer.call or (is_random and layer.call == "it is called with training=True")
    return (is_random or layer.class_name in _UNUSED_AT_PREDICTION) and not layer.is_foreign and is_called_plainly


def check_activation(layer: KerasLayer) -> None:
    """Raise `NotTranslated` if the layer has, or is, an activation that we lack."""
    if layer.class_name in ACTIVATION_LAYERS:
        activation_of_layer(layer.class_name, layer.config)
    else:
        read_activation(layer.config.get("activation"))


def _conv2d(config: Mapping[str, Any], shape: Shape) -> Conversion:
    layer = Conv2D(
        config.get("filters"),  # type: ignore[arg-type]  # the layer checks its arguments
        config.get("kernel_size"),  # type: ignore[arg-type]
        **_window(config),
        use_bias=config.get("use_bias", True),
        groups=config.get("groups", 1),
    )
    return _with_own_variables(layer, layer.weight_shapes(shape), config)


def _depthwise_conv2d(config: Mapping[str, Any], shape: Shape) -> Conversion:
    layer = _make_depthwise(config, config.get("use_bias", True))
    return _with_own_variables(layer, layer.weight_shapes(shape), config)


def _make_depthwise(config: Mapping[str, Any], use_bias: bool) -> DepthwiseConv2D:
    size: Any = config.get("kernel_size")  # the layer checks it
    multiplier = config.get("depth_multiplier", 1)
    return DepthwiseConv2D(size, **_window(config), depth_multiplier=multiplier, use_bias=use_bias)


def _separable_conv2d(config: Mapping[str, Any], shape: Shape) -> Conversion:
    """SeparableConv2D: a `DepthwiseConv2D`, then a `Conv2D` of 1 × 1."""
    depthwise = _make_depthwise(config, use_bias=False)
    pointwise = Conv2D(config.get("filters"), (1, 1), use_bias=config.get("use_bias", True))  # type: ignore[arg-type]
    kernel_shape = depthwise.weight_shapes(shape)["kernel"]  # (U, V, C, M)
    shapes = pointwise.weight_shapes((1, 1, kernel_shape[2] * kernel_shape[3]))
    return Conversion(
        (
            ConvertedLayer(depthwise, {"kernel": "depthwise_kernel"}, "_depthwise"),
            ConvertedLayer(pointwise, {"kernel": "pointwise_kernel"} | ({"bias": "bias"} if "bias" in shapes else {})),
        ),
        {"depthwise_kernel": kernel_shape, "pointwise_kernel": shapes.pop("kernel"), **shapes},
        read_activation(config.get("activation")),
        ("{} became a DepthwiseConv2D and a Conv2D of 1 x 1",),
    )


def _dense(config: Mapping[str, Any], shape: Shape) -> Conversion:
    """Dense: the same; applied to maps, a `Conv2D` of 1 × 1."""
    units, use_bias = config.get("units"), config.get("use_bias", True)
    dense = Dense(units, use_bias=use_bias)  # type: ignore[arg-type]
    if len(shape) == 1:
        variables = dense.weight_shapes(shape)
        if "kernel_size" in config:  # a convolution of one pixel
            variables["kernel"] = (1, 1, *variables["kernel"])
        return _with_own_variables(dense, variables, config)
    conversion = _with_own_variables(
        Conv2D(dense.units, (1, 1), use_bias=dense.use_bias), dense.weight_shapes(shape[-1:]), config
    )
    note = "{} is applied at each position of the maps and became a Conv2D of 1 x 1"
    return Conversion(conversion.parts, conversion.variables, conversion.activation, (note,))


def _batch_normalization(config: Mapping[str, Any], shape: Shape) -> Conversion:
    """BatchNormalization: the same, over the last axis; without `scale` or `center`, with ones or zeros."""
    _check_last_axis(config, shape)
    # With scale=False Keras stores no gamma, with center=False no beta. The other two are always there.
    options = {"gamma": "scale", "beta": "center"}
    stored = [name for name in _NORMALIZATION if name not in options or config.get(options[name], True)]
    layer = BatchNormalization(config.get("momentum", 0.99), config.get("epsilon", 1e-3))
    missing: dict[str, str | tuple[float, ...]] = {"gamma": (1.0,), "beta": (0.0,)}
    sources = {name: name if name in stored else missing[name] for name in _NORMALIZATION}
    return Conversion((ConvertedLayer(layer, sources),), dict.fromkeys(stored, shape[-1:]))


def _own_normalization(
    kind: type[LayerNormalization] | type[GroupNormalization],
) -> Callable[[Mapping[str, Any], Shape], Conversion]:
    """Make the converter of LayerNormalization or GroupNormalization: the same, over the last axis."""

    def convert(config: Mapping[str, Any], shape: Shape) -> Conversion:
        _check_last_axis(config, shape)
        if config.get("rms_scaling"):
            raise NotTranslated("it scales without a mean (rms_scaling=True); train it without")
        layer: LayerNormalization | GroupNormalization = LayerNormalization(config.get("epsilon", 1e-3))
        if kind is GroupNormalization:
            groups = config.get("groups", 32)
            layer = GroupNormalization(shape[-1] if groups == -1 else groups, config.get("epsilon", 1e-3))
            layer.output_shape(shape)
        options: dict[str, tuple[str, float]] = {"gamma": ("scale", 1.0), "beta": ("center", 0.0)}
        stored = [name for name, (option, _) in options.items() if config.get(option, True)]
        sources: dict[str, str | tuple[float, ...]] = {
            name: name if name in stored else (default,) for name, (_, default) in options.items()
        }
        return Conversion((ConvertedLayer(layer, sources),), dict.fromkeys(stored, shape[-1:]))

    return convert


def _normalization(config: Mapping[str, Any], shape: Shape) -> Conversion:
    """Normalization: a `BatchNormalization`, if it was adapted over the last axis and is not inverted."""
    _check_last_axis(config, shape)
    if config.get("invert"):
        raise NotTranslated("it undoes a normalisation (invert=True); build it without")
    if config.get("mean") is not None or config.get("variance") is not None:
        raise NotTranslated(
            "its mean and variance are arguments; write them as a Rescaling: scale = 1 / sqrt(variance), "
            "offset = -mean * scale"
        )
    # Keras divides by max(σ, 1e-7); √(σ² + 1e-14) is nearly the same.
    layer = BatchNormalization(epsilon=1e-14)
    sources: dict[str, str | tuple[float, ...]] = {"gamma": (1.0,), "beta": (0.0,)}
    sources |= {"moving_mean": "mean", "moving_variance": "variance"}
    variables = {"mean": shape[-1:], "variance": shape[-1:], "count": ()}
    note = "{} became a BatchNormalization with the same numbers, which training would change"
    return Conversion((ConvertedLayer(layer, sources),), variables, notes=(note,))


def _check_last_axis(config: Mapping[str, Any], shape: Shape) -> None:
    axis = config.get("axis", -1)
    axis = axis[0] if isinstance(axis, list) and len(axis) == 1 else axis
    if axis not in (-1, len(shape)):  # `shape` has no batch, so the last axis of the tensor is len(shape)
        raise NotTranslated(f"its axis is {quote(axis)}; only the last axis (channels) can be normalised here")


def read_rescaling(config: Mapping[str, Any], channels: int, field: str) -> tuple[float, ...]:
    """Read the `scale` or `offset` of a Rescaling: a number for all channels or for each; raises `NotTranslated`."""
    value = config.get(field, 0.0 if field == "offset" else None)
    if isinstance(value, dict) and isinstance(value.get("config"), dict):  # Keras wraps NumPy arrays in an object
        value = value["config"].get("value")
    numbers = value if isinstance(value, list) else [value]
    if len(numbers) not in (1, channels) or not all(_is_number(number) for number in numbers):
        raise NotTranslated(f"its {field} is {quote(value)}; it must be one number, or one for each channel")
    return tuple(float(number) for number in numbers)


def _prelu(config: Mapping[str, Any], shape: Shape) -> Conversion:
    shared = config.get("shared_axes") or []
    needed = list(range(1, len(shape)))  # rows and columns of the tensor (N, H, W, C)
    if not isinstance(shared, list) or set(map(str, shared)) != set(map(str, needed)):
        raise NotTranslated(f"its shared_axes is {quote(shared)}; build it with {needed}, one slope per channel")
    alpha = (*(1 for _ in needed), shape[-1])
    return Conversion((ConvertedLayer(PReLU(), {"alpha": "alpha"}),), {"alpha": alpha})


def _zero_padding2d(config: Mapping[str, Any], _: Shape) -> Conversion:
    layer = layer_from_dict({"kind": "ZeroPadding2D", "padding": config.get("padding", 1)})
    return Conversion((ConvertedLayer(layer),))


def _pooling(kind: type[MaxPooling2D] | type[AveragePooling2D]) -> Callable[[Mapping[str, Any], Shape], Conversion]:
    def pooling(config: Mapping[str, Any], _: Shape) -> Conversion:
        layer = kind(config.get("pool_size", (2, 2)), config.get("strides"), config.get("padding", "valid"))
        return Conversion((ConvertedLayer(layer),))

    return pooling


def _dropout(config: Mapping[str, Any], _: Shape) -> Conversion:
    return Conversion((ConvertedLayer(Dropout(config.get("rate"))),))  # type: ignore[arg-type]


def infer_reshape(config: Mapping[str, Any], values: int) -> tuple[int, ...]:
    """Infer the output shape of a Reshape of `values` numbers; raises `NotTranslated` if there is none."""
    target = config.get("target_shape")
    if isinstance(target, list) and all(isinstance(size, int) and not isinstance(size, bool) for size in target):
        known = prod(size for size in target if size != -1)  # -1 stands for the size that fits
        if target.count(-1) <= 1 and known > 0 and values % known == 0:
            shape = tuple(values // known if size == -1 else size for size in target)
            if prod(shape) == values and min(shape, default=0) > 0:
                return shape
    raise NotTranslated(f"its target_shape is {quote(target)}, which does not fit {values} values")


def _with_own_variables(
    layer: Conv2D | DepthwiseConv2D | Dense, variables: Mapping[str, Shape], config: Mapping[str, Any]
) -> Conversion:
    """Make the conversion to `layer`, whose weights have the names of Keras's variables."""
    part = ConvertedLayer(layer, {name: name for name in variables})
    return Conversion((part,), variables, read_activation(config.get("activation")))


def _window(config: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "strides": config.get("strides", (1, 1)),
        "padding": config.get("padding", "valid"),
        "dilation_rate": config.get("dilation_rate", (1, 1)),
    }


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e30


_CONVERTERS: Mapping[str, Callable[[Mapping[str, Any], Shape], Conversion]] = {
    "Conv2D": _conv2d,
    "DepthwiseConv2D": _depthwise_conv2d,
    "SeparableConv2D": _separable_conv2d,
    "Dense": _dense,
    "BatchNormalization": _batch_normalization,
    "GroupNormalization": _own_normalization(GroupNormalization),
    "LayerNormalization": _own_normalization(LayerNormalization),
    "MaxPooling2D": _pooling(MaxPooling2D),
    "AveragePooling2D": _pooling(AveragePooling2D),
    "Dropout": _dropout,
    "Normalization": _normalization,
    "ZeroPadding2D": _zero_padding2d,
    "PReLU": _prelu,
}
SUPPORTED = frozenset({
    *_CONVERTERS, *ACTIVATION_LAYERS, "Add", "Concatenate", "Flatten", "GlobalAveragePooling2D", "GlobalMaxPooling2D",
    "Multiply", "Rescaling", "Reshape",
})  # fmt: skip
# Arguments that our layers lack: the values at which they change nothing, as does None or a missing argument, and the
# next step for all others.
_PLAIN: Mapping[str, tuple[tuple[Any, ...], str]] = {
    "data_format": (("channels_last", "channels_first"), "build the model with channels_last"),
    "mode": ((0,), "normalise each channel over all images (mode 0)"),
    "renorm": ((False,), "train it without"),
    "noise_shape": ((), "train it without"),
    "lora_rank": ((), "merge the LoRA into the kernel and save again"),
    "quantization_config": ((), "save the model before quantization"),
}
_UNUSED_AT_PREDICTION = (
    "ActivityRegularization",
    "AlphaDropout",
    "GaussianDropout",
    "GaussianNoise",
    "Identity",
    "SpatialDropout2D",
)
_NEEDED: Mapping[str, str] = {
    "TFSMLayer": "it loads and runs a program from a folder, which is never done; replace it by layers of Keras",
    "TorchModuleWrapper": "it holds a module of PyTorch, pickled, which is never loaded; replace it by layers of Keras",
    "JaxLayer": "it holds Python code, which is never run; replace it by layers of Keras",
    "FlaxLayer": "it holds Python code, which is never run; replace it by layers of Keras",
    "RandomCrop": "it cuts images at prediction too; crop the images of the data, and build the model without",
}
