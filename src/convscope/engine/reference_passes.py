"""The passes of the reference through a network, layer by layer; the mathematics is in `reference_layers`.

`forward` keeps the output of every step. `backward` goes through the same steps from the last to the first: it turns
the gradient with respect to a step's output into those with respect to its input and its weights.
"""

from collections import defaultdict
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from convscope.architecture import Architecture, layers
from convscope.architecture.layers import NON_TRAINABLE_WEIGHTS
from convscope.architecture.table import get_source_name
from convscope.engine import reference_layers as ops, reference_normalization as norms
from convscope.engine.network import Ablation
from convscope.engine.reference_activations import ACTIVATIONS, activate, activate_backward, prelu, prelu_backward
from convscope.engine.reference_layers import Array
from convscope.engine.reference_voting import soft_voting, soft_voting_backward

Weights64 = dict[str, Array]
"""All weights of a network by name, in float64."""
DropoutMasks = dict[str, NDArray[np.bool_]]
"""For each `Dropout`, by its name, a mask that is true for the numbers that it keeps."""


class _Step(NamedTuple):
    """One step of a pass: a layer, or the activation in its arguments, which follows it."""

    layer: layers.Layer
    activation: str = ""  # "" for the layer itself


class Passes:
    """The steps of an architecture in their order; each pass takes the weights as an argument.

    A `Conv2D` with relu, a `Flatten` and a `Dense` with softmax are four steps, and `forward` returns five values:

        step      0             1             2             3
        reads     0 images      1 conv2d      2 relu        3 vector
        writes    1 conv2d      2 relu        3 vector      4 logits

    Here `output_of` is {"input": 0, "conv2d": 2, "flatten": 3, "dense": 4}.

    Attributes:
        output_of: the index of a layer's output, after its activation, among the values of `forward`.
    """

    def __init__(self, architecture: Architecture) -> None:
        self._architecture = architecture
        self._steps: list[_Step] = []
        for layer in architecture.layers:
            self._steps.append(_Step(layer))
            activation = "" if isinstance(layer, layers.Activation) else getattr(layer, "activation", "")
            if activation in ACTIVATIONS:
                self._steps.append(_Step(layer, activation))
        # A layer with an activation has two steps; the later one, its activation, replaces the first in the dict.
        self.output_of = {"input": 0} | {layer.name: number for number, (layer, _) in enumerate(self._steps, 1)}

    def draw_dropout_masks(self, key: int, first: int, images: int) -> DropoutMasks:
        """Draw the mask of each `Dropout` for `images` images, from number `first` of the epoch on."""
        return {
            row.layer.name: ops.draw_dropout_mask(key, number, first, (images, *row.input_shape), row.layer.dropped)
            for number, row in enumerate(self._architecture.table)
            if isinstance(row.layer, layers.Dropout)
        }

    def forward(
        self, weights: Weights64, images: NDArray[np.uint8], masks: DropoutMasks | None = None, ablation: Ablation = ()
    ) -> list[Array]:
        """Compute the normalised images and then the output of every step, without the final softmax.

        In training, `masks` comes from `draw_dropout_masks`, and batch normalisation uses the batch's own statistics.
        Without masks, nothing is dropped, and the moving statistics are used.
        """
        image = self._architecture.input
        values = [images.astype(np.float64) * image.scale + image.offset]
        for layer, activation in self._steps:
            x, earlier = values[-1], values[self.output_of[get_source_name(layer) or "input"]]
            match layer:
                case _ if activation:
                    y = activate(x, activation)
                case layers.Activation():
                    y = activate(x, layer.activation, layer.negative_slope)
                case layers.Conv2D():
                    y = ops.convolution(x, *_layer_weights(weights, layer), layer.window)
                case layers.DepthwiseConv2D():
                    y = ops.depthwise(x, *_layer_weights(weights, layer), layer.window)
                case layers.MaxPooling2D():
                    y = ops.max_pooling(x, layer.window)
                case layers.AveragePooling2D():
                    y = ops.average_pooling(x, layer.window)
                case layers.GlobalMaxPooling2D():
                    y = ops.max_pooling(x, ops.whole_map(x))[:, 0, 0]  # from (N, 1, 1, C) to (N, C)
                case layers.GlobalAveragePooling2D():
                    y = ops.average_pooling(x, ops.whole_map(x))[:, 0, 0]
                case layers.ZeroPadding2D():
                    y = ops.zero_padding(x, layer.padding)
                case layers.Dense():
                    y = ops.dense(x, *_layer_weights(weights, layer))
                case layers.Dropout():
                    y = ops.dropout(x, masks[layer.name], layer.dropped / 2**24) if masks is not None else x
                case layers.BatchNormalization():
                    gamma, beta = _layer_weights(weights, layer)
                    mean, variance = _moving_statistics(weights, layer) if masks is None else norms.batch_statistics(x)
                    y = norms.batch_normalization(x, gamma, beta, mean, variance, layer.epsilon)
                case layers.LayerNormalization() | layers.GroupNormalization():
                    sets, groups = _split(layer, x)
                    y = norms.group_normalization(sets, *_layer_weights(weights, layer), groups, layer.epsilon).reshape(
                        x.shape
                    )
                case layers.PReLU():
                    y = prelu(x, weights[f"{layer.name}/alpha"])
                case layers.Add():
                    y = x + earlier
                case layers.Multiply():
                    y = ops.multiply(earlier, x)
                case layers.Branch():
                    y = earlier
                case layers.Concatenate():
                    y = np.concatenate([earlier, x], axis=-1)
                case layers.SoftVoting():
                    y = soft_voting(x, layer.members)
                case _:  # Flatten
                    y = x.reshape(len(x), -1)
            # In the layer's last step, as a replacement is after the activation.
            if self.output_of[layer.name] == len(values):
                y = _ablate(y, layer, ablation)
            values.append(y)
        return values

    def backward(
        self, weights: Weights64, values: list[Array], dlogits: Array, masks: DropoutMasks | None = None
    ) -> tuple[dict[str, Array], list[Array]]:
        """Compute the gradients with respect to each trained weight and each of the values that `forward` returned."""
        gradients: dict[str, Array] = {}
        # An output that a later layer reads by its name gets a second gradient, stored here by the index in `values`.
        added = defaultdict[int, Any](float)
        dy = dlogits
        dvalues = [dy]  # collected from the last to the first
        # Step i reads x = values[i] and wrote values[i + 1], so it turns dvalues[i + 1] into dvalues[i].
        for number, ((layer, activation), x) in reversed(list(enumerate(zip(self._steps, values[:-1], strict=True)))):
            earlier = self.output_of[get_source_name(layer) or "input"]  # read by the layers that read two
            match layer:
                case _ if activation:
                    dy = activate_backward(dy, x, activation)
                case layers.Activation():
                    dy = activate_backward(dy, x, layer.activation, layer.negative_slope)
                case layers.Conv2D() | layers.DepthwiseConv2D() | layers.Dense():
                    kernel, _ = _layer_weights(weights, layer)
                    if isinstance(layer, layers.Conv2D):
                        dy, dkernel, dbias = ops.convolution_backward(dy, x, kernel, layer.window)
                    elif isinstance(layer, layers.DepthwiseConv2D):
                        dy, dkernel, dbias = ops.depthwise_backward(dy, x, kernel, layer.window)
                    else:
                        dy, dkernel, dbias = ops.dense_backward(dy, x, kernel)
                    gradients |= {f"{layer.name}/kernel": dkernel, f"{layer.name}/bias": dbias}
                case layers.MaxPooling2D():
                    dy = ops.max_pooling_backward(dy, x, layer.window)
                case layers.AveragePooling2D():
                    dy = ops.average_pooling_backward(dy, x, layer.window)
                case layers.GlobalMaxPooling2D():
                    dy = ops.max_pooling_backward(dy[:, None, None], x, ops.whole_map(x))
                case layers.GlobalAveragePooling2D():
                    dy = ops.average_pooling_backward(dy[:, None, None], x, ops.whole_map(x))
                case layers.ZeroPadding2D():
                    dy = ops.zero_padding_backward(dy, layer.padding)
                case layers.Dropout():
                    dy = dy if masks is None else ops.dropout_backward(dy, masks[layer.name], layer.dropped / 2**24)
                case layers.BatchNormalization():
                    gamma, _ = _layer_weights(weights, layer)
                    mean, variance = _moving_statistics(weights, layer) if masks is None else norms.batch_statistics(x)
                    dy, dgamma, dbeta = norms.batch_normalization_backward(dy, x, gamma, mean, variance, layer.epsilon)
                    # In training, x also acts through the batch's mean and variance.
                    dy = dy if masks is None else norms.batch_statistics_backward(dy, x, layer.epsilon)
                    gradients |= {f"{layer.name}/gamma": dgamma, f"{layer.name}/beta": dbeta}
                case layers.LayerNormalization() | layers.GroupNormalization():
                    (sets, groups), (gamma, _) = _split(layer, x), _layer_weights(weights, layer)
                    dy, dgamma, dbeta = norms.group_normalization_backward(
                        dy.reshape(sets.shape), sets, gamma, groups, layer.epsilon
                    )
                    dy = dy.reshape(x.shape)
                    gradients |= {f"{layer.name}/gamma": dgamma, f"{layer.name}/beta": dbeta}
                case layers.PReLU():
                    dy, gradients[f"{layer.name}/alpha"] = prelu_backward(dy, x, weights[f"{layer.name}/alpha"])
                case layers.Add():  # y = x + earlier, so both get dy
                    added[earlier] += dy
                case layers.Multiply():
                    dearlier, dy = ops.multiply_backward(dy, values[earlier], x)
                    added[earlier] += dearlier
                case layers.Branch():  # y = earlier, so x gets zeros
                    added[earlier] += dy
                    dy = np.zeros_like(x)
                case layers.Concatenate():  # y = (earlier, x): each gets the gradient of its own channels
                    channels = values[earlier].shape[-1]
                    added[earlier] += dy[..., :channels]
                    dy = dy[..., channels:]
                case layers.SoftVoting():
                    dy = soft_voting_backward(dy, x, layer.members)
                case _:  # Flatten
                    dy = dy.reshape(x.shape)
            dy = dy + added.pop(number, 0)
            dvalues.append(dy)
        # In the order of the weights, without the bias gradients of layers that have no bias.
        return {name: gradients[name] for name in self._architecture.trainable_weight_shapes}, dvalues[::-1]

    def move_statistics(self, weights: Weights64, values: list[Array]) -> dict[str, Array]:
        """Move the statistics towards those of the batch for which `forward` returned `values`; return them by name.

        moving ← moving · momentum + batch · (1 - momentum)
        """
        moved = {}
        for (layer, activation), x in zip(self._steps, values[:-1], strict=True):
            if isinstance(layer, layers.BatchNormalization) and not activation:
                statistics = zip(_moving_statistics(weights, layer), norms.batch_statistics(x), strict=True)
                for name, (moving, batch) in zip(NON_TRAINABLE_WEIGHTS, statistics, strict=True):
                    moved[f"{layer.name}/{name}"] = moving * layer.momentum + batch * (1 - layer.momentum)
        return moved


def _layer_weights(weights: Weights64, layer: layers.Layer) -> tuple[Array, Array]:
    """Find the kernel and bias of a layer, or gamma and beta; a layer without a bias gets one of zero."""
    if isinstance(layer, layers.BatchNormalization | layers.LayerNormalization | layers.GroupNormalization):
        return weights[f"{layer.name}/gamma"], weights[f"{layer.name}/beta"]
    return weights[f"{layer.name}/kernel"], weights.get(f"{layer.name}/bias", np.zeros(1))


def _split(layer: layers.LayerNormalization | layers.GroupNormalization, x: Array) -> tuple[Array, int]:
    """Arrange the numbers for `group_normalization`, and count its groups: each pixel by itself in a layer's."""
    return (x, layer.groups) if isinstance(layer, layers.GroupNormalization) else (x.reshape(-1, x.shape[-1]), 1)


def _moving_statistics(weights: Weights64, layer: layers.BatchNormalization) -> tuple[Array, Array]:
    mean, variance = (weights[f"{layer.name}/{name}"] for name in NON_TRAINABLE_WEIGHTS)
    return mean, variance


def _ablate(y: Array, layer: layers.Layer, ablation: Ablation) -> Array:
    """Replace the filters of a layer's output that the ablation names."""
    replacements = [replacement for replacement in ablation if replacement.layer == layer.name]
    if replacements:
        y = y.copy()  # a `Branch` returns the earlier layer's own array
    for replacement in replacements:
        y[..., replacement.filter] = replacement.value
    return y
