"""The deep networks that convscope and its peers are timed on, as plain data that both sides read.

Each is a list of blocks; a convolution here has no bias, since a batch normalisation follows it and would swallow it.
An and others' networks end in a batch normalisation of the logits.

Sources: `vgg` is in the shape of Simonyan and Zisserman 2015; `m3` and `m5` are An, Lee, Park, Yang and So 2020.
"""

from typing import Any, Literal, NamedTuple


class Convolution(NamedTuple):
    """A convolution, batch normalisation and relu."""

    filters: int
    size: int
    padding: Literal["valid", "same"]


class Pooling(NamedTuple):
    """Max pooling over windows of 2 x 2."""


class Network(NamedTuple):
    """Blocks, then flatten and a dense layer of ten, with a batch normalisation after it or not.

    Attributes:
        batches: how many batches of 128 are timed at once, so that it takes seconds and not minutes.
    """

    blocks: tuple[Convolution | Pooling, ...]
    normalized_logits: bool
    batches: int


Name = Literal["vgg", "m3", "m5"]

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
    "m5": Network(tuple(Convolution(32 * i, 5, "valid") for i in range(1, 6)), normalized_logits=True, batches=5),
}


def architecture(name: Name) -> dict[str, Any]:
    """Return a network as the plain JSON of convscope's `Architecture`."""
    network = NETWORKS[name]
    layers: list[dict[str, Any]] = []
    for block in network.blocks:
        if isinstance(block, Pooling):
            layers.append({"kind": "MaxPooling2D", "pool_size": 2})
            continue
        convolution = block._asdict() | {"kind": "Conv2D", "use_bias": False}
        layers.append({"kernel_size" if key == "size" else key: value for key, value in convolution.items()})
        layers.append({"kind": "BatchNormalization", "activation": "relu"})
    layers += [{"kind": "Flatten"}, {"kind": "Dense", "units": 10}]
    if network.normalized_logits:
        layers.append({"kind": "BatchNormalization"})
    return {"name": name, "input": {"height": 28, "width": 28, "channels": 1}, "layers": layers}
