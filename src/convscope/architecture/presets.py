"""The networks that come with convscope, for any image size and number of classes.

A preset is a function of the images' shape (H, W, C) and the number of classes.
"""

from convscope.architecture.layers import Conv2D, Dense, Flatten, MaxPooling2D, Shape
from convscope.architecture.network import Architecture
from convscope.architecture.table import Input


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


PRESETS = {"cnn": cnn, "ann": ann}
