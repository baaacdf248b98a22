"""Round kernels to few levels, for training in 8, 4 or 2 bits."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from convscope.architecture import Architecture
from convscope.base.errors import RecipeError
from convscope.recipes import WeightBits

# The step between two levels, divided by the root mean square of the weights, for each number of bits. It has the
# smallest mean square error for normally distributed numbers. native/parameters.cpp has the same constants.
STEPS = {2: 1.2240, 4: 0.3534, 8: 0.03087}


def round_kernel(kernel: NDArray[Any], filters: int, bits: int) -> NDArray[Any]:
    """Round a kernel with `filters` filters to a grid of 2^bits - 1 levels around zero, a grid for each filter.

    A weight becomes the nearest of the levels -L to L, L = 2^(bits - 1) - 1, times the filter's step. The step is
    `STEPS[bits]` times the root mean square of the filter's weights; for 2 bits the levels are -1, 0 and 1. So the
    step grows with the weights, and a filter that is multiplied by a number stays on a grid. In the example the root
    mean square is 0.719 and the step 0.881; -1.1 would be level -1.25, so it gets the last one, -1.

    Source: Max 1960, "Quantizing for minimum distortion", section IV, for 3 and 15 levels his table II (computed in the
    same way for 255). The gradient passes straight through to the unrounded kernel: Bengio and others 2013, section 4;
    Courbariaux and others 2015, algorithm 1. Deviation: they clip the unrounded weights after each step; here these may
    grow, since the step between the levels grows with them.

    >>> round_kernel(np.array([[0.2], [-0.1], [0.9], [-1.1]]), 1, 2).round(3).ravel().tolist()
    [0.0, -0.0, 0.881, -0.881]
    """
    columns = kernel.reshape(-1, filters).astype(np.float64)  # a column for each filter, as filters are the last axis
    # Rounded to the kernel's type before use, as the C++ keeps them: equal levels in both.
    steps = (STEPS[bits] * np.sqrt(np.mean(columns**2, axis=0))).astype(kernel.dtype).astype(np.float64)
    max_level = 2 ** (bits - 1) - 1
    # A filter of zeros has a step of 0; dividing by infinity instead gives it the level 0.
    levels = np.rint(np.clip(columns * (1 / np.where(steps > 0, steps, np.inf)), -max_level, max_level))
    grid: NDArray[Any] = levels.astype(kernel.dtype) * steps.astype(kernel.dtype)
    return grid.reshape(kernel.shape)


def kernel_filters(architecture: Architecture) -> dict[str, int]:
    """Count the filters of each kernel that training in few bits rounds, by its full name."""
    names = architecture.trainable_weight_shapes
    filters = {f"{row.layer.name}/kernel": row.output_shape[-1] for row in architecture.table}
    return {name: number for name, number in filters.items() if name in names}


def check_weight_bits(bits: WeightBits | None, engine: str = "native") -> None:
    """Raise `RecipeError`, with the alternative, unless `engine` trains kernels of `bits` bits."""
    if bits is not None and engine == "keras":
        raise RecipeError(
            f"weight_bits is {bits}, but engine keras trains float32 weights; use engine native or omit weight_bits"
        )
