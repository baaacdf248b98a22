"""The start of a model: what image it reads, and how a byte of it becomes a number.

Scalar Rescalings, and Reshapes that only add or drop the axis of a single channel or make an image of flat pixels, are
no layers here: they become the input's `scale` and `offset` and its shape. What else is done to a byte before the model
is given it, nobody knows here.
"""

from dataclasses import dataclass, field
from math import isqrt, prod

from convscope.architecture import Input, Shape
from convscope.interchange.imported import SCALES_BYTES
from convscope.interchange.keras_files.activations import UnsupportedError
from convscope.interchange.keras_files.graph import KerasLayer
from convscope.interchange.keras_files.layers import rescaling_numbers, reshaped
from convscope.interchange.refusal import ModelFileError


@dataclass
class Front:
    """What is known of the input while the first layers are read.

    Attributes:
        shape: as Keras has it at this place: (H, W, C), (H, W) or (pixels,).
        image: (H, W, C), None while only the number of pixels is known.
        rescalings: what was done to a pixel so far: scale, offset.
        reads_bytes: whether that makes numbers near 1 of bytes.
    """

    shape: Shape
    image: Shape | None
    notes: list[str] = field(default_factory=list)
    rescalings: list[tuple[float, float]] = field(default_factory=list)
    reads_bytes: bool = False

    def absorb(self, layer: KerasLayer) -> bool:
        """Return whether `layer` only says how the image is read, and take that up; raises `UnsupportedError`."""
        if layer.class_name == "Rescaling":
            scale, offset = layer.config.get("scale"), layer.config.get("offset", 0.0)
            if not isinstance(scale, int | float) or not isinstance(offset, int | float):
                return False
            (scale,), (offset,) = (rescaling_numbers(layer.config, 1, name) for name in ("scale", "offset"))
            self.rescalings.append((scale, offset))
            self.notes.append(f"`{layer.name}` became the input's scale and offset")
            return True
        if layer.class_name != "Reshape":
            return False
        target = reshaped(layer.config, prod(self.shape))
        if len(target) > 3:
            raise UnsupportedError(f"it gives the shape {target}; an image is (H, W, C) or (H, W)")
        image = target if len(target) == 3 else (*target, 1) if len(target) == 2 else self.image
        if self.image is not None and image != self.image:
            raise UnsupportedError(f"it makes {target} of an image {self.image}; only its channel axis may come or go")
        self.shape, self.image = target, image
        self.notes.append(f"`{layer.name}` became the input's shape")
        return True

    def leave(self, first: KerasLayer) -> tuple[Input, bool]:
        """Return the input, and whether a Flatten has to stand before the layer `first`.

        Raises:
            UnsupportedError: if `first` does not read such an image.
            ArchitectureError: if no image can have that size.
        """
        if len(self.shape) == 2 and first.class_name != "Flatten":
            raise UnsupportedError(
                f"its input has shape {self.shape}; put a Reshape to {(*self.shape, 1)} or a Flatten before it"
            )
        image = self.image
        if image is None:
            image = _square(self.shape[0])
            self.notes.append(f"{self.shape[0]} pixels are used as an image of {' x '.join(map(str, image))}")
        factor, total = 1.0, 0.0
        for one, other in self.rescalings:
            factor, total = factor * one, total * one + other
        by_channel = rescaling_numbers(first.config, image[2], "scale") if first.class_name == "Rescaling" else (1.0,)
        self.reads_bytes = all(abs(factor * scale) <= SCALES_BYTES for scale in by_channel)
        height, width, channels = image
        return Input(height, width, channels, factor, total), len(self.shape) == 1 and first.class_name != "Flatten"


def open_front(declared: tuple[int | None, ...] | None, given: Shape | None) -> Front:
    """Return the start of a model that declares an input shape; its user may have `given` one, (H, W) or (H, W, C).

    Raises:
        ModelFileError: if they do not agree, or together leave a size open.
    """
    if given is not None and (len(given) not in (2, 3) or min(given) < 1):
        raise ValueError(f"image_shape is {given}; it must be (H, W) or (H, W, C)")
    image = None if given is None else given if len(given) == 3 else (*given, 1)
    if declared is None:
        if given is None or image is None:
            raise ModelFileError(
                "its model does not declare its input shape; give `image_shape`: height x width x channels"
            )
        return Front(image, image)
    if len(declared) not in (1, 2, 3):
        raise ModelFileError(f"its model has input {declared}; an image is (H, W, C), (H, W) or flat pixels")
    if image is not None and len(declared) == 3 and given is not None and len(given) == 2 and declared[2] is not None:
        image = (*given, declared[2])
    if image is not None:
        fits = (prod(image),) if len(declared) == 1 else image[:2] if len(declared) == 2 and image[2] == 1 else image
        if len(fits) != len(declared) or any(n is not None and n != own for n, own in zip(declared, fits, strict=True)):
            raise ModelFileError(
                f"its model has input {declared}, not images of {given}; omit or correct `image_shape`"
            )
        return Front(fits, image)
    shape = tuple(n for n in declared if n is not None)
    if len(shape) < len(declared):
        raise ModelFileError(
            f"its model accepts {declared}, images of any size; give `image_shape`: height x width x channels"
        )
    return Front(shape, {1: None, 2: (*shape, 1), 3: shape}[len(shape)])


def _square(pixels: int) -> Shape:
    for channels in (1, 3):
        side = isqrt(pixels // channels)
        if side * side * channels == pixels:
            return side, side, channels
    raise UnsupportedError(
        f"its model has {pixels} flat pixels as input, which are not a square; give "
        "`image_shape`: height x width x channels"
    )
