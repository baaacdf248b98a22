"""A network with one thing taken out or changed: `variants` takes an architecture to those that are worth retraining.

What a trained network loses with a part is not what the part is worth: trained without it, it may do as well. These are
architectures only; `convscope.experiment` trains them.
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
from convscope.base.errors import ArchitectureError
from convscope.base.records import Record

_Weighted = Conv2D | DepthwiseConv2D | Dense
_Pooling = MaxPooling2D | AveragePooling2D
_FEWER_IMAGES = (100, 1000, 10_000)


@dataclass(frozen=True)
class Variant:
    """A changed network that is trained in place of the original.

    Attributes:
        change: what is other than in the network, in words.
        num_images: on how many training images; None is all of them.
    """

    name: str
    change: str
    architecture: Architecture
    num_images: int | None = None


class LeftOut(Record, kw_only=True):
    """A variant that is not trained, and why."""

    name: str
    reason: str


def variants(architecture: Architecture) -> tuple[Variant, ...]:
    """Return the variants of `architecture`, each with one thing other than in it.

    >>> from convscope.architecture import presets
    >>> [(one.name, one.architecture.parameters) for one in variants(presets.cnn())][:2]
    [('no last convolution', 75306), ('no pooling', 2365514)]
    """
    return _make_variant(architecture)[0]


def variants_left_out(architecture: Architecture) -> tuple[LeftOut, ...]:
    """List the variants that are not possible, with the reason."""
    return _make_variant(architecture)[1]


def _make_variant(architecture: Architecture) -> tuple[tuple[Variant, ...], tuple[LeftOut, ...]]:
    made, left_out = list[Variant](), list[LeftOut]()
    for name, change, make in _CHANGES:
        try:
            network = replace(make(architecture), name=name)
        except ArchitectureError as error:
            left_out.append(LeftOut(name=name, reason=str(error)))
            continue
        same = [variant.name for variant in made if _is_same(variant.architecture, network)]
        if _is_same(network, architecture):
            left_out.append(LeftOut(name=name, reason="it is identical to the network itself"))
        elif same:
            left_out.append(LeftOut(name=name, reason=f"it is identical to {same[0]}"))
        else:
            made.append(Variant(name, change, network))
    fewer = (Variant(f"{n:,} images", "trained on fewer images", architecture, n) for n in _FEWER_IMAGES)
    return (*made, *fewer), tuple(left_out)


def _is_same(first: Architecture, second: Architecture) -> bool:
    """Return whether two networks differ at most in what their layers are called."""

    def layers(network: Architecture) -> list[Layer]:
        return [replace(layer, name="") for layer in network.layers]

    return first.input == second.input and layers(first) == layers(second)


def _with(architecture: Architecture, layers: Sequence[Layer]) -> Architecture:
    return replace(architecture, layers=tuple(layers))


def _without_last_convolution(architecture: Architecture) -> Architecture:
    indices = [index for index, layer in enumerate(architecture.layers) if isinstance(layer, Conv2D | DepthwiseConv2D)]
    if not indices:
        raise ArchitectureError("the network has no convolution")
    last = architecture.layers[max(indices[-1] - 1, 0) : indices[-1] + 1]
    return _without_layers(architecture, [last[-1].name, *_paddings_of_convolutions(last)])


def _paddings_of_convolutions(layers: Sequence[Layer]) -> list[str]:
    """Return the zero paddings straight before a convolution."""
    return [
        layer.name
        for layer, behind in pairwise(layers)
        if isinstance(layer, ZeroPadding2D) and isinstance(behind, Conv2D | DepthwiseConv2D)
    ]


def _without_layers(architecture: Architecture, names: Collection[str]) -> Architecture:
    """Return it without the layers of these names and without the activation straight behind one with weights."""
    own = [
        layer.name
        for before, layer in pairwise(architecture.layers)
        if before.name in names and isinstance(before, _Weighted)
        if isinstance(layer, Activation) and layer.activation != "softmax"
    ]
    return _with(architecture, [layer for layer in architecture.layers if layer.name not in {*names, *own}])


def _without(*kinds: type[Layer], what: str) -> Callable[[Architecture], Architecture]:
    """Return the function that takes out all layers of some kinds."""

    def change(architecture: Architecture) -> Architecture:
        kept = [layer for layer in architecture.layers if not isinstance(layer, kinds)]
        if len(kept) == len(architecture.layers):
            raise ArchitectureError(f"the network has no {what}")
        return _with(architecture, kept)

    return change


def _with_pooling(old: type[_Pooling], new: type[_Pooling], what: str) -> Callable[[Architecture], Architecture]:
    """Return the function that puts one kind of pooling in the place of another."""

    def change(architecture: Architecture) -> Architecture:
        if not any(isinstance(layer, old) for layer in architecture.layers):
            raise ArchitectureError(f"the network has no {what}")
        layers = [
            new(layer.pool_size, layer.strides, layer.padding, layer.name) if isinstance(layer, old) else layer
            for layer in architecture.layers
        ]
        return _with(architecture, layers)

    return change


def _without_activations(architecture: Architecture) -> Architecture:
    layers = [
        replace(layer, activation="linear")
        if isinstance(layer, _Weighted | BatchNormalization | Activation | Add) and layer.activation != "softmax"
        else layer
        for layer in architecture.layers
    ]
    return _with(architecture, layers)


def _linear(architecture: Architecture) -> Architecture:
    return _with(architecture, (Flatten(), Dense(architecture.num_classes, "softmax")))


def _convolutions_with(**values: Any) -> Callable[[Architecture], Architecture]:
    """Return the function that gives all convolutions these arguments."""

    def change(architecture: Architecture) -> Architecture:
        if not any(isinstance(layer, Conv2D | DepthwiseConv2D) for layer in architecture.layers):
            raise ArchitectureError("the network has no convolution")
        layers = [
            replace(layer, **values) if isinstance(layer, Conv2D | DepthwiseConv2D) else layer
            for layer in architecture.layers
        ]
        return _with(architecture, layers)

    return change


def _pad_to_keep_size(architecture: Architecture) -> Architecture:
    padded = _convolutions_with(padding="same")(architecture)
    return _without_layers(padded, _paddings_of_convolutions(padded.layers))


def _times_as_wide(factor: float) -> Callable[[Architecture], Architecture]:
    """Return the function that multiplies the filters and units of all layers but the one that gives the classes."""

    def change(architecture: Architecture) -> Architecture:
        layers = list(architecture.layers)
        # Those that choose how many filters or units there are; the last of them gives the classes.
        indices = [index for index, layer in enumerate(layers) if isinstance(layer, Conv2D | Dense)]
        if len(indices) < 2:
            raise ArchitectureError("the network has no hidden layer")
        for place in indices[:-1]:
            layer = layers[place]
            if isinstance(layer, Conv2D):
                layers[place] = replace(layer, filters=max(1, round(factor * layer.filters)))
            elif isinstance(layer, Dense):
                layers[place] = replace(layer, units=max(1, round(factor * layer.units)))
        return _with(architecture, layers)

    return change


def _without_hidden_dense(architecture: Architecture) -> Architecture:
    hidden = [layer.name for layer in architecture.layers if isinstance(layer, Dense)][:-1]
    if not hidden:
        raise ArchitectureError("the network has no hidden dense layer")
    return _without_layers(architecture, hidden)


def _with_global_pooling(architecture: Architecture) -> Architecture:
    layers = [
        GlobalAveragePooling2D(name=row.layer.name)
        if isinstance(row.layer, Flatten) and len(row.input_shape) == 3
        else row.layer
        for row in architecture.table
    ]
    if not any(isinstance(layer, Conv2D | DepthwiseConv2D) for layer in layers):
        raise ArchitectureError("the network has no convolution")
    if not any(isinstance(layer, Flatten) for layer in architecture.layers):
        raise ArchitectureError("the network flattens no map")
    return _with(architecture, layers)


def _without_normalization(architecture: Architecture) -> Architecture:
    """Return it with batch normalisations taken out, their activations and a bias given to the layers before them."""
    layers = list[Layer]()
    for layer in architecture.layers:
        if not isinstance(layer, BatchNormalization):
            layers.append(layer)
            continue
        before = layers[-1] if layers else None
        if not isinstance(before, _Weighted) or before.activation != "linear":
            raise ArchitectureError(f"{layer.name} does not follow a convolution or dense layer without activation")
        layers[-1] = replace(before, activation=layer.activation, use_bias=True)
    if len(layers) == len(architecture.layers):
        raise ArchitectureError("the network has no batch normalisation")
    return _with(architecture, layers)


def _without_scaling(architecture: Architecture) -> Architecture:
    return replace(architecture, input=replace(architecture.input, scale=1.0, offset=0.0))


_CHANGES: tuple[tuple[str, str, Callable[[Architecture], Architecture]], ...] = (
    ("no last convolution", "last convolution removed", _without_last_convolution),
    (
        "no pooling",
        "all window pooling layers removed",
        _without(MaxPooling2D, AveragePooling2D, what="window pooling"),
    ),
    (
        "average pooling",
        "mean of each window instead of its maximum",
        _with_pooling(MaxPooling2D, AveragePooling2D, "max pooling"),
    ),
    (
        "max pooling",
        "maximum of each window instead of its mean",
        _with_pooling(AveragePooling2D, MaxPooling2D, "average pooling"),
    ),
    ("linear activations", "no relu or other activation", _without_activations),
    ("linear model", "one dense layer on the pixels", _linear),
    ("1 × 1 kernels", "kernels of 1 × 1", _convolutions_with(kernel_size=(1, 1))),
    ("5 × 5 kernels", "kernels of 5 × 5", _convolutions_with(kernel_size=(5, 5))),
    ("half width", "half as many filters and hidden units", _times_as_wide(0.5)),
    ("double width", "twice as many filters and hidden units", _times_as_wide(2)),
    ("same padding", "convolutions padded to keep the size", _pad_to_keep_size),
    ("no hidden dense layer", "hidden dense layers removed", _without_hidden_dense),
    ("global pooling", "mean of each map instead of flattening", _with_global_pooling),
    ("no batch normalisation", "batch normalisation removed", _without_normalization),
    ("no dropout", "dropout removed", _without(Dropout, what="dropout")),
    ("no shortcuts", "additions of earlier layers removed", _without(Add, what="addition")),
    ("pixels not scaled", "pixel values 0 to 255", _without_scaling),
)
