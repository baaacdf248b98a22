"""The networks that come with convscope, for any image size and number of classes.

A preset is a function of the images' shape (H, W, C) and the number of classes.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Annotated, get_args

from convscope.architecture.layers import (
    Add,
    BatchNormalization,
    Conv2D,
    Dense,
    DepthwiseConv2D,
    Flatten,
    GlobalAveragePooling2D,
    Layer,
    MaxPooling2D,
    Padding,
    Shape,
)
from convscope.architecture.network import Architecture
from convscope.architecture.table import Input
from convscope.base.arguments import checked, describe
from convscope.base.errors import ArchitectureError
from convscope.base.spelling import did_you_mean


@checked
def cnn(image_shape: Shape = (28, 28, 1), num_classes: int = 10) -> Architecture:
    """Make two convolutions with pooling and two dense layers: 108,618 parameters on MNIST.

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
    """Make three dense layers, which see no neighbourhoods; the CNN is compared with them.

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


@checked
def lenet5(image_shape: Shape = (28, 28, 1), num_classes: int = 10) -> Architecture:
    """Make LeNet-5 in its usual modern form: 61,706 parameters on MNIST.

    Source: LeCun, Bottou, Bengio and Haffner (1998), "Gradient-based learning applied to document recognition", figure
    2. The filters and units are those of the paper. As in most modern versions the activations are ReLU, the pooling
    takes the maximum, the second convolution reads all maps of the first, and softmax replaces the radial basis
    functions. The paper pads its 28 × 28 digits to 32 × 32; here the first convolution pads them.

    >>> lenet5().parameters
    61706
    """
    layers = (
        Conv2D(6, (5, 5), padding="same", activation="relu"),
        MaxPooling2D((2, 2)),
        Conv2D(16, (5, 5), activation="relu"),
        MaxPooling2D((2, 2)),
        Flatten(),
        Dense(120, activation="relu"),
        Dense(84, activation="relu"),
        Dense(num_classes, activation="softmax"),
    )
    return Architecture(Input(*image_shape), layers, "lenet5")


@checked
def small(image_shape: Shape = (28, 28, 1), num_classes: int = 10) -> Architecture:
    """Make two small convolutions and a dense layer, for microcontrollers: 5,258 parameters on MNIST.

    >>> small().parameters
    5258
    """
    layers = (
        Conv2D(8, (3, 3), activation="relu"),
        MaxPooling2D((2, 2)),
        Conv2D(16, (3, 3), activation="relu"),
        MaxPooling2D((2, 2)),
        Flatten(),
        Dense(num_classes, activation="softmax"),
    )
    return Architecture(Input(*image_shape), layers, "small")


@checked
def wide(image_shape: Shape = (28, 28, 1), num_classes: int = 10) -> Architecture:
    """Make the layers of `cnn` with twice the filters and units: 431,242 parameters on MNIST.

    >>> wide().parameters
    431242
    """
    return replace(widen(cnn(image_shape, num_classes), 2), name="wide")


@checked
def deep(image_shape: Shape = (28, 28, 1), num_classes: int = 10) -> Architecture:
    """Make six convolutions with batch normalisation and global average pooling: 72,666 parameters on MNIST.

    >>> deep().parameters
    72666
    """
    layers: list[Layer] = []
    for block, filters in enumerate((16, 32, 64)):
        for _ in range(2):
            # A momentum of 0.9, not Keras's 0.99, so that the statistics settle within an epoch of a small data set.
            layers += [
                Conv2D(filters, (3, 3), padding="same", use_bias=False),
                BatchNormalization(momentum=0.9, activation="relu"),
            ]
        layers.append(MaxPooling2D((2, 2)) if block < 2 else GlobalAveragePooling2D())
    return Architecture(Input(*image_shape), (*layers, Dense(num_classes, activation="softmax")), "deep")


@checked
def residual(image_shape: Shape = (28, 28, 1), num_classes: int = 10) -> Architecture:
    """Make three convolutions with two residual blocks after each of the first two: 187,434 parameters on MNIST.

    A block computes y = n + relu(convolution(n)), with n the batch normalisation of its input.

    Source: the shape is that of ttdoucet/mnist (4.7 million parameters), with fewer filters.

    >>> residual().parameters
    187434
    """
    layers: list[Layer] = []
    for filters, size, blocks in ((32, 5, 2), (64, 3, 2), (128, 3, 0)):
        # The last convolution has no blocks and no pooling: the mean of each of its maps follows.
        layers += _convolution(filters, size, padding="same", pools=blocks > 0)
        for _ in range(blocks):
            start = f"block_{len(layers)}"  # a name of its own for each block, by which its sum reads n
            layers.append(BatchNormalization(momentum=0.9, name=start))
            layers.append(Conv2D(filters, (3, 3), padding="same", activation="relu"))
            layers.append(Add(start))
    layers += [GlobalAveragePooling2D(), Dense(num_classes, activation="softmax")]
    return Architecture(Input(*image_shape), tuple(layers), "residual")


def _convolution(filters: int, size: int, *, padding: Padding = "valid", pools: bool = False) -> tuple[Layer, ...]:
    """Make a convolution with batch normalisation, relu and, with `pools`, pooling, in the order that costs least."""
    # Pooling comes first: the maximum commutes with relu and with a positive scale, so the result is nearly the same,
    # and only a quarter of the numbers is normalised.
    pooling = (MaxPooling2D((2, 2)),) if pools else ()
    convolution = Conv2D(filters, (size, size), padding=padding, use_bias=False)  # the normalisation shifts anyway
    return convolution, *pooling, BatchNormalization(momentum=0.9, activation="relu")


def _separable(filters: int) -> tuple[Layer, ...]:
    """Make a 3 × 3 convolution within each channel and a 1 × 1 convolution across them, both normalised, and relu."""
    return DepthwiseConv2D((3, 3), use_bias=False), *_convolution(filters, 1)


def _four_convolutions(narrow: int, wide: int) -> tuple[tuple[Layer, ...], ...]:
    """Make two convolutions of `narrow` filters and two of `wide`, the first and the last with pooling."""
    first, last = _convolution(narrow, 5, pools=True), _convolution(wide, 3, pools=True)
    return first, _convolution(narrow, 3), _convolution(wide, 3), last


def _join_blocks(
    blocks: tuple[tuple[Layer, ...], ...], image_shape: Shape, num_classes: int, name: str
) -> Architecture:
    """Join the blocks, the mean of each map and a dense layer into a network."""
    layers = [layer for block in blocks for layer in block]
    end = (GlobalAveragePooling2D(), Dense(num_classes, activation="softmax"))
    return Architecture(Input(*image_shape), (*layers, *end), name)


@checked
def tiny697(image_shape: Shape = (28, 28, 1), num_classes: int = 10) -> Architecture:
    """Make a convolution and four separable ones of 7 and 8 filters: 679 parameters on MNIST.

    It is trained with the recipe of the same name, as are the other `tiny` presets. Their names are upper limits of the
    parameters on MNIST: `tiny697` has 679 and may have 697, `tiny2k` may have 2,000. The numbers of filters and layers
    were chosen on held-out training images of MNIST (dev/LOG.md).

    >>> tiny697().parameters
    679
    """
    # On held-out images, five narrow layers were better than three wider ones, and separable convolutions better than
    # full ones (dev/LOG.md, 2026-11-29).
    blocks = (_convolution(6, 3, pools=True), _separable(7), _separable(7), _separable(8), _separable(8))
    return _join_blocks(blocks, image_shape, num_classes, "tiny697")


@checked
def tiny2k(image_shape: Shape = (28, 28, 1), num_classes: int = 10) -> Architecture:
    """Make a convolution and four separable ones of 16 and 18 filters: 1,970 parameters on MNIST.

    >>> tiny2k().parameters
    1970
    """
    first = _convolution(8, 5, padding="same", pools=True)
    blocks = (first, _separable(16), _separable(16), _separable(16), _separable(18))
    return _join_blocks(blocks, image_shape, num_classes, "tiny2k")


@checked
def tiny8k(image_shape: Shape = (28, 28, 1), num_classes: int = 10) -> Architecture:
    """Make four convolutions of 16 filters: 7,610 parameters on MNIST.

    >>> tiny8k().parameters
    7610
    """
    return _join_blocks(_four_convolutions(16, 16), image_shape, num_classes, "tiny8k")


@checked
def tiny25k(image_shape: Shape = (28, 28, 1), num_classes: int = 10) -> Architecture:
    """Make four convolutions of 24 and 32 filters: 22,466 parameters on MNIST.

    >>> tiny25k().parameters
    22466
    """
    return _join_blocks(_four_convolutions(24, 32), image_shape, num_classes, "tiny25k")


@checked
def micro11k(image_shape: Shape = (28, 28, 1), num_classes: int = 10) -> Architecture:
    """Make four convolutions of 24 and 27 filters: with kernels of 4 bits, 10,732 bytes of weights in a C header.

    It is for microcontrollers with room for 11,000 bytes; the recipe of the same name trains it in 4 bits.

    >>> micro11k().parameters
    18661
    """
    # The largest of its shape whose header has less than 11,000 bytes in 4 bits.
    return _join_blocks(_four_convolutions(24, 27), image_shape, num_classes, "micro11k")


ArchitectureFor = Callable[[tuple[int, int, int], int], Architecture]
AnyArchitecture = Annotated[
    Architecture | ArchitectureFor | str,
    "an Architecture, the name of a preset, or a function of image shape and number of classes such as cs.presets.cnn",
]
_ALL = (cnn, ann, lenet5, small, wide, deep, residual, tiny697, tiny2k, tiny8k, tiny25k, micro11k)
PRESETS = {preset.__name__: preset for preset in _ALL}


def _fits(preset: ArchitectureFor, image_shape: tuple[int, int, int], num_classes: int) -> bool:
    try:
        preset(image_shape, num_classes)
    except ArchitectureError:
        return False
    return True


def widen(network: Architecture, width: float) -> Architecture:
    """Multiply the filters and units of each layer by `width`, to at least one each.

    The last layer keeps its units: one for each class.

    >>> widen(cnn(), 0.5).name, widen(cnn(), 0.5).parameters
    ('cnn-x0.5', 27562)

    Raises:
        ValueError: if `width` is not above 0 and at most 64.
        ArchitectureError: if the network becomes too large.
    """
    if not 0 < width <= 64:
        raise ValueError(f"width is {width!r}; it must be above 0 and at most 64")
    if width == 1:
        return network
    layers = list(network.layers)
    sized = [index for index, layer in enumerate(layers) if isinstance(layer, Conv2D | Dense)]
    # No other layer needs a change: a depthwise convolution or a normalisation has as many channels as its input.
    for index in sized[:-1]:
        layer = layers[index]
        if isinstance(layer, Conv2D):
            layers[index] = replace(layer, filters=max(1, round(width * layer.filters)))
        elif isinstance(layer, Dense):
            layers[index] = replace(layer, units=max(1, round(width * layer.units)))
    return Architecture(network.input, tuple(layers), f"{network.name}-x{width:g}")


def network_for(
    architecture: AnyArchitecture,
    image_shape: tuple[int, int, int],
    num_classes: int,
    presets: Mapping[str, ArchitectureFor] = PRESETS,
) -> Architecture:
    """Make an architecture for images of a shape: from a preset's name or a function, or an architecture itself.

    >>> network_for("ann", (28, 28, 1), 10) == network_for(ann, (28, 28, 1), 10) == ann()
    True

    Raises:
        ValueError: if there is no preset of that name.
        ArchitectureError: if the preset does not fit the images or classes.
        TypeError: for anything else, or if the function returns no architecture.
    """
    if isinstance(architecture, Architecture):
        return architecture
    if isinstance(architecture, str):
        if architecture not in presets:
            hint = did_you_mean(architecture, presets)
            raise ValueError(
                f"architecture is {architecture!r}; it must be one of {', '.join(presets)}, or an Architecture{hint}"
            )
        architecture = presets[architecture]
    if not callable(architecture):
        raise TypeError(f"architecture is {describe(architecture)}; it must be {get_args(AnyArchitecture)[1]}")
    try:
        network = architecture(image_shape, num_classes)
    except ArchitectureError as error:
        # If a preset does not fit, the error names those that do. A function of the user gives its own error.
        name = getattr(architecture, "__name__", "")
        fitting = [preset_name for preset_name in presets if _fits(presets[preset_name], image_shape, num_classes)]
        if name not in presets or not fitting:
            raise
        raise ArchitectureError(
            f"preset {name!r} does not fit images of {image_shape[0]} × {image_shape[1]} pixels (height × width): "
            f"{error}; presets that fit: {', '.join(fitting)}"
        ) from error
    if not isinstance(network, Architecture):
        raise TypeError(f"architecture returned {describe(network)}; the function must return an Architecture")
    return network


def preset_of(network: Architecture) -> str | None:
    """Find the preset that makes this network, of any width, for its images and classes; None if there is none."""
    name, _, width = network.name.partition("-x")  # "cnn-x0.5" is `cnn` in half the width
    if name not in PRESETS:
        return None
    try:
        preset = PRESETS[name](network.input.shape, network.num_classes)
        expected = widen(preset, float(width)) if width else preset
    except (ArchitectureError, ValueError):  # "cnn-xyz" has no width, and a preset may not fit these images
        return None
    return name if expected == network else None
