"""Read the graph of an exported program, with PyTorch's operators translated to ONNX's.

A program states the sizes of every value, so every operator that only changes a shape is a Reshape to those sizes. In
its description, a value of several kinds is a dictionary with its kind as the only key. The inputs are, for example

    {"user_input": {"arg": {"as_tensor": {"name": "x"}}}}                                   the images
    {"parameter": {"arg": {"name": "p_conv1_weight"}, "parameter_name": "conv1.weight"}}    a weight
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from numpy.typing import NDArray

from convscope.interchange.refusal import ModelFileError
from convscope.interchange.torch_files.archives import ProgramArchive
from convscope.interchange.torch_files.calls import FLOAT_TYPES, Call, TensorMeta, read_call
from convscope.interchange.torch_files.operators import VIEWS, translate
from convscope.interchange.translation.nodes import Graph, ImageInput, Node

_OPSET = 20  # the opset of ONNX with Gelu, which the translation of operators uses
_UINT8 = 1  # uint8 in PyTorch's ScalarType


def read_graph(program: ProgramArchive) -> Graph:
    """Read the graph of a program; raises `ModelFileError` for unusable graphs, and other errors for damaged ones."""
    return _Reader(program).read()


@dataclass(eq=False)
class _Names:
    """The current names of values: an operator that changes a value in place gives it a new name.

    A later node still reads the old name, so after `relu_` of x with the result y, x means y. If x was a view of w, as
    after `x = w.view(...)`, then w and its other views have also changed. ONNX has no such views, so they are stale:
    a network that reads one of them later is refused.

    Attributes:
        next_names: the next name of each value that was changed.
        bases: for a view, the value whose memory it shares.
        stale: values that share memory with a changed one, and so no longer have their old numbers.
    """

    next_names: dict[str, str] = field(default_factory=dict)
    bases: dict[str, str] = field(default_factory=dict)
    stale: set[str] = field(default_factory=set)

    def find_current(self, name: str) -> str:
        """Find the current name of a value; raises `ModelFileError` if its numbers are no longer known."""
        for _ in range(len(self.next_names)):  # bounded, because a damaged file can have names in a circle
            name = self.next_names.get(name, name)
        if name in self.stale:
            raise ModelFileError(f"{name!r:.60} is read after a part of it was changed in place; build it without")
        return name

    def update(self, call: Call) -> None:
        """Update the names for a call."""
        source, result = call.name("self") or call.name("input"), call.result
        base = self.bases.get(source, source)
        if call.is_in_place:
            sharing = {base, *(view for view, base_of_view in self.bases.items() if base_of_view == base)}
            self.stale |= sharing - {source}
            self.next_names[source] = result
        if call.is_in_place or call.operator in VIEWS:
            self.bases[result] = base


class _Reader:
    """Reads the inputs, the outputs and then the nodes of a program."""

    def __init__(self, program: ProgramArchive) -> None:
        self._program = program
        module = program.document["graph_module"]
        self._graph, self._signature = module["graph"], module["signature"]
        self._metas = {
            name: TensorMeta(tuple(size.get("as_int") for size in meta["sizes"]), int(meta["dtype"]))
            for name, meta in self._graph["tensor_values"].items()
        }
        self._weights: dict[str, tuple[str, str]] = {}  # (name in the file, kind) by the name in the graph
        self._constants: dict[str, NDArray[Any]] = {}
        self._names = _Names()

    def read(self) -> Graph:
        images = self._read_inputs()
        if len(images) != 1:
            raise ModelFileError(f"it has {len(images)} inputs; it must have one, the images")
        outputs = self._read_outputs()
        nodes = [node for number, call in enumerate(self._graph["nodes"]) for node in self._read_node(call, number)]
        image = self._metas[images[0]]
        if image.type not in (_UINT8, *FLOAT_TYPES):
            raise ModelFileError(
                f"input {images[0]!r:.60} has the type {image.type}; floating-point numbers or bytes are needed"
            )
        return Graph(
            tuple(nodes),
            ImageInput(images[0], image.sizes, image.type == _UINT8),
            {self._names.find_current(name): self._metas[name].sizes for name in outputs},
            frozenset({*self._weights, *self._constants}),
            self._read_weight,
            _OPSET,
        )

    def _read_inputs(self) -> list[str]:
        """List the inputs that are images, and note the names of all weights."""
        images = []
        for spec in self._signature["input_specs"]:
            ((kind, value),) = spec.items()
            if kind == "user_input":
                images.append(value["arg"]["as_tensor"]["name"])
                continue
            field_of_name = {"parameter": "parameter_name", "buffer": "buffer_name"}.get(kind, "tensor_constant_name")
            if field_of_name not in value:
                raise ModelFileError(f"it has an input of the kind {kind!r:.40}; only images and weights are read")
            folder = "weights" if kind == "parameter" or value.get("persistent") else "constants"
            # A weight is `p_conv1_weight` in the graph and `conv1.weight` in the file. The name in the file tells the
            # layer, and with its dot it differs from all names of values.
            graph_name, file_name = value["arg"]["name"], value[field_of_name]
            name = file_name if "." in file_name else graph_name
            self._weights[name] = file_name, folder
            self._names.next_names |= {graph_name: name} if name != graph_name else {}
            self._metas[name] = self._metas[graph_name]
        return images

    def _read_outputs(self) -> list[str]:
        outputs = []
        for spec in self._signature["output_specs"]:
            ((kind, value),) = spec.items()
            if kind != "user_output":
                raise ModelFileError(
                    f"it changes its own weights ({kind!r:.40}), as in training; export network.eval() instead"
                )
            if "as_tensor" in value["arg"]:
                outputs.append(value["arg"]["as_tensor"]["name"])
        return outputs

    def _read_node(self, description: Mapping[str, Any], number: int) -> list[Node]:
        call = read_call(description, number, self._names.find_current, self._metas)
        if call is None:
            return []
        self._names.update(call)
        translate(call)
        self._constants |= call.constants
        return call.nodes

    def _read_weight(self, name: str) -> NDArray[Any]:
        if name in self._constants:
            return self._constants[name]
        try:
            return self._program.read_array(*self._weights[name])
        except (ArithmeticError, AttributeError, LookupError, TypeError) as error:
            raise ValueError(f"its description is damaged ({error!r:.60})") from error
