"""The layer table, with a row for each layer: shapes, parameters, multiply-adds and receptive field.

The row of 16 filters of 3 × 3 on images (28, 28, 1): the output is (26, 26, 16), of 16 · 9 weights and 16 biases, with
26 · 26 · 16 · 9 = 97,344 multiply-adds, and each output sees 3 × 3 pixels.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from math import prod
from typing import NamedTuple

from convscope.architecture.arguments import LARGEST_FLOAT32, label
from convscope.architecture.cost import Budget, check_layer_count
from convscope.architecture.layers import (
    NON_TRAINABLE_WEIGHTS,
    Add,
    Branch,
    Concatenate,
    GroupNormalization,
    Layer,
    Multiply,
    Pair,
    Shape,
    ZeroPadding2D,
)
from convscope.base.errors import ArchitectureError
from convscope.base.records import Count, Record, from_attributes


@dataclass(frozen=True)
class Input:
    """The images of a network: their size, and the scaling of a byte to a number, `byte * scale + offset`."""

    height: int
    width: int
    channels: int = 1
    scale: float = 1 / 255
    offset: float = 0.0

    def __post_init__(self) -> None:
        for name, limit in (("height", 4096), ("width", 4096), ("channels", 64)):
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= limit:
                raise ArchitectureError(f"input: {name} is {value!r}; it must be a whole number from 1 to {limit}")
        for name in ("scale", "offset"):
            value = getattr(self, name)
            if not isinstance(value, int | float) or not -LARGEST_FLOAT32 <= value <= LARGEST_FLOAT32:
                raise ArchitectureError(f"input: {name} is {value!r:.60}; it must be a finite number")

    @property
    def shape(self) -> Shape:
        return (self.height, self.width, self.channels)


class ReceptiveField(Record):
    """The input pixels that an output reads, along rows and columns.

    Output i reads the pixels from `start + i * jump` to `start + i * jump + size - 1`, as far as the image has them.
    With padding, `start` is below 0.
    """

    size: Pair
    jump: Pair
    start: Pair


class LayerRecord(Record, kw_only=True):
    """A row of the layer table as a record; the attributes are those of `LayerRow` and its layer."""

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
    """A row of the layer table: a layer with its shapes, parameters, cost and receptive field.

    Attributes:
        input_shape: for a `Branch` or `Multiply` that of the earlier layer, for a `Concatenate` that of both together.
        parameters: number of trainable weights.
        non_trainable_parameters: number of weights that no gradient changes.
        macs: multiply-adds for one image, forward.
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
            from_layer=get_source_name(self.layer) or None,
            receptive_field=self.receptive_field.size,
        )


class _Output(NamedTuple):
    """The output of the image or of a layer, as a later layer reads it."""

    shape: Shape
    field: ReceptiveField


def layer_table(image: Input, layers: tuple[Layer, ...]) -> tuple[LayerRow, ...]:
    """Compute a row for each of `layers`, in their order.

    Raises:
        ArchitectureError: where a shape is not positive, `from_layer` names no earlier layer or does not fit, nothing
            reads a layer, or the layers exceed a limit of `convscope.architecture.cost`.
    """
    check_layer_count(len(layers))
    budget = Budget(image.shape)
    rows: list[LayerRow] = []
    # At first each pixel of the image sees itself.
    previous = _Output(image.shape, ReceptiveField((1, 1), (1, 1), (0, 0)))
    outputs = {"input": previous}
    for layer in layers:
        # What `from_layer` names; the image for a layer without one, which does not use it.
        source = outputs[_check_earlier(layer, outputs)]
        if isinstance(layer, Branch):
            previous = source  # a branch continues from there
        elif get_source_name(layer):
            _check_joined(layer, rows[-1].layer.name if rows else "", previous.shape, source.shape)
        input_shape = previous.shape
        if isinstance(layer, Concatenate):
            input_shape = (*input_shape[:-1], source.shape[-1] + input_shape[-1])
        if isinstance(layer, Multiply):
            input_shape = source.shape
        shape = layer.output_shape(input_shape)
        sizes = {name: prod(size) for name, size in layer.weight_shapes(input_shape).items()}
        fixed = sum(size for name, size in sizes.items() if name in NON_TRAINABLE_WEIGHTS)
        trainable = sum(sizes.values()) - fixed
        budget.spend(layer, input_shape, shape, trainable + fixed)
        field = _compute_receptive_field(layer, input_shape, previous.field, image)
        if isinstance(layer, Add | Concatenate):
            field = _unite_fields(field, source.field, shape)
        if isinstance(layer, Multiply):
            field = _unite_fields(source.field, field, shape)  # the jump is that of the maps, not of the factors
        rows.append(LayerRow(layer, input_shape, shape, trainable, fixed, layer.macs(input_shape), field))
        previous = outputs[layer.name] = _Output(shape, field)
    _check_all_are_read(layers)
    return tuple(rows)


def get_source_name(layer: Layer) -> str:
    """Get the name of the earlier layer, or "input", that `layer` reads by its `from_layer`; "" if none."""
    return str(getattr(layer, "from_layer", ""))


def _check_earlier(layer: Layer, outputs: Mapping[str, object]) -> str:
    """Return the name in `outputs` that `layer` reads by `from_layer`, or "input" if it reads none."""
    name = get_source_name(layer) or "input"
    if name not in outputs:
        raise ArchitectureError(
            f"{label(layer)}: from_layer is {name!r}, which is not an earlier layer; before it are {', '.join(outputs)}"
        )
    return name


def _check_joined(layer: Layer, previous: str, input_shape: Shape, source_shape: Shape) -> None:
    if not previous:
        raise ArchitectureError(f"{label(layer)} is the first layer; put the layers before it whose outputs it joins")
    if isinstance(layer, Add) and input_shape != source_shape:
        raise ArchitectureError(
            f"{label(layer)} adds {layer.from_layer} of shape {source_shape} to {previous} of shape {input_shape}; "
            "give both the same shape, with `same` padding, strides of 1 and equal numbers of filters"
        )
    channels = source_shape[-1:]
    if isinstance(layer, Multiply) and input_shape not in (source_shape, channels, (1, 1, *channels)):
        raise ArchitectureError(
            f"{label(layer)} multiplies {layer.from_layer} of shape {source_shape} by {previous} of shape "
            f"{input_shape}; give both the same shape, or {previous} one number for each channel"
        )
    if not isinstance(layer, Multiply) and input_shape[:-1] != source_shape[:-1]:
        raise ArchitectureError(
            f"{label(layer)} joins {get_source_name(layer)} of shape {source_shape} and {previous} of shape "
            f"{input_shape}; give both as many rows and columns, with `same` padding and equal strides"
        )


def _check_all_are_read(layers: tuple[Layer, ...]) -> None:
    read_again = {get_source_name(layer) for layer in layers}
    for layer, following in pairwise(layers):
        if isinstance(following, Branch) and layer.name not in read_again:
            raise ArchitectureError(
                f"no layer reads {label(layer)}, since {following.name} after it goes back to {following.from_layer}; "
                "read it by an Add, a Multiply or a Concatenate"
            )


def _compute_receptive_field(layer: Layer, input_shape: Shape, field: ReceptiveField, image: Input) -> ReceptiveField:
    """Compute the field of a layer's outputs from the `field` of its inputs."""
    if (window := getattr(layer, "window", None)) is not None:
        # Along an axis: k inputs that see r pixels each, j apart, see r + (k - 1) j pixels together. Outputs are s
        # inputs, s j pixels, apart; the first begins p zeros, p j pixels, before o, the first pixel of the first input.
        #     k = 3, r = 3, j = 2:   |---|
        #                              |---|
        #                                |---|     3 + 2 · 2 = 7 pixels
        (above, _), (left, _) = window.frame(input_shape)
        axes = zip(field.size, field.jump, field.start, window.reach, window.strides, (above, left), strict=True)
        # For rows and for columns: size, jump and start.
        fields = [(r + (k - 1) * j, s * j, o - p * j) for r, j, o, k, s, p in axes]
        return ReceptiveField(*zip(*fields, strict=True))
    if isinstance(layer, ZeroPadding2D):
        (above, _), (left, _) = layer.padding
        # The first output, a zero of the padding, is `above` jumps before the first input.
        start = (field.start[0] - above * field.jump[0], field.start[1] - left * field.jump[1])
        return ReceptiveField(field.size, field.jump, start)
    is_group = isinstance(layer, GroupNormalization)
    if len(input_shape) == 1 or (layer.output_shape(input_shape) == input_shape and not is_group):  # pixel by pixel
        return field
    # The whole map is read, so its field reaches from the first value's first pixel to the last value's last, as far as
    # the image has them: n values that see r pixels each, j apart, from pixel o on.
    #     n = 3, r = 3, j = 2, o = -1:   |-.-----|     pixels -1 to 5; -1 is outside the image
    sizes, starts = [], []
    for n, r, j, o, pixels in zip(input_shape, field.size, field.jump, field.start, image.shape, strict=False):
        first, last = max(o, 0), min(o + (n - 1) * j + r, pixels)
        sizes.append(max(last - first, 0))  # below zero if only padding is read
        starts.append(first)
    whole = ReceptiveField((sizes[0], sizes[1]), (0, 0), (starts[0], starts[1]))
    return _unite_fields(field, whole, input_shape) if is_group else whole


def _unite_fields(field: ReceptiveField, source: ReceptiveField, shape: Shape) -> ReceptiveField:
    """Compute the smallest field with the jump of `field` that covers `field` and `source` at every index of a map.

    Mostly `source`, of an earlier layer, lies within `field`. If strides made the map smaller in between and padding
    made it larger again, the jumps differ, and the first or the last index decides the size. Of 4 indices, with a jump
    of 2 and pixels 0 to 2 in `field`, and a jump of 1 and pixel 0 in `source`:

        index         0          1          2          3
        field       0 to 2     2 to 4     4 to 6     6 to 8
        source        0          1          2          3         3 pixels before the field: `drift` is -3

    So the result has a jump of 2 and begins at -3, with a size of 6: at index 3 these are the pixels 3 to 8.
    """
    sizes, starts = [], []
    for axis, count in enumerate(shape[:2] if len(shape) == 3 else (1, 1)):
        jump, start = field.jump[axis], field.start[axis]
        # From the first index to the last, `source` moves this many pixels further than `field`.
        drift = (count - 1) * (source.jump[axis] - jump)
        first = min(start, source.start[axis] + min(drift, 0))
        last = max(start + field.size[axis], source.start[axis] + max(drift, 0) + source.size[axis])
        sizes.append(last - first)
        starts.append(first)
    return ReceptiveField((sizes[0], sizes[1]), field.jump, (starts[0], starts[1]))
