"""Build a model from TensorFlow's operators, with the weights as constants, for the TFLite converter.

Importing this module imports TensorFlow.
"""

from math import log, prod
from typing import Any

import numpy as np
import tensorflow as tf

from convscope.architecture import LayerRow, Shape
from convscope.architecture.layers import Window
from convscope.engine import Weights
from convscope.interchange.activations import ACTIVATION_FORMS
from convscope.training.model import Model


def compute_outputs(model: Model, images: Any) -> dict[str, Any]:
    """Compute `logits` and `probabilities`, tensors (N, K) float32, of a tensor of images (N, H, W, C), 0 to 255."""
    image = model.architecture.input
    x = tf.cast(images, tf.float32) * image.scale + image.offset
    outputs: dict[str, Any] = {"input": x}
    activations = {getattr(layer, "activation", "linear") for layer in model.architecture.layers}
    for row in model.architecture.table:
        x = _compute_layer(row, model.weights, x, outputs, activations)
        outputs[row.layer.name] = x
    return {"logits": tf.identity(x), "probabilities": tf.nn.softmax(x)}


def _compute_layer(row: LayerRow, weights: Weights, x: Any, earlier: dict[str, Any], activations: set[str]) -> Any:
    """Compute a layer's output for `x`, without a softmax at the end.

    A case that returns computes the whole layer. The others go on to the bias and the activation at the end.

    `earlier` are the outputs of earlier layers, `activations` the names of all activations in the network.
    """
    layer: Any = row.layer

    def weight(part: str) -> Any:
        return weights[f"{layer.name}/{part}"]

    match layer.kind:
        case "Conv2D":
            x, padding = _pad(x, layer.window, row.input_shape)
            x = tf.nn.conv2d(x, weight("kernel"), layer.strides, padding, dilations=layer.dilation_rate)
        case "DepthwiseConv2D":
            x, padding = _pad(x, layer.window, row.input_shape)
            strides, dilations = (1, *layer.strides, 1), (1, *layer.dilation_rate, 1)
            # `tf.nn.depthwise_conv2d` moves pixels into the batch and back, where TFLite has dilations.
            x = tf.raw_ops.DepthwiseConv2dNative(
                input=x, filter=weight("kernel"), strides=strides, padding=padding, dilations=dilations
            )
        case "MaxPooling2D":
            return tf.nn.max_pool2d(x, layer.pool_size, layer.strides, layer.padding.upper())
        case "AveragePooling2D":  # neither TensorFlow nor TFLite counts the pixels of padding
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
            # Computed in float64 here, so that the file has one product and one sum: factor · x + (β - factor · μ).
            scale = weight("gamma") / np.sqrt(weight("moving_variance").astype(np.float64) + layer.epsilon)
            shift = weight("beta") - weight("moving_mean") * scale
            x = x * scale.astype(np.float32) + shift.astype(np.float32)
        case "Add":
            x = x + earlier[layer.from_layer]
        case "LayerNormalization" | "GroupNormalization":
            is_group = layer.kind == "GroupNormalization"
            groups = layer.groups if is_group else 1
            channels = row.input_shape[-1]
            parts = (
                tf.reshape(x, (-1, prod(row.input_shape) // channels, groups, channels // groups)) if is_group else x
            )
            axes = (1, 3) if is_group else -1
            centred = parts - tf.reduce_mean(parts, axes, keepdims=True)
            variance = tf.reduce_mean(tf.square(centred), axes, keepdims=True)
            normalized = tf.reshape(centred * tf.math.rsqrt(variance + layer.epsilon), (-1, *row.input_shape))
            return normalized * weight("gamma") + weight("beta")
        case "Multiply":
            return earlier[layer.from_layer] * (tf.reshape(x, (-1, 1, 1, x.shape[-1])) if len(x.shape) == 2 else x)
        case "PReLU":  # the converter recognises this form and makes one operator of it
            return tf.nn.relu(x) + -weight("alpha") * tf.nn.relu(-x)
        case "Branch":
            return earlier[layer.from_layer]
        case "Concatenate":
            return tf.concat((earlier[layer.from_layer], x), -1)
        case "SoftVoting":
            logits = tf.reshape(x, (-1, layer.members, row.output_shape[0]))
            logarithms = tf.nn.log_softmax(logits)
            # The logarithms of the members' mean probabilities, plus the mean of log Σ exp(logits) over the members.
            votes = tf.reduce_logsumexp(logarithms, 1) - log(layer.members)
            return votes + tf.reduce_mean(logits - logarithms, (1, 2))[:, None]
        case "Dense":
            x = tf.matmul(x, weight("kernel"))
        case "ZeroPadding2D":
            return tf.pad(x, ((0, 0), *layer.padding, (0, 0)))
        case _:
            assert layer.kind == "Activation", layer
            # The converter fuses a relu into the last product of a gelu and then recognises neither. It does not fuse a
            # leaky_relu, which with slope 0 is the relu.
            if layer.activation in ("relu", "relu6") and "gelu" in activations:
                above = tf.nn.leaky_relu(x, 0.0)
                return tf.minimum(above, 6.0) if layer.activation == "relu6" else above
            return _activate(x, layer.activation, layer.negative_slope)
    if getattr(layer, "use_bias", False):
        x = x + weight("bias")
    return _activate(x, layer.activation)


def _pad(x: Any, window: Window, input_shape: Shape) -> tuple[Any, str]:
    """Choose TensorFlow's padding for the windows of a convolution, and pad where it has none that fits.

    If a kernel is smaller than its stride, windows may miss the last pixels. TensorFlow's TFLite interpreter then
    places the windows of SAME wrongly (seen in 2.21; LiteRT 2.3 does not), so such maps get their zeros before.
    """
    if window.padding == "valid":
        return x, "VALID"
    axes = list(zip(input_shape, window.reach, window.strides, strict=False))
    # ⌈size / stride⌉ windows together cover (windows - 1) · stride + kernel pixels: more than the map if it needs
    # padding, and fewer if the windows miss its last pixels. 5 pixels with kernel 1 and stride 3 have windows at 0 and
    # 3, which cover 4.
    missing = [(-(-size // stride) - 1) * stride + kernel - size for size, kernel, stride in axes]
    if min(missing) >= 0 and max(missing) > 0:
        return x, "SAME"
    pads = [(pixels // 2, pixels - pixels // 2) for pixels in map(max, missing, (0, 0))]
    return (tf.pad(x, ((0, 0), *pads, (0, 0))) if max(missing) > 0 else x), "VALID"


def _activate(x: Any, name: str, negative_slope: float = 0.2) -> Any:
    if name in ("linear", "softmax"):  # a softmax is the last; `compute_outputs` computes it from the logits
        return x
    return tf.nn.leaky_relu(x, negative_slope) if name == "leaky_relu" else ACTIVATION_FORMS[name].tensorflow(tf, x)
