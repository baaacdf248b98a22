"""A graph that is being written: nodes and initializers, every one with a name of ours."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convscope.base.errors import InterchangeError
from convscope.interchange.onnx_files.versions import need


@dataclass(eq=False)
class Graph:
    """Nodes in the order in which they compute, and the constants that they read.

    Attributes:
        dtype: of weights and arithmetic, float32 or float16.
    """

    dtype: np.dtype[Any]
    opset: int
    nodes: list[Any] = field(default_factory=list)
    initializers: dict[str, NDArray[Any]] = field(default_factory=dict)

    def add(self, operator: str, inputs: list[str], name: str, output: str, **attributes: Any) -> str:
        """Add a node and return the name of its output."""
        helper = need("onnx.helper")
        self.nodes.append(helper.make_node(operator, inputs, [output], name=name, **attributes))
        return output

    def weight(self, name: str, array: NDArray[Any]) -> str:
        """Add a constant in the graph's type and return its name; raises `InterchangeError` beyond its range."""
        with np.errstate(over="ignore"):
            rounded = array.astype(self.dtype)
        if not np.isfinite(rounded).all():
            raise InterchangeError(
                f"{name} holds {np.abs(array).max():.4g}, which is more than {self.dtype} holds; write float32"
            )
        return self.constant(name, rounded)

    def constant(self, name: str, array: NDArray[Any]) -> str:
        """Add a constant as it is and return its name."""
        self.initializers[name] = array
        return name
