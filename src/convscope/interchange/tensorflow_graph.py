"""A model as a graph of TensorFlow's own operators, with the weights as constants: what the TFLite converter is given.

Importing this module imports TensorFlow.
"""

from math import log
from typing import Any

import numpy as np
import tensorflow as tf

from convscope.architecture import LayerRow, Shape
from convscope.architecture.layers import Window
from convscope.engine import Weights
from convscope.interchange.activations import ACTIVATION_FORMS
from convscope.training.model import Model


def answers(model: Model, images: Any) -> dict[str, Any]:
    """Return `logits` and `probabilities`, tensors (N, K) float32, for a tensor of images (N, H, W, C), 0 to 255."""
    image = model.architecture.input
    x = tf.cast(images, tf.float32) * image.scale + image.offset
    outputs: dict[str, Any] = {"input": x}
    activations = {getattr(layer, "activation", "linear") for layer in model.architecture.layers}
    for row in model.architecture.table:
        x = _output(row, model.weights, x, outputs, activations)
        outputs[row.layer.name] = x
    return {"logits": tf.identity(x), "probabilities": tf.nn.softmax(x)}


def _output(row: LayerRow, weights: Weights, x: Any, earlier: dict[str, Any], activations: set[str]) -> Any:
    """Compute the output of a layer for `x`, without the softmax of the last one.

    `earlier` are the outputs of the layers before it, and `activations` the names of all that the network has.
    """
    layer: Any = row.layer

    def weight(part: str) -> Any:
        return weights[f"{layer.name}/{part}"]

    match layer.kind:
        case "Conv2D":
            x, padding = _read(x, layer.window, row.input_shape)
            x = tf.nn.conv2d(x, weight("kernel"), layer.strides, padding, dilations=layer.dilation_rate)
        case "DepthwiseConv2D":
            x, padding = _read(x, layer.window, row.input_shape)
            strides = (1, *layer.strides, 1)
            x = tf.nn.depthwise_conv2d(x, weight("kernel"), strides, padding, dilations=layer.dilation_rate)
        case "MaxPooling2D":
            return tf.nn.max_pool2d(x, layer.pool_size, layer.strides, layer.padding.upper())
        case "AveragePooling2D":  # without the pixels beyond an edge, in TensorFlow as in TFLite
            return tf.nn.avg_pool2d(x, layer.pool_size, layer.strides, layer.padding.upper())
        case "GlobalMaxPooling2D":
            return tf.reduce_max(x, (1, 2))
        case "GlobalAveragePooling2D":
            return tf.reduce_mean(x, (1, 2))
        case "Flatten":
            return tf.reshape(x, (-1, row.output_shape[0]))
        case "Dropout":
            return x
        case "BatchNormalization":
            scale = weight("gamma") / np.sqrt(weight("moving_variance").astype(np.float64) + layer.epsilon)
            shift = weight("beta") - weight("moving_mean") * scale
            x = x * scale.astype(np.float32) + shift.astype(np.float32)
        case "Add":
            x = x + earlier[layer.from_layer]
        case "PReLU":  # in the form of which the converter makes one operator
            return tf.nn.relu(x) + -weight("alpha") * tf.nn.relu(-x)
        case "Branch":
            return earlier[layer.from_layer]
        case "Concatenate":
            return tf.concat((earlier[layer.from_layer], x), -1)
        case "SoftVoting":
            logits = tf.reshape(x, (-1, layer.members, row.output_shape[0]))
            logarithms = tf.nn.log_softmax(logits)
            votes = tf.reduce_logsumexp(logarithms, 1) - log(layer.members)
            return votes + tf.reduce_mean(logits - logarithms, (1, 2))[:, None]
        case "Dense":
            x = tf.matmul(x, weight("kernel"))
        case "ZeroPadding2D":
            return tf.pad(x, ((0, 0), *layer.padding, (0, 0)))
        case _:
            assert layer.kind == "Activation", layer
            # The converter fuses a relu into the last product of a gelu, and then knows neither of them.
            if layer.activation in ("relu", "relu6") and "gelu" in activations:
                above = tf.nn.leaky_relu(x, 0.0)
                return tf.minimum(above, 6.0) if layer.activation == "relu6" else above
            return _activate(x, layer.activation, layer.negative_slope)
    if getattr(layer, "use_bias", False):
        x = x + weight("bias")
    return _activate(x, layer.activation)


def _read(x: Any, window: Window, input_shape: Shape) -> tuple[Any, str]:
    """Return the part of maps that the windows of a convolution read, and the padding it needs.

    Where a kernel is smaller than its stride, the last pixels may not be read. TensorFlow's TFLite interpreter then
    places the windows of SAME wrongly (seen in 2.21; LiteRT 2.3 does not): so it is given no such pixels.
    """
    if window.padding == "valid":
        return x, "VALID"
    axes = list(zip(input_shape, window.reach, window.strides, strict=False))
    needed = [(-(-size // stride) - 1) * stride + kernel for size, kernel, stride in axes]  # by all windows together
    beyond = [pixels - size for pixels, (size, _, _) in zip(needed, axes, strict=True)]
    if max(beyond) <= 0:
        return x, "VALID"
    return (x[:, : needed[0], : needed[1]] if min(beyond) < 0 else x), "SAME"


def _activate(x: Any, name: str, negative_slope: float = 0.2) -> Any:
    if name in ("linear", "softmax"):  # softmax is the last, of logits
        return x
    return tf.nn.leaky_relu(x, negative_slope) if name == "leaky_relu" else ACTIVATION_FORMS[name].tensorflow(tf, x)
