"""Read the graph of a TensorFlow Lite model, with its operators translated to ONNX's."""

from collections import Counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convscope.interchange.refusal import ModelFileError, quote
from convscope.interchange.tflite_files.flatbuffer import Table
from convscope.interchange.tflite_files.operators import DEQUANTIZE, Call, computes_sizes, operator_name, translate
from convscope.interchange.tflite_files.tensors import FLOAT32, INT8, INT16, UINT8, Tensor, read_tensors
from convscope.interchange.translation.nodes import Graph, ImageInput, Node
from convscope.interchange.translation.windows import CHANNELS_LAST

_OPSET = 20  # the opset of ONNX with Gelu, which the translation of operators uses
_MAX_PARTS = 10_000  # tensors, or operators
_CUSTOM = 32  # the number of all operators that the format does not define


class TfliteGraph:
    """The computation of a file.

    Attributes:
        graph: the computation in the operators of ONNX.
        is_quantized: True if the file computes in whole numbers.

    Raises:
        ModelFileError: if it has another input than one image.
        ValueError: if it is damaged.
    """

    def __init__(self, model: Table, file_bytes: int) -> None:
        # Fields of a model: 1 kinds of operators, 2 graphs, 4 buffers, 7 signatures; of a graph: 0 tensors, 1 inputs,
        # 2 outputs, 3 operators.
        graphs = model.tables(2)
        if not graphs:
            raise ValueError("it holds no graph")
        self._codes = [_read_code(table) for table in model.tables(1)]
        self._tensors = read_tensors(graphs[0], model.tables(4))
        self._names = _make_unique_names(self._tensors)
        self._nodes: list[Node] = []
        self._constants: dict[str, NDArray[Any]] = {}
        operators = graphs[0].tables(3)
        if max(len(operators), len(self._tensors)) > _MAX_PARTS:
            raise ValueError(f"it has more than {_MAX_PARTS:,} tensors or operators")
        self._note_weights(file_bytes)
        image = self._read_image([int(number) for number in graphs[0].numbers(1, "<i4")])
        for number, operator in enumerate(operators):
            self._add_operator(operator, number)
        self.is_quantized = any(
            tensor.quantization is not None and tensor.type in (INT8, UINT8, INT16) for tensor in self._tensors
        )
        outputs = self._read_outputs(model, [int(number) for number in graphs[0].numbers(2, "<i4")])
        self.graph = Graph(
            tuple(self._nodes),
            image,
            {name: self._tensors[number].sizes for name, number in outputs.items()},
            frozenset({*self._weights, *self._constants}),
            self._read_weight,
            _OPSET,
        )

    def _note_weights(self, file_bytes: int) -> None:
        """Note the numbers of the tensors that are weights, by name, and the bytes that dequantised ones may take.

        A small hostile file could name the same bytes as many weights, or dequantise a weight many times, and so fill
        the memory. So weights take at most the bytes of the file, and together with the dequantised ones twice as many.
        """
        self._weights = {
            self._names[number]: number for number, tensor in enumerate(self._tensors) if tensor.data is not None
        }
        weight_bytes = sum(tensor.num_bytes for tensor in self._tensors if tensor.data is not None)
        if weight_bytes > file_bytes:
            raise ValueError("its weights overlap")
        self._remaining_bytes = 2 * file_bytes - weight_bytes

    def _read_weight(self, name: str) -> NDArray[Any]:
        return self._constants[name] if name in self._constants else self._tensors[self._weights[name]].array()

    def _read_image(self, inputs: list[int]) -> ImageInput:
        """Read the input; for a quantised one, add nodes that compute the numbers its bytes stand for."""
        if len(inputs) != 1 or not 0 <= inputs[0] < len(self._tensors):
            raise ModelFileError(f"has {len(inputs)} inputs; it must have one, the images")
        tensor, name = self._tensors[inputs[0]], self._names[inputs[0]]
        if tensor.type not in (FLOAT32, UINT8, INT8):
            raise ModelFileError(
                f"its input has the type number {tensor.type}; floating-point numbers or bytes are read"
            )
        if tensor.type == FLOAT32 or tensor.quantization is None:
            return ImageInput(name, (None, *tensor.sizes[1:]), tensor.type == UINT8, CHANNELS_LAST)
        scale, zero = float(tensor.quantization.scales[0]), float(tensor.quantization.zeros[0])
        zero += 128 if tensor.type == INT8 else 0  # an int8 file reads byte - 128
        # The graph then reads bytes, and its first two nodes give the numbers that the file's operators expect:
        # (byte - zero) · scale = byte · scale + offset.
        self._constants |= {
            f"{name}/scale": np.array(scale, np.float32),
            f"{name}/offset": np.array(-zero * scale, np.float32),
        }
        label = f"input {quote(name)}"
        self._nodes += [
            Node("Mul", "", label, (f"{name}/bytes", f"{name}/scale"), (f"{name}/scaled",), {}),
            Node("Add", "", label, (f"{name}/scaled", f"{name}/offset"), (name,), {}),
        ]
        return ImageInput(f"{name}/bytes", (None, *tensor.sizes[1:]), True, CHANNELS_LAST)

    def _add_operator(self, table: Table, number: int) -> None:
        """Add the nodes of an operator: 0 its kind, 1 inputs, 2 outputs, 4 options."""
        index = table.whole(0, "I")
        if index >= len(self._codes):
            raise ValueError(f"operator {number} is of kind {index} of {len(self._codes)}")
        code, custom = self._codes[index]
        inputs, outputs = ([int(number) for number in table.numbers(field, "<i4")] for field in (1, 2))
        if (
            not outputs
            or any(not -1 <= index < len(self._tensors) for index in inputs)  # -1: left out
            or any(not 0 <= output < len(self._tensors) for output in outputs)
        ):
            raise ValueError(f"operator {number} reads or gives tensors that are not there")
        source = self._tensors[inputs[0]] if inputs and inputs[0] >= 0 else None
        # Weights in float16 are stored like this: a constant, and an operator that makes floats of it. Its output is
        # that constant here, which is read as floats anyway.
        if code == DEQUANTIZE and source is not None and source.data is not None:
            self._remaining_bytes -= source.num_bytes
            if self._remaining_bytes < 0:
                raise ValueError("it dequantises its weights again and again")
            self._tensors[outputs[0]] = source
            self._weights[self._names[outputs[0]]] = outputs[0]
            return
        name = operator_name(code, custom)
        label = f"{quote(self._names[outputs[0]])} ({name})"
        results = tuple(self._names[output] for output in outputs[:1])
        call = Call(label, results, name, inputs, outputs, table.table(4), self._tensors, self._names)
        if computes_sizes(call):
            return
        translate(call, code, custom)
        self._nodes += call.nodes
        self._constants |= call.constants

    def _read_outputs(self, model: Table, numbers: list[int]) -> dict[str, int]:
        """List the outputs by the names of the file's signature, which its user knows, or else by their own.

        An output is a tensor called, say, `StatefulPartitionedCall:0`, and the signature calls it `logits`: an Identity
        then gives it its second name, unless something else has that name.
        """
        if any(not 0 <= number < len(self._tensors) for number in numbers):
            raise ValueError("its outputs are not there")
        signature = model.tables(7)[:1]
        names = {table.whole(1, "I"): table.text(0)[:200] for part in signature for table in part.tables(1)}
        outputs = {}
        for number in dict.fromkeys(numbers):
            tensor_name = self._names[number]
            name = names.get(number, tensor_name)
            if name != tensor_name and name not in self._names and name not in outputs:
                self._nodes.append(Node("Identity", "", f"output {quote(name)}", (tensor_name,), (name,), {}))
            else:
                name = tensor_name
            outputs[name] = number
        return outputs


def _read_code(table: Table) -> tuple[int, str]:
    """Read the number of an operator, and the name of a custom one."""
    # Old files have the first field only; new ones have both, with 127 in the first for numbers that exceed a byte.
    number = max(table.whole(0, "b"), table.whole(3))
    return number, table.text(1)[:60] if number == _CUSTOM else ""


def _make_unique_names(tensors: list[Tensor]) -> list[str]:
    """Name each tensor: by its own name if no other has it, else with a number."""
    counts = Counter(tensor.name for tensor in tensors)
    return [
        tensor.name if tensor.name and counts[tensor.name] == 1 else f"{tensor.name}#{number}"
        for number, tensor in enumerate(tensors)
    ]
