"""What is known of a value while a graph is translated.

A step is a layer and the step before it. Steps never change, so two values that come from one step share it: that is
where a network branches. A value is a step's output, and how the tensor of the file differs from it:
in which order its numbers stand, and what is still to be multiplied, added or put through a curve.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from math import prod
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from convscope.architecture import Concatenate, Dropout, Layer, Shape
from convscope.interchange.refusal import ModelFileError

Array = NDArray[np.floating[Any]]
Index = NDArray[np.int32]
Curve = Literal["", "erf", "relu_of_3_more", "hard_sigmoid", "padded", "softmax", "log_softmax"]
MAX_VALUES = 1 << 23
"""Of one layer's output for one image: a map of 1024 x 1024 with 8 channels."""
_BUDGET = 1 << 26
"""Numbers that a file may have copied, compared or made into weights: many times what a small network needs."""
LINEAR_KINDS = ("Conv2D", "DepthwiseConv2D", "Dense")


class NotTranslated(ValueError):  # noqa: N818 (what the walk collects, and no error that leaves it)
    """A node that no layer stands for, and what would be needed."""


@dataclass(frozen=True, eq=False)
class Step:
    """A layer, where it stands, and what it gives.

    Attributes:
        before: the step whose output it reads; None of the image.
        layer: None of the image. The `from_layer` of an `Add` or `Concatenate` is filled in at the end, from `other`.
        weights: by their names within the layer, in Keras layout.
        shape: of the output, in our layout.
        depth: how many steps stand before, in the longest branch.
    """

    before: "Step | None"
    layer: Layer | None
    shape: Shape
    weights: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    other: "Step | None" = None
    depth: int = 0

    @property
    def kind(self) -> str:
        return "" if self.layer is None else self.layer.kind

    @property
    def is_image(self) -> bool:
        """Whether no layer that does anything stands before."""
        return self.depth <= 1

    @property
    def activation(self) -> str | None:
        """The layer's activation; None where it has none to set."""
        return getattr(self.layer, "activation", None)


@dataclass(frozen=True, eq=False)
class FileTensor:
    """A tensor of the file: `factor · curve(output of step) + shift`, by channel, in the order of `index`.

    Attributes:
        index: of the tensor's shape without the batch: which number of the step's output, in our order, stands there.
        users: how many nodes read the step's output in one of its forms, the last form counted only where nothing is
            left to do. Where it is one, what that does can be put into the step's layer.
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
        """How many axes the tensor has in the file, of which the first is the batch."""
        return self.index.ndim + 1

    def axis(self, number: int) -> int:
        """Find the axis of `index` that is the tensor's axis `number`; -1 is the batch."""
        if not -self.rank <= number < self.rank:
            raise NotTranslated(f"has axis {number} of {self.rank}")
        return number % self.rank - 1

    @property
    def is_plain(self) -> bool:
        return not self.curve and bool(np.all(np.equal(self.factor, 1)) and np.all(np.equal(self.shift, 0)))


class TranslationBudget:
    """The work that a translation may still do, and the one array of which all orders are views."""

    def __init__(self) -> None:
        self._left = _BUDGET
        self._numbers: Index = np.arange(0, dtype=np.int32)

    def spend(self, numbers: int) -> None:
        """Count numbers that are copied; raises `ModelFileError` when there were too many."""
        self._left -= numbers
        if self._left < 0:
            raise ModelFileError("it needs more computation than a small network")

    def order(self, shape: Shape, axes: tuple[int, ...]) -> Index:
        """Return the index of an output of `shape` whose axes the tensor holds in the order `axes`."""
        size = prod(shape)
        if size > MAX_VALUES:
            raise NotTranslated(f"gives {size} numbers per image; the limit is {MAX_VALUES}")
        if size > len(self._numbers):
            self._numbers = np.arange(max(size, 2 * len(self._numbers)), dtype=np.int32)
        return self._numbers[:size].reshape(shape).transpose(axes)

    def is_order(self, index: Index, shape: Shape, axes: tuple[int, ...]) -> bool:
        """Say whether `index` is what `order` returns."""
        if len(shape) != len(axes) or index.shape != tuple(shape[axis] for axis in axes):
            return False
        expected = self.order(shape, axes)
        if index.__array_interface__["data"] == expected.__array_interface__["data"] and (
            index.strides == expected.strides
        ):
            return True
        self.spend(index.size)
        return bool((index == expected).all())

    def step(
        self, before: Step, layer: Layer, weights: Mapping[str, NDArray[Any]] | None = None, other: Step | None = None
    ) -> Step:
        """Return the step of `layer` after `before`; raises `ArchitectureError` where it does not fit."""
        weights = weights or {}
        given = before.shape
        if isinstance(layer, Concatenate) and other is not None:
            given = (*given[:-1], other.shape[-1] + given[-1])
        shape = layer.output_shape(given)
        if prod(shape) > MAX_VALUES:
            raise NotTranslated(f"gives {prod(shape)} numbers per image; the limit is {MAX_VALUES}")
        for name, expected in layer.weight_shapes(before.shape).items():
            if weights[name].shape != expected:
                raise NotTranslated(f"{name} has shape {weights[name].shape}, but its input needs {expected}")
        self.spend(sum(weight.size for weight in weights.values()))
        return Step(before, layer, shape, weights, other, max(before.depth, 0 if other is None else other.depth) + 1)


def first_step(shape: Shape, scale: float, offset: float) -> Step:
    """Return the image, `scale · number of the file's input + offset`, and a layer after it that does nothing.

    It is left out at the end; with it every value has a layer, whose image is told by `is_image`.
    """
    image = Step(None, None, shape, {"scale": np.array(scale), "offset": np.array(offset)})
    return Step(image, Dropout(0.0), shape, depth=1)


def simple(numbers: Any) -> Any:
    """Return a number where all are equal, else the array."""
    array = np.asarray(numbers, np.float64)
    return float(array.flat[0]) if array.size and (array == array.flat[0]).all() else array


def with_activation(step: Step, activation: str) -> Step:
    """Return the same step with another activation."""
    layer: Any = step.layer
    return replace(step, layer=replace(layer, activation=activation))
