"""Read the graph of an exported program, with PyTorch's operators translated to ONNX's.

A program states the sizes of every value, so every operator that only changes a shape is a Reshape to those sizes.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from numpy.typing import NDArray

from convscope.interchange.refusal import ModelFileError
from convscope.interchange.torch_files.archives import ProgramArchive
from convscope.interchange.torch_files.calls import FLOAT_TYPES, Call, Value, read_call
from convscope.interchange.torch_files.operators import VIEWS, translate
from convscope.interchange.translation.nodes import Graph, ImageInput, Node

_OPSET = 20
_UINT8 = 1  # of ScalarType


def read_graph(program: ProgramArchive) -> Graph:
    """Read the graph of a program; raises `ModelFileError` for unusable graphs, and other errors for damaged ones."""
    return _Reader(program).graph()


@dataclass(eq=False)
class _Names:
    """The current names of values: an operator that changes a value in place gives it a new name.

    Attributes:
        now: the next name of a value that was changed.
        bases: for a view, the value whose memory it shares.
        stale: values that share memory with a changed one, and so no longer have their old numbers.
    """

    now: dict[str, str] = field(default_factory=dict)
    bases: dict[str, str] = field(default_factory=dict)
    stale: set[str] = field(default_factory=set)

    def of(self, name: str) -> str:
        for _ in range(len(self.now)):  # a damaged file can have names in a circle, so the number of steps is bounded
            name = self.now.get(name, name)
        if name in self.stale:
            raise ModelFileError(f"{name!r:.60} is read after a part of it was changed in place; build it without")
        return name

    def see(self, call: Call) -> None:
        """Update the names for a call."""
        source, result = call.name("self") or call.name("input"), call.result
        base = self.bases.get(source, source)
        if call.is_in_place:
            self.stale |= {base, *(name for name, own in self.bases.items() if own == base)} - {source}
            self.now[source] = result
        if call.is_in_place or call.operator in VIEWS:
            self.bases[result] = base


class _Reader:
    def __init__(self, program: ProgramArchive) -> None:
        self._program = program
        module = program.document["graph_module"]
        self._graph, self._signature = module["graph"], module["signature"]
        self._values = {
            name: Value(tuple(size.get("as_int") for size in meta["sizes"]), int(meta["dtype"]))
            for name, meta in self._graph["tensor_values"].items()
        }
        self._weights: dict[str, tuple[str, str]] = {}  # by name in the graph: name in the file, and kind
        self._constants: dict[str, NDArray[Any]] = {}
        self._names = _Names()

    def graph(self) -> Graph:
        images = self._inputs()
        if len(images) != 1:
            raise ModelFileError(f"it has {len(images)} inputs; it must have one, the images")
        outputs = self._outputs()
        nodes = [node for number, call in enumerate(self._graph["nodes"]) for node in self._node(call, number)]
        image = self._values[images[0]]
        if image.type not in (_UINT8, *FLOAT_TYPES):
            raise ModelFileError(
                f"input {images[0]!r:.60} has the type {image.type}; floating-point numbers or bytes are needed"
            )
        return Graph(
            tuple(nodes),
            ImageInput(images[0], image.sizes, image.type == _UINT8),
            {self._names.of(name): self._values[name].sizes for name in outputs},
            frozenset({*self._weights, *self._constants}),
            self._weight,
            _OPSET,
        )

    def _inputs(self) -> list[str]:
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
            called, own = value["arg"]["name"], value[field_of_name]
            # The name in the file tells the layer, `conv1.weight`; with its dot it differs from all names of values.
            name = own if "." in own else called
            self._weights[name] = own, folder
            self._names.now |= {called: name} if name != called else {}
            self._values[name] = self._values[called]
        return images

    def _outputs(self) -> list[str]:
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

    def _node(self, description: Mapping[str, Any], number: int) -> list[Node]:
        call = read_call(description, number, self._names.of, self._values)
        if call is None:
            return []
        self._names.see(call)
        translate(call)
        self._constants |= call.constants
        return call.nodes

    def _weight(self, name: str) -> NDArray[Any]:
        if name in self._constants:
            return self._constants[name]
        try:
            return self._program.array(*self._weights[name])
        except (ArithmeticError, AttributeError, LookupError, TypeError) as error:
            raise ValueError(f"its description is damaged ({error!r:.60})") from error
