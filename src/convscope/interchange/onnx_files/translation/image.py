"""What the file reads: which tensor is the image, and in which order its axes stand."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

from convscope.architecture import Input
from convscope.base.errors import ArchitectureError, InterchangeError
from convscope.interchange.onnx_files.translation.nodes import Node
from convscope.interchange.onnx_files.translation.steps import FileTensor, NotTranslated, TranslationBudget, first_step
from convscope.interchange.onnx_files.translation.windows import CHANNELS_FIRST, CHANNELS_LAST

_TYPES = {1: "float32", 2: "uint8", 10: "float16", 11: "float64"}  # of TensorProto.DataType
_THROUGH = ("Cast", "Identity", "Mul", "Add", "Sub", "Div", "Dropout")
_READS_FIRST = ("Conv", "MaxPool", "AveragePool", "GlobalAveragePool", "GlobalMaxPool", "BatchNormalization")
_COLOURS = (1, 3, 4)
"""How many channels pictures have, where nothing else tells their axis from the others."""

Size = tuple[int, int, int]


@dataclass(frozen=True)
class ImageInput:
    """The input of a file: its name, the sizes of its axes without the batch, and whether it takes bytes."""

    name: str
    batch: int | None
    sizes: tuple[int | None, ...]
    is_bytes: bool


def image_input(graph: Any, initializers: set[str]) -> ImageInput:
    """Return the one input of a graph; raises `InterchangeError` if there is another number of them."""
    inputs = [each for each in graph.input if each.name not in initializers]
    if len(inputs) != 1:
        names = ", ".join(f"{each.name!r:.40}" for each in inputs[:5]) or "none"
        raise InterchangeError(f"it has {len(inputs)} inputs ({names}); it must have one, the images")
    tensor = inputs[0].type.tensor_type
    if tensor.elem_type not in _TYPES:
        raise InterchangeError(
            f"input {inputs[0].name!r:.60} is of type {tensor.elem_type}; floating-point numbers or bytes are needed"
        )
    sizes = [dim.dim_value if dim.HasField("dim_value") and dim.dim_value > 0 else None for dim in tensor.shape.dim]
    if not 2 <= len(sizes) <= 4:
        raise InterchangeError(
            f"input {inputs[0].name!r:.60} has {len(sizes)} axes; images (N, C, H, W), (N, H, W, C), (N, H, W) or "
            "vectors (N, pixels) are needed"
        )
    return ImageInput(inputs[0].name, sizes[0], tuple(sizes[1:]), _TYPES[tensor.elem_type] == "uint8")


def open_image(
    given: ImageInput, nodes: Sequence[Node], image_shape: Size | None, work: TranslationBudget, notes: list[str]
) -> FileTensor:
    """Return the image as a value.

    Raises:
        InterchangeError: if the file does not say of what size it is, nor `image_shape`, or they differ.
    """
    sizes = given.sizes
    order: tuple[int, ...] = CHANNELS_FIRST
    if len(sizes) == 3:
        order = _order(given, nodes, image_shape, notes)
        axes = [image_shape[axis] for axis in order] if image_shape else [None] * 3
    elif len(sizes) == 2:
        axes, order = list(image_shape[:2]) if image_shape else [None] * 2, CHANNELS_LAST
    else:
        axes, order = [prod(image_shape)] if image_shape else [None], CHANNELS_LAST
    known = [size if size is not None else other for size, other in zip(sizes, axes, strict=True)]
    if None in known or (len(sizes) == 1 and image_shape is None):
        raise InterchangeError(
            f"input {given.name!r:.60} is {_text(sizes)}, which does not define the image size; give image_shape, such "
            "as (28, 28, 1)"
        )
    numbers = [size for size in known if size is not None]
    if image_shape is not None and any(size != axis for size, axis in zip(numbers, axes, strict=True)):
        raise InterchangeError(
            f"input {given.name!r:.60} is {_text(sizes)}, which does not fit images of {image_shape}; give another "
            "image_shape or omit it"
        )
    if len(numbers) == 3:
        shape = (numbers[order.index(0)], numbers[order.index(1)], numbers[order.index(2)])
    elif len(numbers) == 2:
        shape = (numbers[0], numbers[1], 1 if image_shape is None else image_shape[2])
    else:
        assert image_shape is not None
        shape = image_shape
    if len(numbers) == 2 and shape[2] != 1:
        raise InterchangeError(
            f"input {given.name!r:.60} is {_text(sizes)}: images of one channel; image_shape must have one channel"
        )
    try:
        Input(*shape)
        index = work.order(shape, order)
    except (ArchitectureError, NotTranslated) as error:
        raise InterchangeError(f"input {given.name!r:.60}: images of {shape}: {error}") from error
    return FileTensor(first_step(shape, 1.0, 0.0), index.reshape([*numbers]))


def _order(given: ImageInput, nodes: Sequence[Node], image_shape: Size | None, notes: list[str]) -> tuple[int, ...]:
    """Return in which order (N, ...) holds rows, columns and channels: by what reads it, else by the sizes."""
    reached = {given.name}
    for node in nodes:
        if not reached & set(node.inputs):
            continue
        if node.operator in _THROUGH:
            reached |= set(node.outputs)
        elif node.operator == "Transpose" and node.attributes.get("perm") == [0, 3, 1, 2]:
            return CHANNELS_LAST
        elif node.operator in _READS_FIRST:
            return CHANNELS_FIRST
    fits = [
        order
        for order in (CHANNELS_FIRST, CHANNELS_LAST)
        if given.sizes[order.index(2)] in (image_shape[2:] if image_shape else _COLOURS)
    ]
    if len(fits) == 2:
        notes.append(f"input {given.name!r:.60} is {_text(given.sizes)}: used as (N, C, H, W)")
    return fits[0] if fits else CHANNELS_FIRST


def _text(sizes: Sequence[int | None]) -> str:
    return "(N, " + ", ".join("?" if size is None else str(size) for size in sizes) + ")"
