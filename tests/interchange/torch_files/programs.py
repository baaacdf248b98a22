"""Exported programs of PyTorch made by hand, in each of the layouts that `torch.export.save` has had."""

import io
import json
import struct
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

LAYOUTS = ("2.7", "2.8", "2.9")
_TYPES = {"float32": 7, "uint8": 1, "int64": 5, "float64": 8, "float16": 6}
_STORAGES = {
    "float32": b"FloatStorage", "float64": b"DoubleStorage", "float16": b"HalfStorage", "int64": b"LongStorage",
}  # fmt: skip


def _text(text: str) -> bytes:
    content = text.encode()
    return b"X" + struct.pack("<I", len(content)) + content


def _number(number: int) -> bytes:
    return b"J" + struct.pack("<i", number)


def _tuple(numbers: tuple[int, ...]) -> bytes:
    return b"(" + b"".join(map(_number, numbers)) + b"t"


def pickled(weights: dict[str, np.ndarray]) -> bytes:
    """Return the opcodes of a dictionary of tensors, as `torch.save` writes them."""
    parts = [b"\x80\x02ccollections\nOrderedDict\n)Rq\x00("]
    for key, (name, array) in enumerate(weights.items()):
        storage = b"ctorch\n" + _STORAGES[array.dtype.name] + b"\n"
        place = b"(" + _text("storage") + storage + _text(str(key)) + _text("cpu") + _number(array.size) + b"tQ"
        strides = tuple(stride // array.itemsize for stride in array.strides)
        made = b"(" + place + _number(0) + _tuple(array.shape) + _tuple(strides) + b"\x89ccollections\nOrderedDict\n)Rt"
        parts.append(_text(name) + b"ctorch._utils\n_rebuild_tensor_v2\n" + made + b"R")
    parts.append(b"u}" + _text("_metadata") + b"ccollections\nOrderedDict\n)Rsb.")
    return b"".join(parts)


def saved(weights: dict[str, np.ndarray], pickle: bytes | None = None) -> bytes:
    """Return a file of `torch.save` with these weights."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("archive/data.pkl", pickled(weights) if pickle is None else pickle)
        archive.writestr("archive/byteorder", "little")
        for key, array in enumerate(weights.values()):
            archive.writestr(f"archive/data/{key}", array.tobytes())
        archive.writestr("archive/version", "3\n")
    return content.getvalue()


class Program:
    """A program as it is put together: weights, calls and outputs."""

    def __init__(self, image: tuple[int | None, ...] = (None, 2, 9, 7), dtype: str = "float32") -> None:
        self.weights: dict[str, np.ndarray] = {}
        self.nodes: list[dict[str, Any]] = []
        self.values: dict[str, Any] = {}
        self.inputs: list[dict[str, Any]] = []
        self.outputs: list[str] = []
        self.class_names: list[str] | None = None
        self.see("x", image, dtype)

    def see(self, name: str, sizes: tuple[int | None, ...], dtype: str = "float32") -> str:
        """Note of what sizes a value is."""
        expression = {"as_expr": {"expr_str": "s77", "hint": {"as_int": 2}}}
        self.values[name] = {
            "dtype": _TYPES[dtype],
            "sizes": [expression if size is None else {"as_int": size} for size in sizes],
            "requires_grad": False,
            "device": {"type": "cpu", "index": None},
            "strides": [{"as_int": 1} for _ in sizes],
            "storage_offset": {"as_int": 0},
            "layout": 7,
        }
        return name

    def weight(self, name: str, array: np.ndarray) -> str:
        """Add a parameter and return what the calls call it."""
        called = "p_" + name.replace(".", "_")
        self.weights[name] = array
        self.see(called, array.shape, array.dtype.name)
        self.inputs.append({"parameter": {"arg": {"name": called}, "parameter_name": name}})
        return called

    def call(self, target: str, sizes: tuple[int | None, ...], /, *, result: str = "float32", **arguments: Any) -> str:
        """Add a call and return the name of its result."""
        name = f"{target.partition('.')[0]}_{len(self.nodes)}"
        self.see(name, sizes, result)
        inputs = [{"name": key, "arg": self._argument(value), "kind": 1} for key, value in arguments.items()]
        output = {"as_tensor": {"name": name}}
        self.nodes.append(
            {
                "target": f"torch.ops.aten.{target}",
                "inputs": inputs,
                "outputs": [output],
                "metadata": {"stack_trace": "x"},
            }
        )
        return name

    def _argument(self, value: Any) -> dict[str, Any]:
        if isinstance(value, str):
            return {"as_tensor": {"name": value}} if value in self.values else {"as_string": value}
        kinds = {bool: "as_bool", int: "as_int", float: "as_float", list: "as_ints", type(None): "as_none"}
        return {kinds[type(value)]: value}

    def document(self) -> dict[str, Any]:
        """Return the description of the program."""
        image = {"user_input": {"arg": {"as_tensor": {"name": "x"}}}}
        outputs = [{"as_tensor": {"name": name}} for name in self.outputs]
        return {
            "graph_module": {
                "graph": {
                    "inputs": [], "outputs": outputs, "nodes": self.nodes, "tensor_values": self.values,
                    "sym_int_values": {}, "sym_bool_values": {},
                },
                "signature": {
                    "input_specs": [*self.inputs, image],
                    "output_specs": [{"user_output": {"arg": each}} for each in outputs],
                },
                "module_call_graph": [],
            },
            "opset_version": {"aten": 10},
            "range_constraints": {},
            "schema_version": {"major": 8, "minor": 2},
            "torch_version": "2.13.0",
        }  # fmt: skip

    def members(self, layout: str = "2.9") -> dict[str, bytes]:
        """Return the members of the file."""
        document = json.dumps(self.document()).encode()
        if layout == "2.7":
            return {
                "serialized_exported_program.json": document,
                "serialized_state_dict.pt": saved(self.weights),
                "serialized_constants.pt": saved({}),
                "serialized_example_inputs.pt": b"\x80\x02cos\nsystem\n",
                "version": b"8.2",
            }
        found = {"net/archive_format": b"pt2", "net/models/model.json": document, "net/version": b"6"}
        if self.class_names:
            found["net/extra/class_names.json"] = json.dumps(self.class_names).encode()
        if layout == "2.8":
            return found | {"net/data/weights/model.pt": saved(self.weights), "net/data/constants/model.pt": saved({})}
        config = {}
        for number, (name, array) in enumerate(self.weights.items()):
            meta = {
                "dtype": _TYPES[array.dtype.name],
                "sizes": [{"as_int": size} for size in array.shape],
                "strides": [{"as_int": stride // array.itemsize} for stride in array.strides],
                "storage_offset": {"as_int": 0},
            }
            entry = {"path_name": f"weight_{number}", "is_param": True, "use_pickle": False, "tensor_meta": meta}
            config[name] = entry
            found[f"net/data/weights/weight_{number}"] = array.tobytes()
        found["net/data/weights/model_weights_config.json"] = json.dumps({"config": config}).encode()
        found["net/data/constants/model_constants_config.json"] = b'{"config": {}}'
        return found

    def save(self, folder: Path, layout: str = "2.9") -> Path:
        """Write the program and return its path."""
        return zipped(self.members(layout), folder / "net.pt2")


def zipped(members: dict[str, bytes], path: Path) -> Path:
    """Write an archive and return its path."""
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path
