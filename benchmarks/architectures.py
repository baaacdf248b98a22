"""The deep networks that ours.py and the peers are timed on, as plain data that both sides read.

Each is a list of blocks; a convolution here has no bias, since the batch normalisation after it would cancel it.
The networks `m3` and `m5` end in a batch normalisation of the logits. `residual` is the preset of that name.

Sources: `vgg` is in the shape of Simonyan and Zisserman 2015; `m3` and `m5` are An, Lee, Park, Yang and So 2020.
"""

from typing import Any, Literal, NamedTuple


class Convolution(NamedTuple):
    """A convolution, max pooling over windows of 2 x 2 if `pooled`, batch normalisation and relu."""

    filters: int
    size: int
    padding: Literal["valid", "same"]
    pooled: bool = False


class Pooling(NamedTuple):
    """Max pooling over windows of 2 x 2."""


class Residual(NamedTuple):
    """x + relu(convolution of 3 x 3 with a bias(x)), where x is the batch normalisation of the block's input."""


class Network(NamedTuple):
    """Blocks, then a dense layer with ten units.

    Attributes:
        normalized_logits: True if a batch normalisation of the logits ends the network.
        batches: the number of batches of 128 in one timing, chosen so that it takes seconds and not minutes.
        averaged: True if the dense layer reads the mean of each map instead of all its pixels.
    """

    blocks: tuple[Convolution | Pooling | Residual, ...]
    normalized_logits: bool
    batches: int
    averaged: bool = False


Name = Literal["vgg", "m3", "m5", "residual"]

NETWORKS: dict[Name, Network] = {
    "vgg": Network(
        (
            Convolution(32, 3, "same"),
            Convolution(32, 3, "same"),
            Pooling(),
            Convolution(64, 3, "same"),
            Convolution(64, 3, "same"),
            Pooling(),
            Convolution(128, 3, "same"),
            Pooling(),
        ),
        normalized_logits=False,
        batches=20,
    ),
    "m3": Network(tuple(Convolution(16 * i, 3, "valid") for i in range(2, 12)), normalized_logits=True, batches=5),
    "residual": Network(
        (
            Convolution(32, 5, "same", pooled=True),
            Residual(),
            Residual(),
            Convolution(64, 3, "same", pooled=True),
            Residual(),
            Residual(),
            Convolution(128, 3, "same"),
        ),
        normalized_logits=False,
        batches=20,
        averaged=True,
    ),
    "m5": Network(tuple(Convolution(32 * i, 5, "valid") for i in range(1, 6)), normalized_logits=True, batches=5),
}


def architecture(name: Name) -> dict[str, Any]:
    """Describe a network as the plain JSON of convscope's `Architecture`."""
    network = NETWORKS[name]
    layers: list[dict[str, Any]] = []
    pooling, channels = {"kind": "MaxPooling2D", "pool_size": 2}, 1
    for block in network.blocks:
        if isinstance(block, Pooling):
            layers.append(pooling)
            continue
        if isinstance(block, Residual):
            start, inside = f"block_{len(layers)}", {"kind": "Conv2D", "filters": channels, "kernel_size": 3}
            layers.append({"kind": "BatchNormalization", "name": start})
            layers.append(inside | {"padding": "same", "activation": "relu"})
            layers.append({"kind": "Add", "from_layer": start})
            continue
        channels = block.filters
        convolution = {"kind": "Conv2D", "filters": channels, "kernel_size": block.size, "padding": block.padding}
        layers.append(convolution | {"use_bias": False})
        layers += [pooling] if block.pooled else []
        layers.append({"kind": "BatchNormalization", "activation": "relu"})
    layers += [{"kind": "GlobalAveragePooling2D" if network.averaged else "Flatten"}, {"kind": "Dense", "units": 10}]
    if network.normalized_logits:
        layers.append({"kind": "BatchNormalization"})
    return {"name": name, "input": {"height": 28, "width": 28, "channels": 1}, "layers": layers}
