"""Limits on a network's maps, weights and operations, checked layer by layer.

A file of a few kB can describe a network of any size, and modest layers can add up to too much. So the sums are checked
when an architecture is made, before any engine allocates or computes anything.
"""

from math import prod

from convscope.architecture.layers import Layer, Shape
from convscope.base.errors import ArchitectureError

MAX_LAYERS = 1000
MAX_MAP_BYTES = 1 << 31
"""Limit for an image and all its maps in float32. VGG-16 at 512 × 512 takes a sixth of it."""
MAX_WEIGHT_BYTES = 1 << 32
"""Limit for all weights in float32. VGG-16 with its dense layers at 512 × 512 takes half of it."""
MAX_OPERATIONS = 10**12
"""Limit for the forward pass of one image: a hundred times ResNet-152 at 224 × 224, and minutes on a CPU."""


class Budget:
    """The sums over the layers so far: bytes of maps and weights, and operations for one image."""

    def __init__(self, image: Shape) -> None:
        self._map_bytes = self._weight_bytes = self._operations = 0
        self._take("input", image, weights=0, operations=0)

    def spend(self, layer: Layer, input_shape: Shape, output: Shape, weights: int) -> None:
        """Add a layer's maps, weights and operations.

        Raises:
            ArchitectureError: if a sum exceeds its limit; it names the layer, the sum and the limit.
        """
        self._take(layer.name or layer.kind, output, weights, layer_operations(layer, input_shape, output))

    def _take(self, name: str, output: Shape, weights: int, operations: int) -> None:
        # Four bytes for a float32. Python's whole numbers do not overflow, so the sums of any file exceed a limit.
        self._map_bytes += 4 * prod(output)
        self._weight_bytes += 4 * weights
        self._operations += operations
        for sum_so_far, limit, unit, advice in (
            (self._map_bytes, MAX_MAP_BYTES, "bytes of maps for one image", "smaller images, less padding or strides"),
            (
                self._weight_bytes,
                MAX_WEIGHT_BYTES,
                "bytes of weights",
                "fewer filters or units, or pooling layers before it",
            ),
            (
                self._operations,
                MAX_OPERATIONS,
                "operations for one image",
                "smaller windows, strides or pooling layers",
            ),
        ):
            if sum_so_far > limit:
                raise ArchitectureError(
                    f"{name}: up to this layer the network needs {sum_so_far:,} {unit}, and the limit is {limit:,}; "
                    f"use {advice}"
                )


def check_layer_count(count: int) -> None:
    """Raise `ArchitectureError` if an architecture has more than `MAX_LAYERS`."""
    if count > MAX_LAYERS:
        raise ArchitectureError(f"the network has {count:,} layers, and the limit is {MAX_LAYERS:,}; use fewer")


def layer_operations(layer: Layer, input_shape: Shape, output: Shape) -> int:
    """Count a layer's operations for one image: multiply-adds or numbers read, and numbers written."""
    if (window := getattr(layer, "window", None)) is not None:
        reads = layer.macs(input_shape) or prod(output) * prod(window.size)  # a pooling has no multiply-adds
    else:
        # Every input is read at least once, even by layers without multiply-adds.
        reads = max(layer.macs(input_shape), prod(input_shape))
    return reads + prod(output)
