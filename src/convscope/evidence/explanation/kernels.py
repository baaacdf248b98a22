"""The kernels of a model's convolutions."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convscope.architecture import Conv2D, DepthwiseConv2D
from convscope.training.model import Model


@dataclass(frozen=True, eq=False)
class KernelBank:
    """All kernels of one convolution, and the scale on which they can be compared.

    Attributes:
        layer: the convolution's name.
        kind: `Conv2D` or `DepthwiseConv2D`.
        kernel: (kernel rows, kernel columns, channels that a filter reads, filters) float32. A filter of a
            `DepthwiseConv2D` reads one channel: filter c · depth_multiplier + m is kernel m of channel c.
        limit: the largest absolute weight, so that a signed palette runs from -limit to limit; 0 if all weights are 0.
    """

    layer: str
    kind: str
    kernel: NDArray[np.float32] = field(repr=False)
    limit: float

    @property
    def num_channels(self) -> int:
        """How many maps each filter reads."""
        return int(self.kernel.shape[2])

    @property
    def num_filters(self) -> int:
        return int(self.kernel.shape[3])

    def to_dict(self) -> dict[str, Any]:
        """Return the bank's layer, kind, shape and limit, without its weights, as plain JSON."""
        return {"layer": self.layer, "kind": self.kind, "shape": list(self.kernel.shape), "limit": self.limit}


def kernel_banks(model: Model) -> tuple[KernelBank, ...]:
    """Return the kernels of each convolution of `model`, from input to output; none for a network without one."""
    banks = []
    for layer in model.architecture.layers:
        if isinstance(layer, Conv2D | DepthwiseConv2D):
            kernel = np.asarray(model.weights[f"{layer.name}/kernel"], np.float32)
            if isinstance(layer, DepthwiseConv2D):
                rows, columns, channels, multiplier = kernel.shape
                kernel = kernel.reshape(rows, columns, 1, channels * multiplier)
            banks.append(KernelBank(layer.name, layer.kind, kernel, float(np.abs(kernel).max())))
    return tuple(banks)
