"""What the calls in float32 and in integers share."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from convscope.interchange.c_header.memory import Memory
from convscope.interchange.c_header.steps import Step


def outputs_first(step: Step, kernel: NDArray[Any]) -> NDArray[Any]:
    """Return a kernel as the C functions read it: (F, U, V, C), (units, inputs), and a depthwise one as it is."""
    return kernel if step.kind == "depthwise" else np.moveaxis(kernel, -1, 0)


def step_comment(step: Step) -> str:
    """Return which layers a step computes and what sizes it reads and gives, in words."""
    sizes = " to ".join(" x ".join(map(str, shape)) for shape in (step.input_shape, step.output_shape))
    activation = "" if step.activation == "linear" else f", {step.activation}"
    return f"{' + '.join(step.layers)}: {sizes}{activation}"


def value_at(memory: Memory, value: int) -> str:
    """Return the place of a value in the working memory, in C."""
    return f"values + {memory.offsets[value]}"
