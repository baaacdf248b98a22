"""Collect the kernels of a model's convolutions, and summarize the outputs of layers for an image.

`cnn` has two banks of kernels, (3, 3, 1, 16) and (3, 3, 16, 32). The output of its first layer, 16 maps of 26 × 26, is
summarized by its smallest, mean and largest value, and by how much of each map is active.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from convscope.architecture import Architecture, Conv2D, DepthwiseConv2D
from convscope.base.records import Count, Fraction, NonNegative, Positive, Record, from_attributes
from convscope.training.model import Model


class KernelBankRecord(Record, kw_only=True):
    """A bank without its weights; the attributes are those of `KernelBank` and its kernel."""

    layer: str
    kind: str
    shape: tuple[Positive, Positive, Positive, Positive]
    limit: NonNegative


@dataclass(frozen=True, eq=False)
class KernelBank:
    """All kernels of a convolution, with a common scale.

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
        """Number of maps that each filter reads."""
        return int(self.kernel.shape[2])

    @property
    def num_filters(self) -> int:
        return int(self.kernel.shape[3])

    def to_record(self) -> KernelBankRecord:
        return from_attributes(KernelBankRecord, self, shape=self.kernel.shape)


def kernel_banks(model: Model) -> tuple[KernelBank, ...]:
    """Collect the kernels of each convolution of `model`, from input to output."""
    banks = []
    for layer in model.architecture.layers:
        if isinstance(layer, Conv2D | DepthwiseConv2D):
            kernel = np.asarray(model.weights[f"{layer.name}/kernel"], np.float32)
            if isinstance(layer, DepthwiseConv2D):
                rows, columns, channels, multiplier = kernel.shape
                # Each filter reads one channel: (rows, columns, C, m) become C · m filters of one channel.
                kernel = kernel.reshape(rows, columns, 1, channels * multiplier)
            banks.append(KernelBank(layer.name, layer.kind, kernel, float(np.abs(kernel).max())))
    return tuple(banks)


class LayerSummary(Record, kw_only=True):
    """Figures of a layer's output for an image. A vector's units count as maps of a single cell.

    Attributes:
        layer: its name.
        shape: (H, W, maps) or (units,).
        minimum: the smallest value of all cells; `maximum` and `mean` likewise.
        active_fraction: the fraction of cells that are not zero.
        num_dead_maps: maps that are zero in every cell. A map that is dead for this image may be active for others.
    """

    layer: str
    kind: str
    shape: tuple[Positive, ...]
    minimum: float
    maximum: float
    mean: float
    active_fraction: Fraction
    num_dead_maps: Count


def summarize_activations(
    architecture: Architecture, activations: Mapping[str, NDArray[np.float32]]
) -> tuple[LayerSummary, ...]:
    """Summarize each layer's output for an image, from input to output.

    Args:
        activations: by the layer's name, (H, W, maps) or (units,); layers without any are left out.
    """
    kinds = {row.layer.name: row.layer.kind for row in architecture.table}
    return tuple(_summarize(name, kind, activations[name]) for name, kind in kinds.items() if name in activations)


def _summarize(layer: str, kind: str, values: NDArray[np.float32]) -> LayerSummary:
    # (H, W, M) to (H W, M); a vector (M,) becomes one row.
    cells = values.reshape(-1, values.shape[-1])
    # Not zero means active after a relu. Without one, hardly any number is exactly 0, and all count as active.
    active = (cells != 0).mean(axis=0)
    return LayerSummary(
        layer=layer,
        kind=kind,
        shape=values.shape,
        minimum=float(values.min()),
        maximum=float(values.max()),
        mean=float(values.mean(dtype=np.float64)),
        active_fraction=float(active.mean()),
        num_dead_maps=int((active == 0).sum()),
    )
