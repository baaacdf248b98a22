"""Build exported programs of PyTorch (`.pt2`) by hand: a description in JSON, and weights, in an archive."""

import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

_TYPES = {"float32": 7, "uint8": 1, "int64": 5, "float64": 8, "float16": 6}


class Program:
    """A program to which weights, calls and outputs are added before it is saved."""

    def __init__(self, image: tuple[int | None, ...] = (None, 2, 9, 7), dtype: str = "float32") -> None:
        self.weights: dict[str, np.ndarray] = {}
        self.nodes: list[dict[str, Any]] = []
        self.values: dict[str, Any] = {}
        self.inputs: list[dict[str, Any]] = []
        self.outputs: list[str] = []
        self.class_names: list[str] | None = None
        self.value("x", image, dtype)

    def value(self, name: str, sizes: tuple[int | None, ...], dtype: str = "float32") -> str:
        """Describe a value by its type and sizes; None is the number of images."""
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
        """Add a parameter and return the name by which calls refer to it."""
        argument = "p_" + name.replace(".", "_")
        self.weights[name] = array
        self.value(argument, array.shape, array.dtype.name)
        self.inputs.append({"parameter": {"arg": {"name": argument}, "parameter_name": name}})
        return argument

    def call(self, target: str, sizes: tuple[int | None, ...], /, *, result: str = "float32", **arguments: Any) -> str:
        """Add a call and return the name of its result."""
        name = f"{target.partition('.')[0]}_{len(self.nodes)}"
        self.value(name, sizes, result)
        inputs = [{"name": key, "arg": self._argument(value), "kind": 1} for key, value in arguments.items()]
        node = {"target": f"torch.ops.aten.{target}", "inputs": inputs, "outputs": [{"as_tensor": {"name": name}}]}
        self.nodes.append(node | {"metadata": {"stack_trace": "x"}})
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
                    "output_specs": [{"user_output": {"arg": output}} for output in outputs],
                },
                "module_call_graph": [],
            },
            "opset_version": {"aten": 10},
            "range_constraints": {},
            "schema_version": {"major": 8, "minor": 2},
            "torch_version": "2.13.0",
        }  # fmt: skip

    def members(self) -> dict[str, bytes]:
        """Return the members of the file."""
        document = json.dumps(self.document()).encode()
        members = {"net/archive_format": b"pt2", "net/models/model.json": document, "net/version": b"6"}
        if self.class_names:
            members["net/extra/class_names.json"] = json.dumps(self.class_names).encode()
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
            members[f"net/data/weights/weight_{number}"] = array.tobytes()
        members["net/data/weights/model_weights_config.json"] = json.dumps({"config": config}).encode()
        members["net/data/constants/model_constants_config.json"] = b'{"config": {}}'
        return members

    def save(self, folder: Path) -> Path:
        """Write the program and return its path."""
        return write_archive(self.members(), folder / "net.pt2")


def write_archive(members: dict[str, bytes], path: Path) -> Path:
    """Write an archive and return its path."""
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path
