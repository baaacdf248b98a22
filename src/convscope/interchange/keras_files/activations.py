"""Read the activations in a Keras configuration, and describe the conversion of a layer."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, get_args

from convscope.architecture import Layer, Shape
from convscope.architecture.layers import ActivationName
from convscope.interchange.activations import ACTIVATION_FORMS
from convscope.interchange.refusal import quote
from convscope.interchange.translation.steps import NotTranslated

DEFAULT_SLOPE = 0.2
"""The slope of an activation named "leaky_relu", in Keras and here."""
HARD_SIGMOID_OF_KERAS_2 = "hard_sigmoid of Keras 2"
"""0.2 · x + 0.5, limited to 0 to 1: ours of 1.2 · x. Keras 3 has another function of the same name, which is ours."""
_NAMES = get_args(ActivationName)
_OTHER_NAMES = {alias: name for name, forms in ACTIVATION_FORMS.items() for alias in forms.other_names}
_OTHER_NAMES["softmax_v2"] = "softmax"  # Keras 2's name of tf.nn.softmax
_NEEDED = f"train with one of {', '.join(_NAMES[:-1])} or, at the end, softmax"


def is_activation(name: str) -> bool:
    """True if we have this activation of Keras."""
    return _OTHER_NAMES.get(name, name) in _NAMES


@dataclass(frozen=True)
class KerasActivation:
    """An activation by our name, of `factor` · x; only `leaky_relu` uses `negative_slope`."""

    name: str
    negative_slope: float = DEFAULT_SLOPE
    factor: float = 1.0


def read_activation(value: Any) -> KerasActivation:
    """Read a layer's `activation`, None for linear; raises `NotTranslated` for functions that we lack."""
    if value is None:
        return KerasActivation("linear")
    if isinstance(value, str):
        value = _OTHER_NAMES.get(value, value)
        if value == HARD_SIGMOID_OF_KERAS_2:
            return KerasActivation("hard_sigmoid", factor=1.2)
        if value not in _NAMES:
            raise NotTranslated(f"its activation is {quote(value)}; {_NEEDED}")
        return KerasActivation(value)
    if isinstance(value, dict):
        kind, config, module = value.get("class_name"), value.get("config"), value.get("module")
        is_of_keras = module is None or str(module).split(".")[0] in ("keras", "tf_keras")
        if is_of_keras and kind == "function" and isinstance(config, str):
            return read_activation(config)
        if is_of_keras and kind in ACTIVATION_LAYERS and isinstance(config, dict):
            return activation_of_layer(str(kind), config)
        raise NotTranslated(
            f"its activation is {quote(kind)} of {quote(module)}, Python code that is never run; {_NEEDED}"
        )
    raise NotTranslated(f"its activation is {quote(value)}; {_NEEDED}")


def activation_of_layer(class_name: str, config: Mapping[str, Any]) -> KerasActivation:
    """Read the activation that a layer of `ACTIVATION_LAYERS` computes; raises `NotTranslated` for unusual options."""
    if class_name == "Activation":
        return read_activation(config.get("activation"))
    if class_name == "ReLU":
        return _relu(config)
    if class_name == "ELU":
        if config.get("alpha", 1.0) != 1:
            raise NotTranslated(f"its alpha is {quote(config.get('alpha'))}; train with alpha 1")
        return KerasActivation("elu")
    if class_name == "LeakyReLU":
        # Keras 2 calls the slope alpha. Without either, the layer's default is 0.3.
        return KerasActivation("leaky_relu", _read_slope(config.get("negative_slope", config.get("alpha", 0.3))))
    if class_name == "GELU":
        if config.get("approximate"):
            raise NotTranslated("it approximates GELU by tanh; train with the exact one (approximate=False)")
        return KerasActivation("gelu")
    if config.get("axis", -1) != -1:
        raise NotTranslated(f"its axis is {quote(config.get('axis'))}; softmax is over the last (-1)")
    return KerasActivation("softmax")


ACTIVATION_LAYERS = ("Activation", "ReLU", "LeakyReLU", "ELU", "GELU", "Softmax")


def _relu(config: Mapping[str, Any]) -> KerasActivation:
    limit, slope = config.get("max_value"), _read_slope(config.get("negative_slope") or 0.0)
    if config.get("threshold") not in (None, 0, 0.0) or limit not in (None, 6) or (limit == 6 and slope):
        raise NotTranslated(
            f"max_value is {quote(limit)}, threshold {quote(config.get('threshold'))} and negative_slope {slope:g}; "
            "train with a plain ReLU, or one with max_value 6"
        )
    if limit == 6:
        return KerasActivation("relu6")
    return KerasActivation("leaky_relu", slope) if slope else KerasActivation("relu")


def _read_slope(value: Any) -> float:
    if isinstance(value, dict) and isinstance(value.get("config"), dict):  # Keras wraps NumPy numbers in an object
        value = value["config"].get("value")
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise NotTranslated(f"its slope below zero is {quote(value)}; it must be a number")
    # Keras 2 keeps the slope in float32: 0.20000000298. With 0.2 the activation fits into the layer before it.
    return DEFAULT_SLOPE if abs(value - DEFAULT_SLOPE) < 1e-7 else float(value)


@dataclass(frozen=True)
class ConvertedLayer:
    """A layer of ours, and the sources of its weights.

    Attributes:
        layer: without a name.
        sources: for each weight, the variable of the Keras layer, or constant numbers (for all channels or for each).
        suffix: appended to the Keras layer's name, if one layer becomes several.
    """

    layer: Layer
    sources: Mapping[str, str | tuple[float, ...]] = field(default_factory=dict)
    suffix: str = ""


@dataclass(frozen=True)
class Conversion:
    """The result of converting one Keras layer.

    Attributes:
        variables: the shapes of the arrays that the Keras layer stores, in its order.
        activation: after the last part; None if there is none.
        notes: sentences on the conversion; `{}` stands for the layer.
    """

    parts: tuple[ConvertedLayer, ...] = ()
    variables: Mapping[str, Shape] = field(default_factory=dict)
    activation: KerasActivation | None = None
    notes: tuple[str, ...] = ()
