"""Convert normalisations: by moving statistics, and by the mean and variance of parts of an image."""

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convscope.architecture import BatchNormalization, GroupNormalization, LayerNormalization
from convscope.interchange.translation.elementwise import reduce_to_channels, reorder_weights
from convscope.interchange.translation.nodes import Node, choose_layer_name
from convscope.interchange.translation.state import State
from convscope.interchange.translation.steps import FileTensor, Index, NotTranslated
from convscope.interchange.translation.windows import CHANNELS_FIRST


def batch_normalization(state: State, node: Node) -> FileTensor:
    """BatchNormalization: the same, with the statistics that the file holds."""
    value = state.plain(node)
    step = value.step
    if node.int("training_mode", 0):
        raise NotTranslated("is in training mode; export the network for inference")
    is_maps = state.work.is_order(value.index, step.shape, CHANNELS_FIRST)
    if not is_maps and value.index.shape[0] != value.index.size:  # (N, C), or (N, C, 1) as PyTorch's exporter writes it
        raise NotTranslated("its input is neither maps (N, C, H, W) nor vectors (N, C)")
    names = ("gamma", "beta", "moving_mean", "moving_variance")
    weights: dict[str, NDArray[Any]] = {name: state.weight(node, i + 1, name) for i, name in enumerate(names)}
    if any(array.shape != (step.shape[-1],) for array in weights.values()):
        raise NotTranslated(f"its weights do not fit the {step.shape[-1]} channels of its input")
    if not is_maps:
        weights = {name: reorder_weights(value.index.ravel(), array) for name, array in weights.items()}
    epsilon, momentum = node.float("epsilon", 1e-5), node.float("momentum", 0.9)
    if not 0 < epsilon <= 1:
        # The layer takes no such ε. So gamma is divided by the root, and the layer's own root is √(0.999 + 0.001) = 1.
        spread = weights["moving_variance"].astype(np.float64) + epsilon
        if not (spread > 0).all():
            raise NotTranslated("divides by zero")
        weights["gamma"] = weights["gamma"] / np.sqrt(spread)
        epsilon = BatchNormalization().epsilon
        weights["moving_variance"] = np.full(len(spread), 1 - epsilon)
    momentum = momentum if 0 <= momentum < 1 else 0.99
    layer = BatchNormalization(momentum, epsilon, name=choose_layer_name(node, 1))
    return replace(value, step=state.work.step(step, layer, weights), users=1)


def instance_normalization(state: State, node: Node) -> FileTensor:
    """InstanceNormalization: a `GroupNormalization` or a `LayerNormalization`, by what is on the second axis."""
    value = state.plain(node)
    rows = value.index.reshape(value.index.shape[0], -1)
    return _normalize_sets(state, node, value, rows, [-1, *[1] * (value.index.ndim - 1)])


def group_normalization(state: State, node: Node) -> FileTensor:
    """GroupNormalization: the same; in opset 18 with a scale for each group."""
    value, groups = state.plain(node), node.int("num_groups", 0)
    if groups < 1 or value.index.shape[0] % groups:
        raise NotTranslated(f"has {groups} groups for {value.index.shape[0]} channels")
    # A scale for each group comes on an axis before its channels: (G, 1, 1, 1) with maps as (G, C / G, H, W).
    parts = replace(value, index=value.index.reshape(groups, -1, *value.index.shape[1:]))
    is_by_group = state.weight(node, 1, "scale").size == groups != value.index.shape[0]
    axes = [groups, -1, *[1] * (value.index.ndim - 1)]
    result = _normalize_sets(
        state, node, parts, value.index.reshape(groups, -1), [-1, *axes[1:]] if is_by_group else axes
    )
    return replace(result, index=value.index)


def layer_normalization(state: State, node: Node) -> FileTensor:
    """LayerNormalization: the same over channels, or a `GroupNormalization` of one group over a whole map."""
    value = state.plain(node)
    axis = value.axis(node.int("axis", -1))
    if axis < 0:
        raise NotTranslated("normalises over the images of the batch; no layer does that")
    rows = value.index.reshape(int(np.prod(value.index.shape[:axis])), -1)
    return _normalize_sets(state, node, value, rows, [])


def _normalize_sets(state: State, node: Node, value: FileTensor, sets: Index, scale_shape: list[int]) -> FileTensor:
    """Normalise each row of `sets`, then scale and shift by the weights of the node.

    Args:
        scale_shape: the shape in which its weights are broadcast to the value; [] for their own.
    """
    weights: dict[str, NDArray[Any]] = {}
    for position, key, default in ((1, "gamma", 1.0), (2, "beta", 0.0)):
        weights[key] = np.array(default)
        if position < len(node.inputs) and node.inputs[position]:
            array = state.weight(node, position, key)
            weights[key] = reduce_to_channels(state, value, array.reshape(scale_shape) if scale_shape else array)
    name = choose_layer_name(node, 1 if len(node.inputs) > 1 else None)
    return add_normalization(state, value, sets, node.float("epsilon", 1e-5), name, weights)


def add_normalization(
    state: State, value: FileTensor, sets: Index, epsilon: float, name: str, weights: dict[str, NDArray[Any]]
) -> FileTensor:
    """Add the layer that normalises each row of `sets`, positions in the step's output, then scales and shifts."""
    channels, count = value.step.shape[-1], len(sets)
    state.work.spend(3 * sets.size)
    pixel, group = sets // channels, sets % channels * count // channels
    layer: LayerNormalization | GroupNormalization
    if sets.shape[1] == channels and (pixel == pixel[:, :1]).all():
        layer = LayerNormalization(epsilon, name)
    elif channels % count == 0 and (group == group[:, :1]).all():
        layer = GroupNormalization(count, epsilon, name)
    else:
        raise NotTranslated("normalises neither the channels of each pixel nor groups of channels; no layer does that")
    weights = {key: np.broadcast_to(numbers, (channels,)) for key, numbers in weights.items()}
    return replace(value, step=state.work.step(value.step, layer, weights), users=1)
