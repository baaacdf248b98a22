"""A graph and its nodes as plain values, from whatever file."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convscope.interchange.translation.steps import NotTranslated

Sizes = tuple[int | None, ...]
"""The sizes of a tensor's axes, None where the file leaves one open."""


@dataclass(frozen=True, eq=False)
class Node:
    """An operator with what it reads and gives.

    Attributes:
        label: what it is called in an error.
        inputs: names; an input that is left out is "".
        domain: of whom the operator is; "" of ONNX itself.
    """

    operator: str
    name: str
    label: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, Any]
    domain: str = ""

    def ints(self, name: str, default: tuple[int, ...] = ()) -> tuple[int, ...]:
        """Return a list of whole numbers."""
        value = self.attributes.get(name, default)
        if not isinstance(value, list | tuple) or not all(isinstance(number, int) for number in value):
            raise NotTranslated(f"{name} is {value!r:.60}, not a list of whole numbers")
        return tuple(value)

    def int(self, name: str, default: int) -> int:
        """Return a whole number."""
        value = self.attributes.get(name, default)
        if not isinstance(value, int):
            raise NotTranslated(f"{name} is {value!r:.60}, not a whole number")
        return value

    def float(self, name: str, default: float) -> float:
        """Return a number, with no more digits than float32 has."""
        value = self.attributes.get(name, default)
        if not isinstance(value, float | int):
            raise NotTranslated(f"{name} is {value!r:.60}, not a number")
        return float(str(np.float32(value)))

    def text(self, name: str, default: str) -> str:
        """Return a word."""
        value = self.attributes.get(name, default)
        if isinstance(value, bytes):
            return value.decode(errors="replace")
        if not isinstance(value, str):
            raise NotTranslated(f"{name} is {value!r:.60}, not a word")
        return value


@dataclass(eq=False)
class NodeBuilder:
    """The nodes and constants that replace an operator of another program.

    Attributes:
        label: what the operator is called in an error.
        results: the names of what it gives.
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
        """Add a node before the last one, and return the name of the value that it gives."""
        name = f"{self.result}/{len(self.nodes)}"
        self._add(operator, inputs, (name,), "", attributes)
        return name

    def end(self, operator: str, inputs: list[str], domain: str = "", **attributes: Any) -> None:
        """Add the node that gives the results."""
        self._add(operator, inputs, self.results, domain, attributes)

    def _add(
        self, operator: str, inputs: list[str], outputs: tuple[str, ...], domain: str, attributes: dict[str, Any]
    ) -> None:
        while inputs and not inputs[-1]:  # what is left out at the end
            inputs = inputs[:-1]
        self.nodes.append(Node(operator, "", self.label, tuple(inputs), outputs, attributes, domain))


@dataclass(frozen=True)
class ImageInput:
    """The input of a graph: its name, the sizes of its axes (images first), and whether it takes bytes.

    Attributes:
        order: of the axes, `CHANNELS_FIRST` or `CHANNELS_LAST`; None where the nodes must tell.
    """

    name: str
    sizes: Sizes
    is_bytes: bool
    order: tuple[int, ...] | None = None


@dataclass(frozen=True, eq=False)
class Graph:
    """The computation of a file in the operators of ONNX.

    Attributes:
        outputs: the sizes of each by its name; None where the file does not say them.
        weights: the names of constants.
        weight: returns one of them; raises `ValueError` if it is damaged.
        opset: the version of the operators.
        convert: translates each node, where they are not operators of ONNX.
    """

    nodes: tuple[Node, ...]
    image: ImageInput
    outputs: Mapping[str, Sizes | None]
    weights: frozenset[str]
    weight: Callable[[str], NDArray[Any]]
    opset: int
    convert: Callable[[Any, Node], Any] | None = None
