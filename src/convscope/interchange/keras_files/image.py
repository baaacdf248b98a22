"""Choose the image that a Keras model reads."""

from math import isqrt

from convscope.architecture import Shape
from convscope.interchange.keras_files.graph import IMAGE, KerasGraph
from convscope.interchange.keras_files.layers import infer_reshape
from convscope.interchange.refusal import ModelFileError
from convscope.interchange.translation.nodes import ImageInput
from convscope.interchange.translation.windows import CHANNELS_FIRST, CHANNELS_LAST


def read_image(
    graph: KerasGraph, stated: Shape | None, notes: list[str]
) -> tuple[ImageInput, tuple[int, int, int] | None]:
    """Choose the input of a model, and the shape (H, W, C) of its images if the model leaves it open.

    The model declares sizes in its own order of axes, `stated` has ours. Examples:

        declared              stated        input         shape
        (28, 28, 1)                         declared      None
        (None, None, 3)       (64, 64)      declared      (64, 64, 3)
        (784,)                              declared      (28, 28, 1), by `_choose_image_shape`
        none                  (28, 28)      (28, 28, 1)   (28, 28, 1)

    Raises:
        ModelFileError: if neither the model nor `stated` gives the shape.
    """
    # The order of axes. A Flatten may have another data format than the maps; it only tells the order of its output.
    formats = {layer.config.get("data_format") for layer in graph.layers if layer.class_name != "Flatten"} - {None}
    order = CHANNELS_FIRST if formats == {"channels_first"} else CHANNELS_LAST
    if order == CHANNELS_FIRST:
        notes.append("its maps have the channels first; here they have them last")
    # Both shapes, each completed by the other if it is missing or has no channels.
    declared = graph.input_shape
    if stated is not None and (len(stated) not in (2, 3) or min(stated) < 1):
        raise ValueError(f"image_shape is {stated}; it must be (H, W) or (H, W, C)")
    if declared is None and stated is None:
        raise ModelFileError(
            "its model does not declare its input shape; give `image_shape`: height x width x channels"
        )
    if stated is not None and len(stated) == 2:
        channels = declared[order.index(2)] if declared is not None and len(declared) == 3 else 1  # axis 2: channels
        stated = (*stated, 1 if channels is None else channels)
    if declared is None:
        assert stated is not None
        declared = tuple(stated[axis] for axis in order)
    if len(declared) == 1 and stated is None and declared[0] is not None:  # flat pixels
        stated = _choose_image_shape(graph, declared[0])
        notes.append(f"{declared[0]} pixels are used as an image of {' x '.join(map(str, stated))}")
    shape = None if stated is None else (stated[0], stated[1], stated[2])
    return ImageInput("image", (None, *declared), False, order), shape


def _choose_image_shape(graph: KerasGraph, pixels: int) -> Shape:
    """Choose the shape of an image that a model reads as flat pixels: that of its Reshape, or else a square."""
    reshapes = (layer for layer in graph.layers if layer.class_name == "Reshape" and layer.inputs == (IMAGE,))
    target = next((layer.config.get("target_shape") for layer in reshapes), None)
    if isinstance(target, list) and len(target) in (2, 3):
        sizes = infer_reshape({"target_shape": target}, pixels)
        return sizes if len(sizes) == 3 else (*sizes, 1)
    for channels in (1, 3):  # 784 pixels are 28 x 28 x 1, 3,072 are 32 x 32 x 3
        side = isqrt(pixels // channels)
        if side * side * channels == pixels:
            return side, side, channels
    raise ModelFileError(
        f"its model has {pixels} flat pixels as input, which are not a square; give "
        "`image_shape`: height x width x channels"
    )
