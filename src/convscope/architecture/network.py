"""The architecture of a network: its input, its layers, and the shapes and counts that follow from them."""

import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from typing import Any

from convscope.architecture.cost import check_layer_count
from convscope.architecture.diagram import diagram_svg
from convscope.architecture.layer_json import layer_from_dict, layer_to_dict
from convscope.architecture.layers import NON_TRAINABLE_WEIGHTS, Layer, Shape, SoftVoting
from convscope.architecture.summary import summary_text
from convscope.architecture.table import Input, LayerRow, get_source_name, layer_table
from convscope.base.arguments import check_name
from convscope.base.errors import ArchitectureError
from convscope.base.plain import from_plain


@dataclass(frozen=True)
class Architecture:
    """An input and the layers that follow it; the output of the last has K numbers, one for each class (the logits).

    Each layer reads the previous one. An `Add` or a `Concatenate` also reads an earlier one by its name, and a `Branch`
    reads only the earlier one. Layers without a name get Keras's: `conv2d`, `conv2d_1`, ... `softmax` is allowed only
    at the end.

    >>> from convscope.architecture import Architecture, Dense, Flatten, Input
    >>> linear = Architecture(Input(28, 28), (Flatten(), Dense(10, "softmax")), name="linear")
    >>> linear.parameters, linear.num_classes, linear.layers[1].name
    (7850, 10, 'dense')

    Raises:
        ArchitectureError: if a shape is not positive, two layers have one name, an earlier layer is missing or does not
            fit, nothing reads a layer, the end is not a vector of at least two numbers, or the network exceeds a limit
            of `convscope.architecture.cost`.
    """

    input: Input
    layers: tuple[Layer, ...]
    name: str = field(default="custom", compare=False)  # it changes nothing that the network computes

    def __post_init__(self) -> None:
        check_name(self.name, "architecture: name", ArchitectureError)
        # Before the checks below, whose errors name layers.
        object.__setattr__(self, "layers", _name_layers(tuple(self.layers)))
        if not self.layers:
            raise ArchitectureError("an architecture needs at least one layer")
        last = self.table[-1]
        if len(last.output_shape) != 1 or last.output_shape[0] < 2:
            raise ArchitectureError(
                f"{last.layer.name} ends the network with shape {last.output_shape}; "
                "the last layer must give a vector of two or more numbers, one for each class"
            )
        for row in self.table:
            activation = getattr(row.layer, "activation", "linear")
            if activation == "softmax" and row is not last:
                raise ArchitectureError(f"{row.layer.name}: softmax is allowed in the last layer only")
            if isinstance(row.layer, SoftVoting) and row is not last:
                raise ArchitectureError(f"{row.layer.name}: SoftVoting is allowed as the last layer only")
            # Losses and calibration read the last layer's numbers as logits.
            if activation not in ("linear", "softmax") and row is last:
                raise ArchitectureError(f"{row.layer.name}: the last layer must have the activation softmax or linear")
        if "input" in (layer.name for layer in self.layers):
            raise ArchitectureError("no layer may be called 'input', because the image has that name")

    @cached_property
    def table(self) -> tuple[LayerRow, ...]:
        """The layers with their shapes, counts and receptive fields, from input to output."""
        return layer_table(self.input, self.layers)

    @property
    def parameters(self) -> int:
        """Number of trainable weights."""
        return sum(row.parameters for row in self.table)

    @property
    def non_trainable_parameters(self) -> int:
        """Number of weights that no gradient changes: the moving statistics of batch normalisation."""
        return sum(row.non_trainable_parameters for row in self.table)

    @property
    def macs(self) -> int:
        """Multiply-adds of a forward pass of one image, in convolutions and dense layers alone."""
        return sum(row.macs for row in self.table)

    @property
    def read_again(self) -> frozenset[str]:
        """The names of the layers, and "input" for the image, that a later layer reads by its `from_layer`."""
        # `get_source_name` is "" for a layer without `from_layer`.
        return frozenset(map(get_source_name, self.layers)) - {""}

    @property
    def num_classes(self) -> int:
        return self.table[-1].output_shape[0]

    @property
    def weight_shapes(self) -> dict[str, Shape]:
        """The shape of every weight by its name, such as `LAYER/kernel`, in the order of the layers."""
        return {
            f"{row.layer.name}/{weight}": shape
            for row in self.table
            for weight, shape in row.layer.weight_shapes(row.input_shape).items()
        }

    @property
    def trainable_weight_shapes(self) -> dict[str, Shape]:
        """Those of `weight_shapes` that a gradient changes: all but moving statistics."""
        return {
            name: shape
            for name, shape in self.weight_shapes.items()
            if name.partition("/")[2] not in NON_TRAINABLE_WEIGHTS
        }

    @cached_property
    def _rows(self) -> dict[str, LayerRow]:
        return {row.layer.name: row for row in self.table}

    def row(self, name: str) -> LayerRow:
        """Get the row of the layer called `name`; a `KeyError` lists the names there are."""
        if (row := self._rows.get(name)) is not None:
            return row
        raise KeyError(f"no layer {name!r}; the layers are {', '.join(layer.name for layer in self.layers)}")

    def to_dict(self) -> dict[str, Any]:
        """Convert the architecture to plain JSON: `name`, `input`, `layers`."""
        return {
            "name": self.name,
            "input": asdict(self.input),
            "layers": [layer_to_dict(layer) for layer in self.layers],
        }

    @classmethod
    def from_dict(cls, value: Any) -> "Architecture":
        """Read an architecture that `to_dict` wrote.

        Raises:
            ArchitectureError: if anything in it is missing, unknown or out of range.
        """
        if not isinstance(value, Mapping) or not isinstance(value.get("input"), Mapping):
            raise ArchitectureError("an architecture must be an object with `input` and `layers`")
        if not isinstance(value.get("layers"), list):
            raise ArchitectureError("an architecture's `layers` must be a list")
        if unknown := sorted(str(key) for key in value if key not in ("name", "input", "layers")):
            raise ArchitectureError(f"an architecture has no {unknown[0]!r}; it has name, input, layers")
        check_layer_count(len(value["layers"]))
        image = from_plain(Input, value["input"], "input", ArchitectureError)
        return cls(image, tuple(layer_from_dict(layer) for layer in value["layers"]), value.get("name", "custom"))

    def summary(self) -> str:
        """Format the layer table as Keras does, with multiply-adds and receptive fields."""
        return summary_text(self.name, self.input, self.table)

    def diagram(self) -> str:
        """Draw the layers from left to right as one SVG element."""
        return diagram_svg(self.input, self.table)

    def _repr_html_(self) -> str:
        return self.diagram()

    def __str__(self) -> str:
        return json.dumps(self.to_dict())


def architecture_in(value: Any, image_shape: Shape | None = None) -> Architecture:
    """Read an architecture from a JSON value or from its key `architecture`, as in run.json.

    Args:
        image_shape: (H, W, C), for an architecture without `input`.

    Raises:
        ArchitectureError: as `Architecture.from_dict` does.
    """
    if isinstance(value, Mapping) and "architecture" in value:
        value = value["architecture"]
    # A file without `input` is for images of any shape, which the data decide.
    if isinstance(value, Mapping) and "input" not in value and image_shape is not None:
        value = {**value, "input": dict(zip(("height", "width", "channels"), image_shape, strict=True))}
    return Architecture.from_dict(value)


def _name_layers(layers: tuple[Layer, ...]) -> tuple[Layer, ...]:
    """Check the names of layers, and name those that have none."""
    stated = Counter(layer.name for layer in layers if layer.name)
    if stated and max(stated.values()) > 1:
        raise ArchitectureError(f"two layers are called {stated.most_common(1)[0][0]!r}; layer names must be unique")
    for name in stated:
        check_name(name, "layer: name", ArchitectureError)
        # Names become parts of weight names, and of identifiers in C.
        if not name.replace("_", "a").isalnum() or not name.isascii():
            raise ArchitectureError(f"layer name {name!r}: use ASCII letters, digits and underscores")
    counts: Counter[str] = Counter()
    named_layers = []
    for layer in layers:
        if layer.name:
            named_layers.append(layer)
            continue
        # conv2d, conv2d_1, conv2d_2, ...: the first that no layer has.
        stem = keras_stem(layer.kind)
        while True:
            name = f"{stem}_{counts[stem]}" if counts[stem] else stem
            counts[stem] += 1
            if name not in stated:
                break
        named_layers.append(replace(layer, name=name))
    return tuple(named_layers)


def keras_stem(kind: str) -> str:
    """Convert the name of a class to the name that Keras gives its layers.

    >>> keras_stem("GlobalMaxPooling2D"), keras_stem("PReLU")
    ('global_max_pooling2d', 'p_re_lu')
    """
    # An underscore before a capital that begins a word, and between a small letter and a capital.
    return re.sub("(?<=.)(?=[A-Z][a-z])|(?<=[a-z])(?=[A-Z])", "_", kind).lower()


class FreeNames:
    """Makes names unique by appending a number where needed."""

    def __init__(self, taken: Iterable[str]) -> None:
        self._taken = set(taken)

    def __call__(self, stem: str) -> str:
        name, number = stem, 0
        while name in self._taken:
            number += 1
            name = f"{stem}_{number}"
        self._taken.add(name)
        return name
