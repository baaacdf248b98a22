"""The state of a translation: the constants, values and notes so far.

Nodes that only multiply or add do not become layers at once. The value of 2 · x + 1 is the step that gives x, with the
factor 2 and the addend 1 (`shift`), which wait. So does a curve: an activation, or a part of one. A value is plain if
nothing waits. A node that can use a factor asks for `value`, any other for `plain`, which calls `finish`. With x

    the image                               2 · x + 1 becomes the image with another scale and offset
    a linear layer, read by nobody else     the layer with doubled kernel and bias, and 1 added to the bias
    anything else                           a further layer, a BatchNormalization
"""

from collections import Counter
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convscope.architecture import BatchNormalization, Flatten, Layer
from convscope.architecture.layer_json import LAYER_KINDS
from convscope.interchange.translation.nodes import Node
from convscope.interchange.translation.steps import (
    LINEAR_KINDS,
    Array,
    FileTensor,
    NotTranslated,
    Step,
    TranslationBudget,
    make_image_step,
    to_scalar,
    with_activation,
)

BATCH = -(1 << 40)
"""Marks the number of images in shapes that the graph computes; true sizes are not negative."""


@dataclass(eq=False)
class State:
    """The values and constants of a graph by name, as far as they are translated.

    Attributes:
        readers: how many nodes read each value.
        batch: the number of images that the file takes at once; None if it is open.
        padded: for values that a Pad surrounds by minus infinity, the pixels (before, after) of rows and of columns.
            Only a `MaxPool` can read them.
        constants_advice: see `Graph`.
    """

    opset: int
    readers: Counter[str]
    constants: dict[str, NDArray[Any]]
    batch: int | None = None
    values: dict[str, FileTensor] = field(default_factory=dict)
    padded: dict[str, tuple[tuple[int, int], tuple[int, int]]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    constants_advice: str = ""
    work: TranslationBudget = field(default_factory=TranslationBudget)
    _weights_read: set[str] = field(default_factory=set)

    def constant(self, node: Node, position: int) -> NDArray[Any] | None:
        """Look up a constant input; None if it is left out or depends on the images."""
        name = node.inputs[position] if position < len(node.inputs) else ""
        return self.constants.get(name) if name else None

    def integers(self, node: Node, position: int, attribute: str) -> tuple[int, ...] | None:
        """Read whole numbers from an attribute (old opsets) or an input (new ones); None if they are left out."""
        if attribute in node.attributes:
            return node.ints(attribute)
        if position >= len(node.inputs) or not node.inputs[position]:
            return None
        array = self.constant(node, position)
        if array is None or array.dtype.kind not in "iu" or array.size > 16:
            raise NotTranslated(f"{attribute} depends on the images; it must be constant")
        return tuple(int(number) for number in array.ravel())

    def weight(self, node: Node, position: int, what: str) -> Array:
        """Read an input that must be constant numbers; `what` names it in errors."""
        array = self.constant(node, position)
        if array is None:
            raise NotTranslated(f"its {what} is computed from the images; it must be constant")
        if array.dtype.kind != "f":
            raise NotTranslated(f"its {what} is {array.dtype}; floating-point numbers are needed")
        name = node.inputs[position]
        if what == "kernel" and name in self._weights_read:
            self.notes.append(f"the weights {name!r:.60} are used more than once; each layer has a copy of its own")
        self._weights_read.add(name)
        return array

    def value(self, node: Node, position: int = 0) -> FileTensor:
        """Look up an input that depends on the images. A factor, addend or curve may not be applied yet."""
        if position >= len(node.inputs) or node.inputs[position] not in self.values:
            raise NotTranslated(f"input {position} is a constant or missing; it must depend on the images")
        name = node.inputs[position]
        value = self.values[name]
        # A factor, addend or curve is not a step yet. If two nodes read 2 · x, both read x itself, so x has two users,
        # and neither node may change the layer that gives x.
        return value if value.is_plain else replace(value, users=max(value.users, self.readers[name]))

    def plain(self, node: Node, position: int = 0) -> FileTensor:
        """Look up an input as the output of a step; a factor, addend or curve becomes a step or goes into weights."""
        value = self.value(node, position)
        if not value.is_plain:
            name = node.inputs[position]
            value = replace(self.finish(self.values[name]), users=self.readers[name])
            self.values[name] = value  # all its readers must share this step
        return value

    def finish(self, value: FileTensor) -> FileTensor:
        """Apply the curve of a value, then its factor and addend, in steps or in weights."""
        if value.curve == "padded":
            raise NotTranslated("has pixels of minus infinity around its input; only a MaxPool can have them")
        if value.curve:
            raise NotTranslated("has a softmax as input, which is allowed at the end only")
        if value.is_plain:
            return value
        step = self._scale_value(value.step, value.factor, value.shift, value.users == 1)
        return replace(value, step=step, factor=1.0, shift=0.0)

    def _scale_value(self, step: Step, factor: Any, shift: Any, is_sole: bool) -> Step:
        """Make a step that gives `factor · output + shift`, see the table of the module.

        Args:
            is_sole: whether nothing reads the output itself; only then may the layer that gives it change.
        """
        factor, shift = to_scalar(factor), to_scalar(shift)
        is_scalar = isinstance(factor, float) and isinstance(shift, float)
        if step.is_image and is_scalar:
            assert step.source is not None
            scale, offset = (float(step.source.weights[name]) for name in ("scale", "offset"))
            return make_image_step(step.shape, factor * scale, factor * offset + shift)
        if step.kind == "Flatten" and is_scalar and is_sole:
            # Before the Flatten they may go into the scaling of the image; a layer there may have other readers.
            assert step.source is not None
            scaled = self._scale_value(step.source, factor, shift, False)
            return self.work.step(scaled, Flatten(name=getattr(step.layer, "name", "")))
        if step.kind in LINEAR_KINDS and step.activation == "linear" and is_sole:
            return self._scale_weights(step, factor, shift)
        ones = np.ones(step.shape[-1])
        if step.kind in ("LayerNormalization", "GroupNormalization") and is_sole:
            assert step.source is not None
            assert step.layer is not None
            weights = {"gamma": step.weights["gamma"] * factor, "beta": step.weights["beta"] * factor + ones * shift}
            return self.work.step(step.source, step.layer, weights)
        layer = BatchNormalization()
        # √(variance + ε) = √(0.999 + 0.001) = 1: the layer only multiplies by gamma and adds beta.
        weights = {"gamma": ones * factor, "beta": ones * shift, "moving_mean": ones * 0}
        return self.work.step(step, layer, {**weights, "moving_variance": ones * (1 - layer.epsilon)})

    def _scale_weights(self, step: Step, factor: Any, shift: Any) -> Step:
        """Multiply a convolution or dense layer by `factor` and add `shift`, in its weights."""
        assert step.source is not None
        assert step.layer is not None
        kernel, bias = step.weights["kernel"], step.weights.get("bias")
        channels = step.shape[-1]
        factors = np.broadcast_to(np.asarray(factor, np.float64), channels)
        # A depthwise kernel is (U, V, C, M), and its C · M filters have a factor each.
        kernel_factors = factors.reshape(kernel.shape[2:]) if step.kind == "DepthwiseConv2D" else factors
        weights: dict[str, NDArray[Any]] = {"kernel": (kernel * kernel_factors).astype(np.float32)}
        layer: Any = step.layer
        if bias is not None or np.any(shift != np.float64(0)):
            weights["bias"] = ((0 if bias is None else bias) * factors + shift).astype(np.float32)
            layer = replace(layer, use_bias=True)
        return self.work.step(step.source, layer, weights)


def activate(state: State, value: FileTensor, activation: str, slope: float = 0.2, name: str = "") -> FileTensor:
    """Apply an activation to a plain value, in its layer if that has none and nothing reads the value without it."""
    step = value.step
    has_room = step.activation == "linear" and step.kind != "Activation" and value.users == 1
    if has_room and (activation != "leaky_relu" or slope == 0.2):  # a layer's leaky_relu has no other slope
        return replace(value, step=with_activation(step, activation))
    arguments = {"negative_slope": slope} if activation == "leaky_relu" else {}
    layer = new_layer("Activation", f"{activation} by itself", activation=activation, name=name, **arguments)
    return replace(value, step=state.work.step(value.step, layer), users=1)


def new_layer(kind: str, what: str, **arguments: Any) -> Layer:
    """Make a layer of a kind by its name."""
    if kind not in LAYER_KINDS:
        raise NotTranslated(f"is {what}, which would need a layer {kind}")
    return LAYER_KINDS[kind](**arguments)
