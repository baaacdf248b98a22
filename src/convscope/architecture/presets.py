"""The networks that come with convscope, for any image size and number of classes.

A preset is a function of the images' shape (H, W, C) and the number of classes.
"""

from collections.abc import Callable, Mapping
from difflib import get_close_matches
from typing import Annotated, get_args

from convscope.architecture.layers import Conv2D, Dense, Flatten, MaxPooling2D, Shape
from convscope.architecture.network import Architecture
from convscope.architecture.table import Input
from convscope.base.arguments import checked, describe


@checked
def cnn(image_shape: Shape = (28, 28, 1), num_classes: int = 10) -> Architecture:
    """Return two convolutions with pooling and two dense layers: 108,618 parameters on MNIST.

    Source: the public notebook "CNN with the MNIST dataset".

    >>> cnn().parameters
    108618
    """
    layers = (
        Conv2D(16, (3, 3), activation="relu"),
        MaxPooling2D((2, 2)),
        Conv2D(32, (3, 3), activation="relu"),
        MaxPooling2D((2, 2)),
        Flatten(),
        Dense(128, activation="relu"),
        Dense(num_classes, activation="softmax"),
    )
    return Architecture(Input(*image_shape), layers, "cnn")


@checked
def ann(image_shape: Shape = (28, 28, 1), num_classes: int = 10) -> Architecture:
    """Return three dense layers, which see no neighbourhoods: what the CNN is compared with.

    Source: the network that the same notebook compares itself with.

    >>> ann().parameters
    118282
    """
    layers = (
        Flatten(),
        Dense(128, activation="relu"),
        Dense(128, activation="relu"),
        Dense(num_classes, activation="softmax"),
    )
    return Architecture(Input(*image_shape), layers, "ann")


ArchitectureFor = Callable[[tuple[int, int, int], int], Architecture]
AnyArchitecture = Annotated[
    Architecture | ArchitectureFor | str,
    "an Architecture, the name of a preset, or a function of image shape and number of classes such as cs.presets.cnn",
]
PRESETS = {"cnn": cnn, "ann": ann}


def network_for(
    architecture: AnyArchitecture,
    image_shape: tuple[int, int, int],
    num_classes: int,
    presets: Mapping[str, ArchitectureFor] = PRESETS,
) -> Architecture:
    """Return the architecture for such images that is given as one, by a preset's name, or by a function.

    >>> network_for("ann", (28, 28, 1), 10) == network_for(ann, (28, 28, 1), 10) == ann()
    True

    Raises:
        ValueError: if there is no preset of that name.
        TypeError: if it is something else, or the function returns something else.
    """
    if isinstance(architecture, Architecture):
        return architecture
    if isinstance(architecture, str):
        if architecture not in presets:
            close = get_close_matches(architecture, presets, n=1)
            hint = f"; did you mean {close[0]!r}?" if close else ""
            raise ValueError(
                f"architecture is {architecture!r}; it must be one of {', '.join(presets)}, or an Architecture{hint}"
            )
        architecture = presets[architecture]
    if not callable(architecture):
        raise TypeError(f"architecture is {describe(architecture)}; it must be {get_args(AnyArchitecture)[1]}")
    network = architecture(image_shape, num_classes)
    if not isinstance(network, Architecture):
        raise TypeError(f"architecture returned {describe(network)}; the function must return an Architecture")
    return network
