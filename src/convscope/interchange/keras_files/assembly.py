"""From the layers of a Keras model to an architecture, and a list of which stored array becomes which weight.

All layers are looked at before anything is refused, so one error names every layer that is not supported. The arrays of
a file of weights alone are given to the layers of one of our architectures by name or by order.
"""

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from convscope.architecture import Add, Architecture, Branch, Concatenate, Dense, Flatten, Input, Layer, Shape
from convscope.architecture.layer_json import layer_from_dict
from convscope.architecture.network import FreeNames
from convscope.base.errors import ArchitectureError
from convscope.interchange.keras_files.activations import Conversion, Slope, UnknownActivationError, UnsupportedError
from convscope.interchange.keras_files.channels import FLATTENS_CHANNELS_FIRST, channels_last
from convscope.interchange.keras_files.front import open_front
from convscope.interchange.keras_files.graph import IMAGE, KerasGraph, KerasLayer, keras_name
from convscope.interchange.keras_files.hdf5 import Hdf5File
from convscope.interchange.keras_files.layers import check_activation, check_supported, convert_layer, is_unused
from convscope.interchange.refusal import SINGLE_NUMBER, TWO_CLASSES, ModelFileError, multi_label, quoted

_MOST_TOLD = 40


class Problems:
    """Collects which layers are not supported, and why."""

    def __init__(self, num_layers: int) -> None:
        self._num_layers = num_layers
        self.found: list[str] = []

    def add(self, layer: KerasLayer, why: Exception) -> None:
        """Note that `layer` cannot be taken over."""
        text = str(why)
        if isinstance(why, ArchitectureError):  # names our layer, which has no name yet
            text = text.removeprefix(f"{layer.class_name}: ")
        self.found.append(f"{quoted('/'.join(layer.path))} ({layer.class_name[:40]}): {text}")

    def refuse(self) -> None:
        """Raise `ModelFileError` if anything was found."""
        if self.found:
            told = "; ".join(self.found[:_MOST_TOLD])
            more = f"; and {len(self.found) - _MOST_TOLD} more" if len(self.found) > _MOST_TOLD else ""
            raise ModelFileError(
                f"{len(self.found)} of its {self._num_layers} layers cannot be converted: {told}{more}"
            )


WeightSource = str | tuple[float, ...]
"""A variable of a Keras layer, or numbers."""
_NOT_TAKEN = (UnsupportedError, UnknownActivationError, ArchitectureError)


@dataclass(frozen=True)
class Stored:
    """What one Keras layer stores, and which of our weights come from it.

    Attributes:
        variables: the shapes of the stored arrays by their Keras names, in the order in which Keras stores them.
        weights: by our names, such as `conv2d/kernel`.
        turned: the shape (H, W, C) of the maps that the rows of its kernel stand for, if they do so channel by channel.
        is_second: whether its one output becomes the second of two, of which the first is 0.
    """

    layer: KerasLayer
    variables: Mapping[str, Shape]
    weights: Mapping[str, WeightSource]
    turned: Shape | None = None
    is_second: bool = False


@dataclass(frozen=True)
class Assembly:
    """An architecture, where its weights come from, and what was turned into what.

    Attributes:
        reads_bytes: whether the model scales the bytes of an image itself.
        is_part: whether layers of the model, with their weights, were left out.
    """

    architecture: Architecture
    stored: tuple[Stored, ...]
    notes: tuple[str, ...]
    reads_bytes: bool
    is_part: bool = False


def assemble(graph: KerasGraph, image_shape: Shape | None) -> Assembly:
    """Return the architecture that computes what the Keras model computes.

    Raises:
        ModelFileError: naming every layer that is not supported and what would be needed; if the model does not say
            what it reads, or ends in no logits.
        ArchitectureError: if the layers do not fit each other.
    """
    turned = channels_last(graph)
    assembly = _Row(turned, image_shape).assemble()
    note = ("its maps have the channels first; here they have them last",) if turned is not graph else ()
    return replace(assembly, notes=(*note, *assembly.notes), is_part=graph.is_part)


@dataclass(frozen=True)
class _Value:
    """What a Keras layer gives: the name of our layer that gives it, its shape, and as `_Row._turned`."""

    name: str
    shape: Shape | None
    turned: Shape | None


_JOINING = ("Add", "Concatenate")


class _Row:
    """The layers of ours so far."""

    def __init__(self, graph: KerasGraph, image_shape: Shape | None) -> None:
        self._graph = graph
        self._front = open_front(graph.input_shape, image_shape)
        self._readers = Counter(place for layer in graph.layers for place in layer.inputs)
        self._readers.update(graph.outputs)
        self._free = FreeNames(["input"])  # the image's own
        self._problems = Problems(len(graph.layers))
        self._notes: list[str] = []
        self._input: Input | None = None
        self._shape: Shape | None = None  # None before the first layer, and behind one that is not supported
        self._turned: Shape | None = None  # of maps that were flattened channel by channel, until a Dense reads them
        self._layers: list[Layer] = []
        self._stored: list[Stored] = []
        self._is_private = False  # whether nothing but the layer that comes next reads what the last of them gives
        self._at = IMAGE  # the place of what the last of them gives
        self._values: dict[int, _Value] = {}  # by place, of those that are no longer part of the front
        self._uses = Counter(layer.path for layer in graph.layers)

    def assemble(self) -> Assembly:
        """Take over all layers in their order."""
        for place, layer in enumerate(self._graph.layers):
            try:
                self._take(place, layer)
            except _NOT_TAKEN as error:
                self._problems.add(layer, error)
                self._shape = None
        self._check_end()
        self._problems.refuse()
        if self._input is None or not self._layers:
            last = self._graph.layers[-1]
            self._problems.add(last, UnsupportedError("nothing but the reading of the image comes before the end"))
            self._problems.refuse()
        assert self._input is not None, "a first layer left the front"
        architecture = Architecture(self._input, tuple(self._layers), self._graph.name)
        notes = (*self._front.notes, *self._notes)
        return Assembly(architecture, tuple(self._stored), notes, self._front.reads_bytes)

    def _take(self, place: int, layer: KerasLayer) -> None:
        if is_unused(layer):
            self._leave_out(place, layer)
            return
        check_supported(layer)
        self._check_inputs(layer)
        self._check_kept_axes(place, layer)
        if self._input is None and not self._problems.found:
            if layer.inputs == (self._at,) and self._front.absorb(layer):
                self._at = place
                return
            self._input, needs_flatten = self._front.leave(layer)
            self._shape = self._input.shape
            if needs_flatten:
                self._append(Flatten(), "flatten", "Flatten")
                self._notes.append(f"a Flatten is inserted before `{layer.name}`, which needs flat pixels")
                self._is_private = self._readers[self._at] == 1
            self._keep(self._at)
        if self._problems.found:
            check_activation(layer)  # all that can be said without a shape
            return
        count = len(self._layers)
        if layer.class_name in _JOINING:
            self._join(layer)
        else:
            self._go_to(layer.inputs[0])
            assert self._shape is not None, "nothing was refused so far"
            self._convert(place, layer, convert_layer(layer, self._shape))
        self._is_private = self._readers[place] == 1 and (len(self._layers) > count or self._is_private)
        self._keep(place)

    def _keep(self, place: int) -> None:
        """Note that what the last layer gives is what that of Keras at `place` gives."""
        self._at = place
        self._values[place] = _Value(self._layers[-1].name if self._layers else "input", self._shape, self._turned)

    def _go_to(self, place: int) -> None:
        """Go on from what the layer at `place` gives."""
        if place == self._at:
            return
        value = self._value(place)
        self._shape = value.shape
        self._append(Branch(value.name), "branch", "Branch")
        self._turned, self._at, self._is_private = value.turned, place, False

    def _value(self, place: int) -> _Value:
        if place not in self._values:
            raise UnsupportedError("it reads the image as it was before it was scaled or reshaped; build it without")
        return self._values[place]

    def _leave_out(self, place: int, layer: KerasLayer) -> None:
        self._check_inputs(layer)
        if not self._problems.found and self._input is not None:
            self._go_to(layer.inputs[0])
        self._notes.append(f"`{layer.name}` does nothing at prediction and was left out")
        self._is_private = self._is_private and self._readers[place] == 1
        if self._input is not None:
            self._keep(place)
        elif layer.inputs == (self._at,):
            self._at = place

    def _check_inputs(self, layer: KerasLayer) -> None:
        is_joining = layer.class_name in _JOINING
        if len(layer.inputs) != 1 and not is_joining:
            raise UnsupportedError(f"it has {len(layer.inputs)} inputs, where 1 can be converted")
        if is_joining and len(layer.inputs) < 2:
            raise UnsupportedError(f"it has {len(layer.inputs)} inputs, where 2 or more are needed")

    def _check_kept_axes(self, place: int, layer: KerasLayer) -> None:
        if not layer.config.get("keepdims"):
            return
        following = [other for other in self._graph.layers if place in other.inputs]
        if self._readers[place] != 1 or [other.class_name for other in following] not in (["Flatten"], ["Reshape"]):
            raise UnsupportedError(
                "it keeps the axes of one pixel (keepdims=True); build it without, or with a Flatten behind"
            )

    def _join(self, layer: KerasLayer) -> None:
        """Add or concatenate two and two, of which the second is what the last layer gives."""
        values = [self._value(place) for place in layer.inputs]
        if len({value.shape for value in values if layer.class_name == "Add"}) > 1:
            raise UnsupportedError(
                f"it adds the shapes {', '.join(str(value.shape) for value in values)}; only equal ones"
            )
        if any(value.turned for value in values):
            raise UnsupportedError("it reads maps that were flattened with the channels first; build it with them last")
        if not self._layers:  # a first layer joins nothing
            self._append(Branch("input"), "branch", "Branch")
        if layer.class_name == "Concatenate":
            self._concatenate(layer, values)
            return
        places = list(layer.inputs)
        last = self._at if self._at in places else places[-1]
        places.remove(last)
        self._go_to(last)
        for number, place in enumerate(places, 1):
            suffix = f"_{number}" if number < len(places) else ""
            self._append(Add(self._value(place).name), layer.name + suffix, "Add")

    def _concatenate(self, layer: KerasLayer, values: list[_Value]) -> None:
        axis, shapes = layer.config.get("axis", -1), [value.shape for value in values if value.shape is not None]
        if axis not in (-1, len(shapes[0])) or len({shape[:-1] for shape in shapes}) > 1:
            raise UnsupportedError(
                f"it joins the shapes {', '.join(map(str, shapes))} along axis {axis!r:.20}; only channels of maps of "
                "one size, or vectors, can be joined"
            )
        name, shape = values[0].name, shapes[0]
        for number, (place, own) in enumerate(zip(layer.inputs[1:], shapes[1:], strict=True), 1):
            self._go_to(place)
            suffix = f"_{number}" if number < len(values) - 1 else ""
            shape = self._shape = (*own[:-1], shape[-1] + own[-1])
            name = self._append(Concatenate(name), layer.name + suffix, "Concatenate")
            self._at = IMAGE - 1  # what is joined so far is no value of Keras's

    def _convert(self, place: int, layer: KerasLayer, conversion: Conversion) -> None:
        self._notes.extend(note.format(f"`{layer.name}`") for note in conversion.notes)
        weights: dict[str, WeightSource] = {}
        if layer.config.get(FLATTENS_CHANNELS_FIRST):
            self._turned = self._shape
        for part in conversion.parts:
            name = self._append(part.layer, layer.name + part.suffix, layer.class_name)
            weights.update({f"{name}/{weight}": source for weight, source in part.sources.items()})
        if weights:
            turned = self._turned if layer.class_name == "Dense" else None
            self._stored.append(Stored(layer, conversion.variables, weights, turned))
            self._turned = None if turned else self._turned
            if self._uses.pop(layer.path, 1) > 1:
                self._notes.append(f"`{layer.name}` is used more than once; each time it has a copy of its weights")
        if conversion.activation is not None:
            self._activate(place, layer, conversion.activation, is_own=bool(conversion.parts))

    def _activate(self, place: int, layer: KerasLayer, activation: Slope, is_own: bool) -> None:
        """Apply an activation to what the last layer gives: within it, where that can be."""
        if activation.name == "linear":
            if not is_own:
                self._notes.append(f"`{layer.name}` changes nothing and was left out")
            return
        last = self._layers[-1] if self._layers else None
        is_end = place == len(self._graph.layers) - 1 and activation.name == "softmax"
        if (
            activation.is_plain
            and (is_own or self._is_private or is_end)
            and getattr(last, "activation", None) == "linear"
            and last is not None
        ):
            changes: dict[str, Any] = {"activation": activation.name}
            self._layers[-1] = replace(last, **changes)
            if not is_own:
                self._notes.append(f"`{layer.name}` became the activation of `{last.name}`")
            return
        slope = {"negative_slope": activation.negative_slope} if activation.name == "leaky_relu" else {}
        alone = layer_from_dict({"kind": "Activation", "activation": activation.name, **slope})
        name = self._append(alone, f"{layer.name}_activation" if is_own else layer.name, layer.class_name)
        if is_own:
            self._notes.append(f"the activation of `{layer.name}` became the layer `{name}`")

    def _append(self, layer: Layer, wanted: str, class_name: str) -> str:
        """Put a layer at the end under a name near `wanted`, and return that name."""
        assert self._shape is not None, "a layer without a shape is not converted"
        self._shape = layer.output_shape(self._shape)
        stem = re.sub(r"[^A-Za-z0-9_]", "_", wanted)[:80]
        name = self._free(stem if stem.strip("_") else keras_name(class_name))
        if name != wanted:
            self._notes.append(f"the layer {quoted(wanted)} is called `{name}` here")
        self._layers.append(replace(layer, name=name))
        return name

    def _check_end(self) -> None:
        end = len(self._graph.layers) - 1
        last, outputs = self._graph.layers[end], set(self._graph.outputs)
        wrong = None
        is_softmax = last.class_name == "Softmax" or (
            last.class_name == "Activation" and last.config.get("activation") == "softmax"
        )
        if outputs != {end} and not (outputs == {end - 1, end} and is_softmax):
            names = ", ".join(self._graph.layers[place].name for place in sorted(outputs) if place >= 0) or "the image"
            wrong = f"the model's outputs are {names}; name the one with a number for each class with `output`"
        elif self._shape is not None and self._layers:
            activation = getattr(self._layers[-1], "activation", "linear")
            if len(self._shape) != 1:
                wrong = (
                    f"it ends the model with the shape {self._shape}; the model must end with a vector of two or more "
                    "logits, one per class; a denoiser, an autoencoder or a segmentation, which give images, is no "
                    "classifier"
                )
            elif self._shape == (1,):
                if activation == "sigmoid":
                    self._end_in_two_classes(last)
                else:
                    wrong = SINGLE_NUMBER
            elif activation == "sigmoid":
                wrong = multi_label(self._shape[0])
            elif activation not in ("linear", "softmax"):
                wrong = f"it ends the model with {activation}; the last layer must have softmax or linear"
            elif activation == "linear":
                self._notes.append(f"`{last.name}` ends without softmax: its outputs are used as logits")
        if wrong is not None:
            self._problems.add(last, UnsupportedError(wrong))

    def _end_in_two_classes(self, last: KerasLayer) -> None:
        """Make two logits of the one number that a sigmoid is taken of."""
        self._notes.append(TWO_CLASSES)
        if self._layers[-1].kind == "Activation":
            del self._layers[-1]
        end = self._layers[-1] if self._layers else None
        if isinstance(end, Dense):
            self._layers[-1] = replace(end, units=2, activation="softmax")
            self._stored[-1] = replace(self._stored[-1], is_second=True)
            return
        if end is not None and getattr(end, "activation", "linear") != "linear":
            linear: dict[str, Any] = {"activation": "linear"}
            self._layers[-1] = replace(end, **linear)
        name = self._append(Dense(2, "softmax", use_bias=False), "dense", "Dense")
        self._stored.append(Stored(last, {}, {f"{name}/kernel": (0.0, 1.0)}))


def assembly_of(architecture: Architecture, file: Hdf5File) -> Assembly:
    """Return which stored arrays become the weights of `architecture`: by the layers' names, or else by their order."""
    groups_by_name = {}
    for group in file.groups:
        if group.endswith("/vars"):
            for name in file.texts(group, "name") or []:
                groups_by_name[name] = group.removesuffix("/vars")
    names = [row.layer.name for row in architecture.table if row.layer.weight_shapes(row.input_shape)]
    is_named = all(name in groups_by_name for name in names)
    counts: Counter[str] = Counter()
    stored = []
    for row in architecture.table:
        layer, stem = row.layer, keras_name(row.layer.kind)
        group = f"layers/{stem}_{counts[stem]}" if counts[stem] else f"layers/{stem}"
        counts[stem] += 1
        if shapes := layer.weight_shapes(row.input_shape):
            group = groups_by_name[layer.name] if is_named else group
            keras_layer = KerasLayer(layer.name, layer.kind, {}, (), (layer.name,), group)
            stored.append(Stored(keras_layer, shapes, {f"{layer.name}/{weight}": weight for weight in shapes}))
    how = "names" if is_named else "order"
    return Assembly(architecture, tuple(stored), (f"the weights were assigned to the layers by their {how}",), True)
