"""Which layers of a network have filters, where each filter's answer is read, and which pixels a place of it sees."""

from dataclasses import dataclass

from convscope.architecture import (
    Activation,
    Architecture,
    BatchNormalization,
    Conv2D,
    Dense,
    DepthwiseConv2D,
    LayerRow,
)

Window = tuple[int, int, int, int]
"""(top, left, bottom, right): rows top to bottom - 1 and columns left to right - 1 of the image."""


@dataclass(frozen=True)
class FilterLayer:
    """A layer with filters, and the layer behind which their answers are read.

    Attributes:
        layer: the name of the layer whose weights the filters are.
        row: of the layer where they are read: the same, or where it has no activation the batch normalisation straight
            behind it, the activation straight behind it, or both, since only there a filter's answer is complete.
    """

    layer: str
    row: LayerRow

    @property
    def num_filters(self) -> int:
        return self.row.output_shape[-1]

    @property
    def map_size(self) -> tuple[int, int]:
        """Rows and columns of a feature map; (1, 1) for the units of a dense layer."""
        shape = self.row.output_shape
        return (shape[0], shape[1]) if len(shape) == 3 else (1, 1)

    @property
    def activation(self) -> str:
        return str(getattr(self.row.layer, "activation", "linear"))

    def window(self, place: tuple[int, int], image_size: tuple[int, int]) -> Window:
        """Return the pixels that the output at `place` (row, column) of the map reads, cut off at the image's edges."""
        seen = self.row.receptive_field
        first = [start + index * jump for start, index, jump in zip(seen.start, place, seen.jump, strict=True)]
        top, left = (max(one, 0) for one in first)
        bottom, right = (
            min(one + size, pixels) for one, size, pixels in zip(first, seen.size, image_size, strict=True)
        )
        return top, left, max(bottom, top), max(right, left)


def filter_layers(architecture: Architecture) -> tuple[FilterLayer, ...]:
    """Return the convolutions of `architecture`, or where there is none its hidden dense layers, from input to output.

    >>> from convscope.architecture import presets
    >>> [(one.layer, one.num_filters) for one in filter_layers(presets.cnn())]
    [('conv2d', 16), ('conv2d_1', 32)]
    >>> filter_layers(presets.cnn())[1].window((0, 10), (28, 28))
    (0, 20, 8, 28)
    """
    table = architecture.table
    rows = [place for place, row in enumerate(table) if isinstance(row.layer, Conv2D | DepthwiseConv2D)]
    rows = rows or [place for place, row in enumerate(table) if isinstance(row.layer, Dense)][:-1]
    found = []
    for place in rows:
        found.append(FilterLayer(table[place].layer.name, _read_at(table[place : place + 3])))
    return tuple(found)


def _read_at(rows: tuple[LayerRow, ...]) -> LayerRow:
    """Return which of `rows`, the first with filters and the two behind it, completes the filters' answers."""
    complete, *behind = rows
    for row, kinds in zip(behind, (BatchNormalization | Activation, Activation), strict=False):
        is_done = isinstance(complete.layer, Activation) or getattr(complete.layer, "activation", "linear") != "linear"
        if is_done or not isinstance(row.layer, kinds) or row.layer.activation == "softmax":
            break
        complete = row
    return complete
