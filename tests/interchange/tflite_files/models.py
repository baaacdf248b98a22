"""Build models of TensorFlow Lite by hand, with a small writer of FlatBuffers.

A table is a dictionary from field numbers of TensorFlow Lite's schema to values: texts, arrays, tables, lists of
tables, and numbers as (letter of `struct`, number). The fields that are written here:

    Model           0 version, 1 operator codes, 2 graphs, 4 buffers, 7 signatures (1 outputs: 0 name, 1 tensor)
    SubGraph        0 tensors, 1 inputs, 2 outputs, 3 operators
    Tensor          0 shape, 1 type, 2 buffer, 3 name, 4 quantisation: 2 scales, 3 zero points, 6 axis of the scales
    Operator        0 index of its code, 1 inputs, 2 outputs, 4 options
    OperatorCode    0 number up to 127, 1 name of a custom operator, 3 number
    Buffer          0 bytes
"""

import struct
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

Fields = dict[int, Any]
# TensorType of the schema.
TYPES = {"float32": 0, "float16": 1, "int32": 2, "uint8": 3, "int64": 4, "int8": 9}


@dataclass
class Model:
    """A model to which tensors and operators are added before it is saved.

    Attributes:
        changes: fields that replace those of a table, by the table: "model", "graph", or the name of a tensor.
    """

    tensors: list[Fields] = field(default_factory=list)
    buffers: list[Fields] = field(default_factory=lambda: [{}])
    operators: list[Fields] = field(default_factory=list)
    codes: list[Fields] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    inputs: tuple[str, ...] = ("x",)
    outputs: tuple[str, ...] = ("y",)
    signature: dict[str, str] = field(default_factory=dict)
    changes: dict[str, Fields] = field(default_factory=dict)

    def tensor(
        self,
        name: str,
        shape: tuple[int, ...],
        dtype: str = "float32",
        scales: Any = None,
        zero: int = 0,
        axis: int = 0,
    ) -> str:
        """Add a tensor that is computed."""
        self.names.append(name)
        tensor: Fields = {0: np.array(shape, "<i4"), 1: ("b", TYPES[dtype]), 2: ("I", 0), 3: name}
        if scales is not None:
            scales = np.atleast_1d(np.asarray(scales, "<f4"))
            tensor[4] = {2: scales, 3: np.full(len(scales), zero, "<i8"), 6: ("i", axis)}
        self.tensors.append(tensor)
        return name

    def constant(self, name: str, array: np.ndarray, **options: Any) -> str:
        """Add a tensor with its values."""
        self.tensor(name, array.shape, array.dtype.name, **options)
        self.tensors[-1][2] = ("I", len(self.buffers))
        self.buffers.append({0: np.frombuffer(array.tobytes(), "u1")})
        return name

    def call(self, code: int, inputs: list[str], output: str, options: Fields | None = None, custom: str = "") -> None:
        """Add an operator by its number in the schema's BuiltinOperator."""
        self.codes.append({0: ("b", min(code, 127)), 3: ("i", code)} | ({1: custom} if custom else {}))
        indices = [self.names.index(name) if name else -1 for name in inputs]
        operator: Fields = {0: ("I", len(self.codes) - 1), 1: np.array(indices, "<i4")}
        operator |= {2: np.array([self.names.index(output)], "<i4")} | ({} if options is None else {4: options})
        self.operators.append(operator)

    def bytes(self) -> bytes:
        """Return the bytes of the file."""
        indices = {name: np.array([self.names.index(name) for name in names], "<i4")
                  for name, names in (("inputs", self.inputs), ("outputs", self.outputs))}  # fmt: skip
        tensors = [tensor | self.changes.get(name, {}) for name, tensor in zip(self.names, self.tensors, strict=True)]
        graph = {0: tensors, 1: indices["inputs"], 2: indices["outputs"], 3: self.operators}
        graph |= self.changes.get("graph", {})
        names = [{0: name, 1: ("I", self.names.index(tensor))} for name, tensor in self.signature.items()]
        model = {0: ("I", 3), 1: self.codes, 2: [graph], 4: self.buffers} | ({7: [{1: names}]} if names else {})
        return write_flatbuffer(model | self.changes.get("model", {}))

    def save(self, folder: Path) -> Path:
        path = folder / "net.tflite"
        path.write_bytes(self.bytes())
        return path


def write_flatbuffer(fields: Fields) -> bytes:
    """Return the FlatBuffer of the root table: its offset, the format's name, and all tables."""
    content = bytearray(b"\0\0\0\0TFL3")
    struct.pack_into("<I", content, 0, _write_table(content, fields))
    return bytes(content)


def _align(content: bytearray) -> int:
    content.extend(bytes(-len(content) % 8))
    return len(content)


def _write_table(content: bytearray, fields: Fields) -> int:
    """Append a table and return its offset.

    vtable: its bytes (2), the table's bytes (2), the offset of each field in the table (2 each, 0 if absent).
    Table: the distance back to its vtable (4), padding (4), then 8 bytes a field: a number, or the distance to a child.
    """
    slots = max(fields, default=-1) + 1
    vtable = _align(content)
    content.extend(bytes(4 + 2 * slots))
    start = _align(content)
    content.extend(bytes(8 + 8 * len(fields)))
    struct.pack_into("<HH", content, vtable, 4 + 2 * slots, 8 + 8 * len(fields))
    struct.pack_into("<i", content, start, start - vtable)
    for number, (key, value) in enumerate(fields.items()):
        offset = start + 8 + 8 * number
        struct.pack_into("<H", content, vtable + 4 + 2 * key, offset - start)
        if isinstance(value, tuple):
            struct.pack_into(f"<{value[0]}", content, offset, value[1])
        else:
            struct.pack_into("<I", content, offset, _write_child(content, value) - offset)
    return start


def _write_child(content: bytearray, value: Any) -> int:
    """Append a table, or a vector: its length (4) and its items, or the distances to its tables."""
    if isinstance(value, dict):
        return _write_table(content, value)
    if isinstance(value, str):
        value = np.frombuffer(value.encode(), "u1")
    offset = _align(content) + 4  # so that the items of eight bytes are aligned
    content.extend(struct.pack("<II", 0, len(value)))
    if isinstance(value, np.ndarray):
        content.extend(value.tobytes())
        return offset
    start = len(content)
    content.extend(bytes(4 * len(value)))
    for number, item in enumerate(value):
        entry = start + 4 * number
        struct.pack_into("<I", content, entry, _write_table(content, item) - entry)
    return offset
