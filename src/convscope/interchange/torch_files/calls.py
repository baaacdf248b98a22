"""Read the call of an operator in an exported program as plain values."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from convscope.interchange.translation.nodes import NodeBuilder, Sizes

FLOAT_TYPES = (6, 7, 8, 13)
"""The floating-point types by their numbers in ScalarType."""


@dataclass(frozen=True)
class TensorMeta:
    """The description of a tensor: its sizes, None for those that depend on the input, and the number of its type."""

    sizes: Sizes
    type: int


@dataclass(frozen=True)
class Tensor:
    """A tensor as an argument."""

    name: str
    meta: TensorMeta


@dataclass(eq=False)
class Call(NodeBuilder):
    """A call of an operator.

    Attributes:
        operator: its name, such as `conv2d`; also `relu` for `relu_`, which changes its input in place.
        library: the owner of the operator; "" for PyTorch itself.
        arguments: those of the call, by their names in the operator's signature.
        meta: the type and sizes of the first result.
    """

    operator: str
    library: str
    is_in_place: bool
    arguments: Mapping[str, Any]
    meta: TensorMeta

    def get(self, name: str, default: Any = None) -> Any:  # files leave out arguments that have their defaults
        """Look up an argument; `default` if it is left out or None."""
        value = self.arguments.get(name)
        return default if value is None else value

    @property
    def first(self) -> Tensor:
        """The tensor that the operator works on."""
        tensor = self.get("self", self.get("input"))
        if not isinstance(tensor, Tensor):
            raise ValueError(f"{self.label} has no input")
        return tensor

    def name(self, argument: str) -> str:
        """Look up the name of a tensor argument; "" if it is left out."""
        value = self.arguments.get(argument)
        return value.name if isinstance(value, Tensor) else ""

    def pair(self, argument: str, default: Any) -> list[int]:
        """Read a pair of whole numbers, which a call may state as one number."""
        value = self.get(argument, default)
        numbers = list(value) if isinstance(value, list) else [value]
        if not numbers:
            numbers = [default] if isinstance(default, int) else list(default)
        if len(numbers) not in (1, 2) or not all(isinstance(number, int) for number in numbers):
            raise ValueError(f"{self.label} has {argument} {value!r:.40}")
        return numbers * 2 if len(numbers) == 1 else numbers


def read_call(
    node: Mapping[str, Any], number: int, current: Callable[[str], str], metas: Mapping[str, TensorMeta]
) -> Call | None:
    """Read a node of the description; None if it has no tensor as a result, as checks of sizes do.

        {"target": "torch.ops.aten.relu_.default",               operator relu, in place, of no library but PyTorch
         "inputs": [{"name": "self", "arg": {"as_tensor": {"name": "x"}}}],
         "outputs": [{"as_tensor": {"name": "relu_"}}]}

    Args:
        current: looks up the current name of a value, see `graph._Names`.
        metas: the descriptions of all tensors by their names.

    Raises:
        KeyError, TypeError, ValueError, AttributeError: if it is damaged.
    """
    outputs = tuple(str(item["as_tensor"]["name"]) if "as_tensor" in item else "" for item in node["outputs"])
    if not any(outputs):
        return None
    if not outputs[0]:
        raise ValueError(f"node {number} has no first output")
    target = str(node["target"]).removeprefix("torch.ops.")  # such as torch.ops.aten.conv2d.default
    library, _, signature = target.partition(".")
    operator = signature.partition(".")[0]
    is_in_place = operator.endswith("_") and not operator.startswith("_")  # relu_, but not __and__
    arguments = {argument["name"]: _read_argument(argument["arg"], current, metas) for argument in node["inputs"]}
    name = node.get("name") or outputs[0] or f"number {number}"
    return Call(
        f"{name!r:.60} ({target:.60})",
        tuple(output or f"{outputs[0]}/{i}" for i, output in enumerate(outputs)),
        operator.removesuffix("_") if is_in_place else operator,
        "" if library == "aten" else library,
        is_in_place,
        arguments,
        metas[outputs[0]],
    )


def _read_argument(union: Mapping[str, Any], current: Callable[[str], str], metas: Mapping[str, TensorMeta]) -> Any:
    """Read an argument, which is written as {"as_int": 3}; None for kinds that do not matter."""
    ((kind, value),) = union.items()
    if kind == "as_tensor":
        name = current(value["name"])
        return Tensor(name, metas[name])
    if kind == "as_tensors":
        return [_read_argument({"as_tensor": item}, current, metas) for item in value]
    if kind in ("as_int", "as_float", "as_bool", "as_string", "as_ints", "as_floats"):
        return float(value) if kind == "as_float" else value
    if kind == "as_scalar_type":
        return value
    return None  # left out, or a size, a device, a memory layout: the result's description shows their effect
