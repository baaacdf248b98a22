"""Nodes of a graph as plain values."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from convscope.interchange.onnx_files.protos import tensor_array
from convscope.interchange.onnx_files.translation.steps import NotTranslated

_FLOAT, _INT, _STRING, _TENSOR, _FLOATS, _INTS = 1, 2, 3, 4, 6, 7  # as AttributeProto.AttributeType numbers them
_FIELDS = {_FLOAT: "f", _INT: "i", _STRING: "s", _TENSOR: "t", _FLOATS: "floats", _INTS: "ints"}


@dataclass(frozen=True, eq=False)
class Node:
    """An operator with what it reads and gives.

    Attributes:
        label: what it is called in an error.
        inputs: names; an input that is left out is "".
    """

    operator: str
    name: str
    label: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, Any]

    def ints(self, name: str, default: tuple[int, ...] = ()) -> tuple[int, ...]:
        """Return a list of whole numbers."""
        value = self.attributes.get(name, default)
        if not isinstance(value, list | tuple) or not all(isinstance(each, int) for each in value):
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


def read_node(proto: Any, number: int) -> Node:
    """Return a `NodeProto` as a node; an attribute that it cannot hold is refused when it is asked for."""
    attributes: dict[str, Any] = {}
    for each in proto.attribute:
        if each.type == _TENSOR:
            try:
                attributes[each.name] = tensor_array(each.t)
            except ValueError:
                attributes[each.name] = None
        elif each.type in _FIELDS:
            value = getattr(each, _FIELDS[each.type])
            attributes[each.name] = list(value) if each.type in (_FLOATS, _INTS) else value
        else:
            attributes[each.name] = None
    name = f"{proto.name!r:.60}" if proto.name else f"number {number}"
    operator = proto.op_type if proto.op_type.isidentifier() else repr(proto.op_type)
    label = f"{name} ({operator:.40})"
    return Node(proto.op_type, proto.name, label, tuple(proto.input), tuple(proto.output), attributes)
