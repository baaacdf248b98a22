"""Find the shape of the images that a graph reads, and the order of their axes.

A file gives the sizes of its input's axes, images first, and None (here ?) for those that it leaves open:

    (N, 1, 28, 28)   maps (N, C, H, W), as most files have them
    (N, 28, 28, 1)   maps (N, H, W, C)
    (N, 28, 28)      images of one channel
    (N, 784)         pixels in a row, which tell no shape, so the caller must give it
    (N, 3, ?, ?)     maps whose shape the caller must give

A shape that the caller gives must fit all sizes that are not open.
"""

from collections.abc import Sequence
from math import prod

from convscope.architecture import Input
from convscope.base.errors import ArchitectureError
from convscope.interchange.refusal import ModelFileError
from convscope.interchange.translation.nodes import ImageInput, Node, Sizes
from convscope.interchange.translation.state import State
from convscope.interchange.translation.steps import FileTensor, NotTranslated, make_image_step
from convscope.interchange.translation.windows import CHANNELS_FIRST, CHANNELS_LAST

# Operators that keep the order of axes, and those that read (N, C, H, W).
_KEEP_ORDER = ("Cast", "Identity", "Mul", "Add", "Sub", "Div", "Dropout")
_READ_CHANNELS_FIRST = ("Conv", "MaxPool", "AveragePool", "GlobalAveragePool", "GlobalMaxPool", "BatchNormalization")
_CHANNELS = (1, 3, 4)
"""An axis of one of these sizes has the channels if nothing else tells the axes apart: grey, RGB, RGBA."""

Size = tuple[int, int, int]


def open_image(state: State, image: ImageInput, nodes: Sequence[Node], image_shape: Size | None) -> FileTensor:
    """Make the tensor of the image, and set the file's batch size in `state`.

    Raises:
        ModelFileError: if neither the file nor `image_shape` gives the size, or they differ.
    """
    sizes = image.sizes[1:]  # of one image
    if not 1 <= len(sizes) <= 3:
        raise ModelFileError(
            f"input {image.name!r:.60} has {len(image.sizes)} axes; images (N, C, H, W), (N, H, W, C), (N, H, W) or "
            "vectors (N, pixels) are needed"
        )
    state.batch = image.sizes[0]
    order: tuple[int, ...] = CHANNELS_LAST
    known: list[int | None] = []  # (H, W, C) as far as the file tells it
    if len(sizes) == 3:
        order = image.order or _find_order(state, image.name, sizes, nodes, image_shape)
        known = [sizes[order.index(axis)] for axis in range(3)]
    elif len(sizes) == 2:
        known = [*sizes, 1]
    shape = image_shape or tuple(size for size in known if size is not None)
    if len(shape) != 3:  # the file leaves some open
        raise ModelFileError(
            f"input {image.name!r:.60} is {_text(sizes)}, which does not define the image size; give it with "
            "`image_shape`: height x width x channels"
        )
    # The sizes that the file would have for images of `shape`: (28, 28, 1) gives (784), (28, 28) or `order`'s three.
    expected = [prod(shape)] if len(sizes) == 1 else [shape[axis] for axis in order][: len(sizes)]
    fits = all(size in (None, number) for size, number in zip(sizes, expected, strict=True))
    if not fits or (len(sizes) == 2 and shape[2] != 1):
        raise ModelFileError(
            f"input {image.name!r:.60} is {_text(sizes)}, which does not fit images of {shape}; give another "
            "image_shape or omit it"
        )
    try:
        Input(*shape)  # checks the sizes
        index = state.work.order(shape, order)
    except (ArchitectureError, NotTranslated) as error:
        raise ModelFileError(f"input {image.name!r:.60}: images of {shape}: {error}") from error
    return FileTensor(make_image_step(shape, 1.0, 0.0), index.reshape([*expected]))


def _find_order(
    state: State, name: str, sizes: Sizes, nodes: Sequence[Node], image_shape: Size | None
) -> tuple[int, ...]:
    """Find the order of rows, columns and channels by the nodes that read the image, or else by the sizes.

    A convolution reads (N, C, H, W). A Transpose to that order shows that the image is (N, H, W, C). By the sizes, the
    channels are the axis with as many as `image_shape` has, or else with 1, 3 or 4.
    """
    for node in _find_readers(name, nodes):
        if node.operator == "Transpose" and node.attributes.get("perm") == [0, 3, 1, 2]:
            return CHANNELS_LAST
        if node.operator in _READ_CHANNELS_FIRST:
            return CHANNELS_FIRST
    fits = [
        order
        for order in (CHANNELS_FIRST, CHANNELS_LAST)
        if sizes[order.index(2)] in (image_shape[2:] if image_shape else _CHANNELS)
    ]
    if len(fits) == 2:  # such as (N, 3, 28, 3)
        state.notes.append(f"input {name!r:.60} is {_text(sizes)}: used as (N, C, H, W)")
    return fits[0] if fits else CHANNELS_FIRST


def _find_readers(name: str, nodes: Sequence[Node]) -> list[Node]:
    """List the nodes that read the value called `name`, directly or after nodes that keep the order of its axes."""
    names, readers = {name}, []  # the names of the image and of values with the same axes
    for node in nodes:
        if names & set(node.inputs):
            if node.operator in _KEEP_ORDER:
                names |= set(node.outputs)
            else:
                readers.append(node)
    return readers


def _text(sizes: Sizes) -> str:
    return "(N, " + ", ".join("?" if size is None else str(size) for size in sizes) + ")"
