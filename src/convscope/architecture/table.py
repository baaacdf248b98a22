"""What follows from layers by counting: shapes, parameters, multiply-adds and receptive fields, one row a layer."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from math import prod

from convscope.architecture.arguments import LARGEST_FLOAT32, label
from convscope.architecture.cost import Budget, check_layer_count
from convscope.architecture.layers import (
    NON_TRAINABLE_WEIGHTS,
    Add,
    Branch,
    Concatenate,
    Dense,
    Layer,
    Pair,
    Shape,
    ZeroPadding2D,
)
from convscope.base.errors import ArchitectureError
from convscope.base.records import Count, Record, from_attributes


@dataclass(frozen=True)
class Input:
    """The images a network reads: their size, and how a byte becomes a number, `byte * scale + offset`."""

    height: int
    width: int
    channels: int = 1
    scale: float = 1 / 255
    offset: float = 0.0

    def __post_init__(self) -> None:
        for name, most in (("height", 4096), ("width", 4096), ("channels", 64)):
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= most:
                raise ArchitectureError(f"input: {name} is {value!r}; it must be a whole number from 1 to {most}")
        for name in ("scale", "offset"):
            value = getattr(self, name)
            if not isinstance(value, int | float) or not -LARGEST_FLOAT32 <= value <= LARGEST_FLOAT32:
                raise ArchitectureError(f"input: {name} is {value!r:.60}; it must be a finite number")

    @property
    def shape(self) -> Shape:
        return (self.height, self.width, self.channels)


class ReceptiveField(Record):
    """The input pixels that an output reads, along rows and columns.

    Output i reads the pixels from `start + i * jump` to `start + i * jump + size - 1`, where they lie in the image.
    """

    size: Pair
    jump: Pair
    start: Pair


class LayerRecord(Record, kw_only=True):
    """What a layer is and gives and costs; the attributes are those of `LayerRow` and its layer."""

    name: str
    kind: str
    from_layer: str | None
    output_shape: tuple[Count, ...]
    parameters: Count
    non_trainable_parameters: Count
    macs: Count
    receptive_field: tuple[Count, Count]


@dataclass(frozen=True)
class LayerRow:
    """One line of the layer table: what a layer is given, gives, holds, costs and sees.

    Attributes:
        input_shape: of a `Branch` that of the earlier layer, of a `Concatenate` that of both together.
        parameters: how many numbers training can change.
        non_trainable_parameters: how many are weights too, but no gradient changes them.
        macs: multiply-adds for one image on its way forward.
    """

    layer: Layer
    input_shape: Shape
    output_shape: Shape
    parameters: int
    non_trainable_parameters: int
    macs: int
    receptive_field: ReceptiveField

    def to_record(self) -> LayerRecord:
        return from_attributes(
            LayerRecord,
            self,
            name=self.layer.name,
            kind=self.layer.kind,
            from_layer=earlier(self.layer) or None,
            receptive_field=self.receptive_field.size,
        )


def layer_table(image: Input, layers: tuple[Layer, ...]) -> tuple[LayerRow, ...]:
    """Return a row for each of `layers`, in their order.

    Raises:
        ArchitectureError: where a shape is not positive, `from_layer` names no earlier layer or one that does not fit,
            nobody reads a layer, maps are computed behind a `Dense`, or the layers cost more than
            `convscope.architecture.cost` allows.
    """
    check_layer_count(len(layers))
    budget = Budget(image.shape)
    rows: list[LayerRow] = []
    shape, seen = image.shape, ReceptiveField((1, 1), (1, 1), (0, 0))
    outputs = {"input": (shape, seen)}
    for layer in layers:
        given, other = shape, outputs[_checked_earlier(layer, outputs)]
        if isinstance(layer, Branch):
            _check_branch(layer, rows, other[0])
            given, seen = other
        elif earlier(layer):
            _check_joined(layer, rows[-1].layer.name if rows else "", shape, other[0])
        if isinstance(layer, Concatenate):
            given = (*shape[:-1], other[0][-1] + shape[-1])
        shape = layer.output_shape(given)
        sizes = {name: prod(size) for name, size in layer.weight_shapes(given).items()}
        fixed = sum(size for name, size in sizes.items() if name in NON_TRAINABLE_WEIGHTS)
        budget.spend(layer, given, shape, sum(sizes.values()))
        seen = _receptive_field(layer, given, seen, image)
        if isinstance(layer, Add | Concatenate):
            seen = _around(seen, other[1], shape)
        outputs[layer.name] = shape, seen
        rows.append(LayerRow(layer, given, shape, sum(sizes.values()) - fixed, fixed, layer.macs(given), seen))
    _check_all_are_read(layers)
    return tuple(rows)


def earlier(layer: Layer) -> str:
    """Return the name of the layer that `layer` reads beside the one before it, or in its place; "" if there is none.

    It may be "input", the image.
    """
    return str(getattr(layer, "from_layer", ""))


def _checked_earlier(layer: Layer, outputs: Mapping[str, object]) -> str:
    name = earlier(layer) or "input"
    if name not in outputs:
        raise ArchitectureError(
            f"{label(layer)}: from_layer is {name!r}, which is not an earlier layer; before it are {', '.join(outputs)}"
        )
    return name


def _check_joined(layer: Layer, before: str, given: Shape, other: Shape) -> None:
    if not before:
        raise ArchitectureError(f"{label(layer)} is the first layer; put the layers before it whose outputs it joins")
    if isinstance(layer, Add) and given != other:
        raise ArchitectureError(
            f"{label(layer)} adds {layer.from_layer} of shape {other} to {before} of shape {given}; give both the same "
            "shape, with `same` padding, strides of 1 and equal numbers of filters"
        )
    if given[:-1] != other[:-1]:
        raise ArchitectureError(
            f"{label(layer)} joins {earlier(layer)} of shape {other} and {before} of shape {given}; give both as many "
            "rows and columns, with `same` padding and equal strides"
        )


def _check_branch(layer: Branch, before: list[LayerRow], given: Shape) -> None:
    dense = next((row.layer.name for row in before if isinstance(row.layer, Dense)), None)
    if dense is not None and len(given) == 3:  # a vector never becomes a map again, so all maps can come first
        raise ArchitectureError(
            f"{label(layer)} goes back to the maps of {layer.from_layer} behind the dense layer {dense}; put all "
            "layers that read maps before the first dense one"
        )


def _check_all_are_read(layers: tuple[Layer, ...]) -> None:
    named = {earlier(layer) for layer in layers}
    for layer, behind in pairwise(layers):
        if isinstance(behind, Branch) and layer.name not in named:
            raise ArchitectureError(
                f"no layer reads {label(layer)}, since {behind.name} behind it goes back to {behind.from_layer}; read "
                "it by an Add or a Concatenate"
            )


def _receptive_field(layer: Layer, given: Shape, seen: ReceptiveField, image: Input) -> ReceptiveField:
    if (window := getattr(layer, "window", None)) is not None:
        before, _ = zip(*window.frame(given), strict=True)
        axes = zip(seen.size, seen.jump, seen.start, window.reach, window.strides, before, strict=True)
        size, jump, start = zip(*((r + (k - 1) * j, j * s, o - p * j) for r, j, o, k, s, p in axes), strict=True)
        return ReceptiveField(size, jump, start)
    if isinstance(layer, ZeroPadding2D):
        (above, _), (left, _) = layer.padding
        start = (seen.start[0] - above * seen.jump[0], seen.start[1] - left * seen.jump[1])
        return ReceptiveField(seen.size, seen.jump, start)
    if len(given) == 1 or layer.output_shape(given) == given:  # number by number
        return seen
    sizes, starts = [], []
    for n, r, j, o, pixels in zip(given, seen.size, seen.jump, seen.start, (image.height, image.width), strict=False):
        first, last = max(o, 0), min(o + (n - 1) * j + r, pixels)
        sizes.append(max(last - first, 0))  # below zero where nothing but padding is read
        starts.append(first)
    return ReceptiveField((sizes[0], sizes[1]), (0, 0), (starts[0], starts[1]))


def _around(seen: ReceptiveField, other: ReceptiveField, shape: Shape) -> ReceptiveField:
    """Return the field with the jump of `seen` in which at every place of a map lie those of `seen` and `other` both.

    `other`, of an earlier layer, has mostly seen a part of the same. Where between the two strides made the map smaller
    and padding made it larger again, jumps differ, and the first place or the last says how large the field must be.
    """
    sizes, starts = [], []
    for axis, places in enumerate(shape[:2] if len(shape) == 3 else (1, 1)):
        jump, start = seen.jump[axis], seen.start[axis]
        drift = (places - 1) * (other.jump[axis] - jump)
        first = min(start, other.start[axis] + min(drift, 0))
        last = max(start + seen.size[axis], other.start[axis] + max(drift, 0) + other.size[axis])
        sizes.append(last - first)
        starts.append(first)
    return ReceptiveField((sizes[0], sizes[1]), seen.jump, (starts[0], starts[1]))
