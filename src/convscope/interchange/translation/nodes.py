"""Graphs and nodes as plain values, whatever format they were read from."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convscope.interchange.translation.steps import NotTranslated

Sizes = tuple[int | None, ...]
"""The sizes of a tensor's axes, None for those that the file leaves open."""


@dataclass(frozen=True, eq=False)
class Node:
    """An operator with its inputs and outputs.

    Attributes:
        label: its name in errors.
        inputs: names; "" for an input that is left out.
        domain: the owner of the operator; "" for ONNX itself.
    """

    operator: str
    name: str
    label: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, Any]
    domain: str = ""

    def ints(self, name: str, default: tuple[int, ...] = ()) -> tuple[int, ...]:
        """Read an attribute that is a list of whole numbers."""
        value = self.attributes.get(name, default)
        if not isinstance(value, list | tuple) or not all(isinstance(number, int) for number in value):
            raise NotTranslated(f"{name} is {value!r:.60}, not a list of whole numbers")
        return tuple(value)

    def int(self, name: str, default: int) -> int:
        """Read an attribute that is a whole number."""
        value = self.attributes.get(name, default)  # also True, as Keras and PyTorch write 1
        if not isinstance(value, int):
            raise NotTranslated(f"{name} is {value!r:.60}, not a whole number")
        return value

    def float(self, name: str, default: float) -> float:
        """Read an attribute that is a number."""
        value = self.attributes.get(name, default)
        if not isinstance(value, float | int):
            raise NotTranslated(f"{name} is {value!r:.60}, not a number")
        return float(str(np.float32(value)))  # 0.1, and not 0.10000000149, which float32 makes of it

    def text(self, name: str, default: str) -> str:
        """Read an attribute that is a word."""
        value = self.attributes.get(name, default)
        if isinstance(value, bytes):
            return value.decode(errors="replace")
        if not isinstance(value, str):
            raise NotTranslated(f"{name} is {value!r:.60}, not a word")
        return value


@dataclass(eq=False)
class NodeBuilder:
    """Collects the nodes and constants that replace an operator of another program.

    A convolution of TensorFlow Lite, for example, becomes a Transpose and a Conv (by `step`, which name their outputs),
    and a Transpose (by `end`) whose output has the name that the convolution's had.

    Attributes:
        label: the operator's name in errors.
        results: the names of its outputs.
    """

    label: str
    results: tuple[str, ...]
    nodes: list[Node] = field(default_factory=list, kw_only=True)
    constants: dict[str, NDArray[Any]] = field(default_factory=dict, kw_only=True)

    @property
    def result(self) -> str:
        return self.results[0]

    def constant(self, what: str, array: Any) -> str:
        """Add a constant and return its name."""
        name = f"{self.result}/{what}"
        self.constants[name] = np.asarray(array)
        return name

    def step(self, operator: str, inputs: list[str], **attributes: Any) -> str:
        """Add a node before the last one, and return the name of its output."""
        name = f"{self.result}/{len(self.nodes)}"
        self._add(operator, inputs, (name,), "", attributes)
        return name

    def end(self, operator: str, inputs: list[str], domain: str = "", **attributes: Any) -> None:
        """Add the node that gives the results."""
        self._add(operator, inputs, self.results, domain, attributes)

    def _add(
        self, operator: str, inputs: list[str], outputs: tuple[str, ...], domain: str, attributes: dict[str, Any]
    ) -> None:
        while inputs and not inputs[-1]:  # inputs that are left out at the end
            inputs = inputs[:-1]
        self.nodes.append(Node(operator, "", self.label, tuple(inputs), outputs, attributes, domain))


@dataclass(frozen=True)
class ImageInput:
    """The input of a graph.

    Attributes:
        sizes: the sizes of its axes, images first.
        order: the order of the axes, `CHANNELS_FIRST` or `CHANNELS_LAST`; None if the nodes must show it.
    """

    name: str
    sizes: Sizes
    is_bytes: bool
    order: tuple[int, ...] | None = None


@dataclass(frozen=True, eq=False)
class Graph:
    """The computation of a file in the operators of ONNX.

    Attributes:
        outputs: the sizes of each output by its name; None if the file leaves them out.
        weights: the names of the constants.
        weight: reads a constant by its name; raises `ValueError` if it is damaged.
        opset: the version of the operators.
        convert: translates a node, for graphs with other operators than ONNX's.
        constants_advice: what to do about constants that cannot be computed, after a semicolon.
    """

    nodes: tuple[Node, ...]
    image: ImageInput
    outputs: Mapping[str, Sizes | None]
    weights: frozenset[str]
    weight: Callable[[str], NDArray[Any]]
    opset: int
    convert: Callable[[Any, Node], Any] | None = None
    constants_advice: str = ""


def choose_layer_name(node: Node, weight: int | None = None) -> str:
    """Derive a layer's name from its weights or its node; "" if neither is a valid name.

    Args:
        weight: the position of the weights among the node's inputs. `conv2d/kernel` gives `conv2d`, and
            `features.0.weight` gives `features_0`.
    """
    weights = "" if weight is None else node.inputs[weight]
    name = weights.rpartition("/" if "/" in weights else ".")[0] or node.name
    name = name.strip("/").replace(".", "_")
    # PyTorch numbers nodes and the modules of a Sequential: node_12 and 0 say less than conv2d, our name without one.
    if name.startswith("node_"):
        return ""
    is_ours = name.isascii() and name.replace("_", "a").isalnum() and not name[0].isdigit() and len(name) <= 64
    return name if is_ours and name != "input" else ""
