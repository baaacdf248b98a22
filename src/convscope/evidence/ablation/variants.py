"""Make variants of a network, each with a single part removed or changed, to be trained instead of it.

A trained network may lose much without a part, and yet do as well if it is trained without it. These are architectures
only; `convscope.experiment` trains them.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

from convscope.architecture import (
    Activation,
    Add,
    Architecture,
    AveragePooling2D,
    BatchNormalization,
    Conv2D,
    Dense,
    DepthwiseConv2D,
    Dropout,
    Flatten,
    GlobalAveragePooling2D,
    Layer,
    MaxPooling2D,
    ZeroPadding2D,
)
from convscope.architecture.presets import widen
from convscope.base.errors import ArchitectureError
from convscope.base.records import Record

_Weighted = Conv2D | DepthwiseConv2D | Dense
_Pooling = MaxPooling2D | AveragePooling2D
_FEWER_IMAGES = (100, 1000, 10_000)  # numbers of images on which the unchanged network is trained, too


@dataclass(frozen=True)
class Variant:
    """A changed network that is trained in place of the original.

    Attributes:
        change: the difference from the network, in words.
        num_images: number of training images; None is all of them.
    """

    name: str
    change: str
    architecture: Architecture
    num_images: int | None = None


class LeftOut(Record, kw_only=True):
    """A variant that is not trained, with the reason."""

    name: str
    reason: str


def variants(architecture: Architecture) -> tuple[Variant, ...]:
    """Make the variants of `architecture`, each with a single change.

    >>> from convscope.architecture import presets
    >>> [(variant.name, variant.architecture.parameters) for variant in variants(presets.cnn())][:2]
    [('no last convolution', 75306), ('no pooling', 2365514)]
    """
    return _make_variants(architecture)[0]


def variants_left_out(architecture: Architecture) -> tuple[LeftOut, ...]:
    """List the variants that are not possible, with the reason."""
    return _make_variants(architecture)[1]


def _make_variants(architecture: Architecture) -> tuple[tuple[Variant, ...], tuple[LeftOut, ...]]:
    variants_made, left_out = list[Variant](), list[LeftOut]()
    for name, change, make in _CHANGES:
        try:
            network = replace(make(architecture), name=name)
        except ArchitectureError as error:
            left_out.append(LeftOut(name=name, reason=str(error)))
            continue
        same = [variant.name for variant in variants_made if _is_same(variant.architecture, network)]
        if _is_same(network, architecture):
            left_out.append(LeftOut(name=name, reason="it is identical to the network itself"))
        elif same:
            left_out.append(LeftOut(name=name, reason=f"it is identical to {same[0]}"))
        else:
            variants_made.append(Variant(name, change, network))
    fewer = (Variant(f"{n:,} images", "trained on fewer images", architecture, n) for n in _FEWER_IMAGES)
    return (*variants_made, *fewer), tuple(left_out)


def _is_same(first: Architecture, second: Architecture) -> bool:
    """True if two networks differ at most in the names of their layers."""
    layers, other_layers = ([replace(layer, name="") for layer in network.layers] for network in (first, second))
    return first.input == second.input and layers == other_layers


def _replace_layers(architecture: Architecture, layers: Sequence[Layer]) -> Architecture:
    return replace(architecture, layers=tuple(layers))


def _remove_last_convolution(architecture: Architecture) -> Architecture:
    indices = [index for index, layer in enumerate(architecture.layers) if isinstance(layer, Conv2D | DepthwiseConv2D)]
    if not indices:
        raise ArchitectureError("the network has no convolution")
    last = indices[-1]
    # A zero padding directly before the convolution goes with it.
    paddings = _paddings_of_convolutions(architecture.layers[max(last - 1, 0) : last + 1])
    return _remove_layers(architecture, [architecture.layers[last].name, *paddings])


def _paddings_of_convolutions(layers: Sequence[Layer]) -> list[str]:
    """List the zero paddings directly before a convolution."""
    return [
        layer.name
        for layer, next_layer in pairwise(layers)
        if isinstance(layer, ZeroPadding2D) and isinstance(next_layer, Conv2D | DepthwiseConv2D)
    ]


def _remove_layers(architecture: Architecture, names: Collection[str]) -> Architecture:
    """Remove layers by their names, and the activation that directly follows a removed layer with weights.

    Conv2D, relu, Conv2D, relu without the second Conv2D is Conv2D, relu: else its output would pass through two relus.
    A softmax stays, since it makes the probabilities.
    """
    removed = set(names)
    for previous, layer in pairwise(architecture.layers):
        follows_removed = previous.name in names and isinstance(previous, _Weighted)
        if follows_removed and isinstance(layer, Activation) and layer.activation != "softmax":
            removed.add(layer.name)
    return _replace_layers(architecture, [layer for layer in architecture.layers if layer.name not in removed])


def _remove_kinds(*kinds: type[Layer], what: str) -> Callable[[Architecture], Architecture]:
    """Make the function that removes all layers of some kinds."""

    def change(architecture: Architecture) -> Architecture:
        kept = [layer for layer in architecture.layers if not isinstance(layer, kinds)]
        if len(kept) == len(architecture.layers):
            raise ArchitectureError(f"the network has no {what}")
        return _replace_layers(architecture, kept)

    return change


def _change_kinds(kinds: Any, change: Callable[[Any], Layer], what: str) -> Callable[[Architecture], Architecture]:
    """Make the function that changes all layers of some kinds."""

    def change_all(architecture: Architecture) -> Architecture:
        if not any(isinstance(layer, kinds) for layer in architecture.layers):
            raise ArchitectureError(f"the network has no {what}")
        layers = [change(layer) if isinstance(layer, kinds) else layer for layer in architecture.layers]
        return _replace_layers(architecture, layers)

    return change_all


def _replace_pooling(old: type[_Pooling], new: type[_Pooling], what: str) -> Callable[[Architecture], Architecture]:
    """Make the function that replaces a kind of pooling by another."""
    return _change_kinds(old, lambda layer: new(layer.pool_size, layer.strides, layer.padding, layer.name), what)


def _remove_activations(architecture: Architecture) -> Architecture:
    layers = [
        replace(layer, activation="linear")
        if isinstance(layer, _Weighted | BatchNormalization | Activation | Add) and layer.activation != "softmax"
        else layer
        for layer in architecture.layers
    ]
    return _replace_layers(architecture, layers)


def _make_linear(architecture: Architecture) -> Architecture:
    # The softmax of a linear map of the pixels: multinomial logistic regression.
    return _replace_layers(architecture, (Flatten(), Dense(architecture.num_classes, "softmax")))


def _change_convolutions(**values: Any) -> Callable[[Architecture], Architecture]:
    """Make the function that changes arguments of all convolutions."""
    return _change_kinds(Conv2D | DepthwiseConv2D, lambda layer: replace(layer, **values), "convolution")


def _pad_to_keep_size(architecture: Architecture) -> Architecture:
    # Without the zero paddings, which would enlarge the maps in addition.
    padded = _change_convolutions(padding="same")(architecture)
    return _remove_layers(padded, _paddings_of_convolutions(padded.layers))


def _scale_width(factor: float) -> Callable[[Architecture], Architecture]:
    """Make the function that multiplies the filters and units of all layers but the last, which has the classes."""

    def change(architecture: Architecture) -> Architecture:
        # A depthwise convolution follows the number of its input's channels.
        if sum(isinstance(layer, Conv2D | Dense) for layer in architecture.layers) < 2:
            raise ArchitectureError("the network has no hidden layer")
        return widen(architecture, factor)

    return change


def _remove_hidden_dense(architecture: Architecture) -> Architecture:
    hidden = [layer.name for layer in architecture.layers if isinstance(layer, Dense)][:-1]
    if not hidden:
        raise ArchitectureError("the network has no hidden dense layer")
    return _remove_layers(architecture, hidden)


def _replace_flatten(architecture: Architecture) -> Architecture:
    layers = [
        # Only a flattening of maps; that of a vector changes nothing. The name stays, since later layers may refer to
        # it.
        GlobalAveragePooling2D(name=row.layer.name)
        if isinstance(row.layer, Flatten) and len(row.input_shape) == 3
        else row.layer
        for row in architecture.table
    ]
    if not any(isinstance(layer, Conv2D | DepthwiseConv2D) for layer in layers):
        raise ArchitectureError("the network has no convolution")
    if not any(isinstance(layer, Flatten) for layer in architecture.layers):
        raise ArchitectureError("the network flattens no map")
    return _replace_layers(architecture, layers)


def _remove_normalization(architecture: Architecture) -> Architecture:
    """Remove batch normalisations; the layers before them get their activations and a bias."""
    layers = list[Layer]()
    for layer in architecture.layers:
        if not isinstance(layer, BatchNormalization):
            layers.append(layer)
            continue
        previous = layers[-1] if layers else None
        if not isinstance(previous, _Weighted) or previous.activation != "linear":
            raise ArchitectureError(f"{layer.name} does not follow a convolution or dense layer without activation")
        # The normalisation's shift did the work of a bias, and its activation came last: the layer before gets both.
        layers[-1] = replace(previous, activation=layer.activation, use_bias=True)
    if len(layers) == len(architecture.layers):
        raise ArchitectureError("the network has no batch normalisation")
    return _replace_layers(architecture, layers)


_remove_poolings = _remove_kinds(MaxPooling2D, AveragePooling2D, what="window pooling")
_replace_maxima = _replace_pooling(MaxPooling2D, AveragePooling2D, "max pooling")
_replace_means = _replace_pooling(AveragePooling2D, MaxPooling2D, "average pooling")
_CHANGES: tuple[tuple[str, str, Callable[[Architecture], Architecture]], ...] = (
    ("no last convolution", "last convolution removed", _remove_last_convolution),
    ("no pooling", "all window pooling layers removed", _remove_poolings),
    ("average pooling", "mean of each window instead of its maximum", _replace_maxima),
    ("max pooling", "maximum of each window instead of its mean", _replace_means),
    ("linear activations", "no relu or other activation", _remove_activations),
    ("linear model", "one dense layer on the pixels", _make_linear),
    ("1 × 1 kernels", "kernels of 1 × 1", _change_convolutions(kernel_size=(1, 1))),
    ("5 × 5 kernels", "kernels of 5 × 5", _change_convolutions(kernel_size=(5, 5))),
    ("half width", "half as many filters and hidden units", _scale_width(0.5)),
    ("double width", "twice as many filters and hidden units", _scale_width(2)),
    ("same padding", "convolutions padded to keep the size", _pad_to_keep_size),
    ("no hidden dense layer", "hidden dense layers removed", _remove_hidden_dense),
    ("global pooling", "mean of each map instead of flattening", _replace_flatten),
    ("no batch normalisation", "batch normalisation removed", _remove_normalization),
    ("no dropout", "dropout removed", _remove_kinds(Dropout, what="dropout")),
    ("no shortcuts", "additions of earlier layers removed", _remove_kinds(Add, what="addition")),
    (
        "pixels not scaled",
        "pixel values 0 to 255",
        lambda network: replace(network, input=replace(network.input, scale=1.0, offset=0.0)),
    ),
)
