"""Translate layers of Keras 1, and TensorFlow's functions in models of Keras 2, to the names of Keras 2 and 3.

Only the names changed between these versions, and what `hard_sigmoid` computes.
"""

from collections.abc import Mapping
from typing import Any

from convscope.interchange.keras_files.activations import HARD_SIGMOID_OF_KERAS_2, is_activation

_CLASSES = {  # Keras 2's class by Keras 1's
    "Convolution2D": "Conv2D",
    "AtrousConvolution2D": "Conv2D",
    "SeparableConvolution2D": "SeparableConv2D",
    "Deconvolution2D": "Conv2DTranspose",
}
_FIELDS = {
    "nb_filter": "filters",
    "subsample": "strides",
    "border_mode": "padding",
    "bias": "use_bias",
    "output_dim": "units",
    "p": "rate",
    "atrous_rate": "dilation_rate",
}
# How Keras 2 writes x + y, tf.add(x, y) and x * y.
_FUNCTIONS = {"__operators__.add": "Add", "math.add": "Add", "math.multiply": "Multiply"}
_MERGES = {"sum": "Add", "concat": "Concatenate"}
_DATA_FORMATS = {"tf": "channels_last"}  # "th" stores kernels in another order, so it keeps its name and is refused


def modernize(class_name: str, config: Mapping[str, Any], is_keras_2: bool) -> tuple[str, Mapping[str, Any]]:
    """Translate a layer's class and configuration to Keras 2's; those that are Keras 2's or 3's stay as they are.

    Example: the Convolution2D {"nb_filter": 8, "nb_row": 3, "nb_col": 3, "border_mode": "same"} becomes the Conv2D
    {"filters": 8, "kernel_size": [3, 3], "padding": "same"}.
    """
    if is_keras_2 and config.get("activation") == "hard_sigmoid":
        config = {**config, "activation": HARD_SIGMOID_OF_KERAS_2}
    if class_name == "TFOpLambda":
        function = config.get("function")
        if function in _FUNCTIONS:
            return _FUNCTIONS[function], config
        library, _, name = str(function).partition(".")
        if library in ("nn", "math") and is_activation(name):
            return "Activation", {**config, "activation": name}
    if class_name == "Merge" and (merge := _MERGES.get(str(config.get("mode")))):
        changes = {"axis": config.get("concat_axis", -1)} if merge == "Concatenate" else {}
        return merge, {key: value for key, value in config.items() if key != "mode"} | changes
    # A configuration without any of Keras 1's fields is newer. A ZeroPadding2D has none of them in any version, so its
    # padding is always read.
    is_old = bool({*_FIELDS, "dim_ordering", "nb_row"} & config.keys())
    class_name = _CLASSES.get(class_name, class_name)
    if not is_old and class_name != "ZeroPadding2D":
        return class_name, config
    new = {
        _FIELDS.get(key, key): value for key, value in config.items() if key not in ("dim_ordering", "nb_row", "nb_col")
    }
    if "nb_row" in config:
        new["kernel_size"] = [config["nb_row"], config.get("nb_col")]
    if "dim_ordering" in config:
        ordering = config["dim_ordering"]
        new["data_format"] = _DATA_FORMATS.get(ordering, ordering) if isinstance(ordering, str) else ordering
    if class_name == "ZeroPadding2D":
        new["padding"] = _read_padding(config.get("padding", 1))
    return class_name, new


def _read_padding(value: Any) -> Any:
    """Read ((top, bottom), (left, right)), which Keras 1 wrote as two numbers, four numbers or a dictionary."""
    if isinstance(value, dict):
        value = [value.get(f"{side}_pad", 0) for side in ("top", "bottom", "left", "right")]
    if isinstance(value, list) and all(isinstance(number, int) for number in value):
        if len(value) == 2:
            return [[value[0], value[0]], [value[1], value[1]]]
        if len(value) == 4:
            return [value[:2], value[2:]]
    return value
