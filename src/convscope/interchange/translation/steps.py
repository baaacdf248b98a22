"""Steps and tensors: the values of a graph while it is translated to layers.

A step is a layer and the steps that it reads. Steps never change, so two tensors that come from the same step share
it; there the network branches. A `FileTensor` is a step's output together with all that distinguishes the file's tensor
from it: the order of its numbers, and a factor, an addend or a curve that no layer has taken up yet.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from math import prod
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from convscope.architecture import Concatenate, Dropout, Layer, Multiply, Shape
from convscope.interchange.refusal import ModelFileError

Array = NDArray[np.floating[Any]]
Index = NDArray[np.int32]
Curve = Literal["", "padded", "softmax", "log_softmax"]
"""What is still to be done with a step's output y; "" is y itself.

    padded            y with minus infinity around it, for a MaxPool
    softmax           the end of a classifier, as is log_softmax
"""
MAX_VALUES = 1 << 23
"""The limit of one layer's output for one image: a map of 1024 x 1024 with 8 channels."""
_BUDGET = 1 << 26
"""The numbers that may be copied, compared or made into weights for a file: many times what a small network needs."""
LINEAR_KINDS = ("Conv2D", "DepthwiseConv2D", "Dense")


class NotTranslated(ValueError):  # noqa: N818 (the walk collects these; none leaves it as an error)
    """A node that no layer can compute, and what would be needed instead."""


@dataclass(frozen=True, eq=False)
class Step:
    """A layer with its inputs and its output shape.

    Attributes:
        source: the step whose output it reads; None for the image.
        layer: None for the image. The `from_layer` of a layer that joins is set at the end, by `second_source`.
        weights: the arrays by their names within the layer, in Keras layout.
        shape: the shape of the output, in our layout.
        depth: the number of steps on the longest way from the image.
    """

    source: "Step | None"
    layer: Layer | None
    shape: Shape
    weights: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    second_source: "Step | None" = None
    depth: int = 0

    @property
    def kind(self) -> str:
        return "" if self.layer is None else self.layer.kind

    @property
    def is_image(self) -> bool:
        """True for the image, before any layer that does something."""
        return self.depth <= 1

    @property
    def activation(self) -> str | None:
        """The layer's activation; None if such a layer has none."""
        return getattr(self.layer, "activation", None)


@dataclass(frozen=True, eq=False)
class FileTensor:
    """A tensor of the file: `factor · curve(output of step) + shift`, by channel, in the order of `index`.

    With y the step's output, flattened in our order, the tensor's numbers are `y[index]`. After a transpose from
    (H, W, C) to (C, H, W), for example, `index` is `arange(H·W·C).reshape(H, W, C).transpose(2, 0, 1)`. After a
    multiplication by 2, the tensor still belongs to the step before, with the factor 2, until a layer takes it up.

    Attributes:
        index: the positions in y, in the tensor's shape without the batch.
        users: how many nodes read the step's output. The operation of a sole reader can go into the step's layer. A
            value such as 2 · y is no step yet, so its readers read y and count too.
        factor: a number or (C,).
        shift: a number or (C,).
    """

    step: Step
    index: Index
    users: int = 1
    factor: Any = 1.0
    shift: Any = 0.0
    curve: Curve = ""

    @property
    def rank(self) -> int:
        """The number of the tensor's axes in the file, batch included."""
        return self.index.ndim + 1

    def axis(self, number: int) -> int:
        """Convert an axis of the tensor to one of `index`, which lacks the batch: that becomes -1."""
        if not -self.rank <= number < self.rank:
            raise NotTranslated(f"has axis {number} of {self.rank}")
        return number % self.rank - 1

    @property
    def is_plain(self) -> bool:
        return not self.curve and bool(np.all(np.equal(self.factor, 1)) and np.all(np.equal(self.shift, 0)))


class TranslationBudget:
    """The work that a translation may still do, and the array of which all indices are views."""

    def __init__(self) -> None:
        self._remaining = _BUDGET
        # Indices in one of our orders are views of this array. So a transpose copies nothing, and `is_order` mostly
        # compares strides instead of numbers.
        self._numbers: Index = np.arange(0, dtype=np.int32)

    def spend(self, numbers: int) -> None:
        """Count numbers that are copied; raises `ModelFileError` if there are too many."""
        self._remaining -= numbers
        if self._remaining < 0:
            raise ModelFileError("it needs more computation than a small network")

    def order(self, shape: Shape, axes: tuple[int, ...]) -> Index:
        """Make the index of a tensor that holds the axes of an output of `shape` in the order `axes`."""
        size = prod(shape)
        if size > MAX_VALUES:
            raise NotTranslated(f"gives {size} numbers per image; the limit is {MAX_VALUES}")
        if size > len(self._numbers):  # at least doubled, so that growing costs little in all
            self._numbers = np.arange(max(size, 2 * len(self._numbers)), dtype=np.int32)
        return self._numbers[:size].reshape(shape).transpose(axes)

    def is_order(self, index: Index, shape: Shape, axes: tuple[int, ...]) -> bool:
        """True if `index` equals `order(shape, axes)`."""
        if len(shape) != len(axes) or index.shape != tuple(shape[axis] for axis in axes):
            return False
        expected = self.order(shape, axes)
        # Views with the same start and strides hold the same numbers.
        start, expected_start = (array.__array_interface__["data"] for array in (index, expected))
        if start == expected_start and index.strides == expected.strides:
            return True
        self.spend(index.size)
        return bool((index == expected).all())

    def step(
        self, source: Step, layer: Layer, weights: Mapping[str, NDArray[Any]] | None = None, second: Step | None = None
    ) -> Step:
        """Make the step of `layer` after `source`; raises `ArchitectureError` if it does not fit."""
        weights = weights or {}
        input_shape = source.shape
        if isinstance(layer, Concatenate) and second is not None:
            input_shape = (*input_shape[:-1], second.shape[-1] + input_shape[-1])
        if isinstance(layer, Multiply) and second is not None:
            input_shape = second.shape
        shape = layer.output_shape(input_shape)
        if prod(shape) > MAX_VALUES:
            raise NotTranslated(f"gives {prod(shape)} numbers per image; the limit is {MAX_VALUES}")
        for name, expected in layer.weight_shapes(source.shape).items():
            if weights[name].shape != expected:
                raise NotTranslated(f"{name} has shape {weights[name].shape}, but its input needs {expected}")
        self.spend(sum(weight.size for weight in weights.values()))
        depth = 1 + max(source.depth, 0 if second is None else second.depth)
        return Step(source, layer, shape, weights, second, depth)


def make_image_step(shape: Shape, scale: float, offset: float) -> Step:
    """Make the step of the image, `scale · number of the file's input + offset`."""
    image = Step(None, None, shape, {"scale": np.array(scale), "offset": np.array(offset)})
    return Step(image, Dropout(0.0), shape, depth=1)  # gives every tensor a layer; `assemble` leaves it out


def to_scalar(numbers: Any) -> Any:
    """Convert an array of equal numbers to one number; other arrays stay."""
    array = np.asarray(numbers, np.float64)
    return float(array.flat[0]) if array.size and (array == array.flat[0]).all() else array


def with_activation(step: Step, activation: str) -> Step:
    """Copy a step with another activation."""
    layer: Any = step.layer
    return replace(step, layer=replace(layer, activation=activation))
