"""What a network may cost: one budget for its maps, its weights and its work, spent layer by layer.

An architecture comes from a file of a few kB, but what it asks for has no such bound: each layer alone may be modest
and all of them together too much. So the sums are checked against the limits where an architecture is made, before any
engine allocates or computes anything.
"""

from math import prod

from convscope.architecture.layers import Layer, Shape
from convscope.base.errors import ArchitectureError

MOST_LAYERS = 1000
MOST_MAP_BYTES = 1 << 31
"""Of the image and every layer's output in float32, for one image. VGG-16 at 512 × 512 takes a sixth of it."""
MOST_WEIGHT_BYTES = 1 << 32
"""Of all weights in float32. VGG-16 with its dense layers at 512 × 512 takes half of it."""
MOST_OPERATIONS = 10**12
"""For one image on its way forward: a hundred times ResNet-152 at 224 × 224, and minutes on a CPU."""


class Budget:
    """What the layers up to here cost one image: bytes of maps and weights, and operations."""

    def __init__(self, image: Shape) -> None:
        self._map_bytes = self._weight_bytes = self._operations = 0
        self._take("input", image, weights=0, operations=0)

    def spend(self, layer: Layer, given: Shape, output: Shape, weights: int) -> None:
        """Count a layer with so many weights that reads `given` and writes `output`.

        Raises:
            ArchitectureError: if with it the network crosses a limit; it names the layer, the sum and the limit.
        """
        self._take(layer.name or layer.kind, output, weights, layer_operations(layer, given, output))

    def _take(self, name: str, output: Shape, weights: int, operations: int) -> None:
        self._map_bytes += 4 * prod(output)
        self._weight_bytes += 4 * weights
        self._operations += operations
        for sum_so_far, most, what, advice in (
            (self._map_bytes, MOST_MAP_BYTES, "bytes of maps for one image", "smaller images, less padding or strides"),
            (
                self._weight_bytes,
                MOST_WEIGHT_BYTES,
                "bytes of weights",
                "fewer filters or units, or pooling layers before it",
            ),
            (
                self._operations,
                MOST_OPERATIONS,
                "operations for one image",
                "smaller windows, strides or pooling layers",
            ),
        ):
            if sum_so_far > most:
                raise ArchitectureError(
                    f"{name}: up to this layer the network needs {sum_so_far:,} {what}, and the limit is {most:,}; "
                    f"use {advice}"
                )


def check_layer_count(count: int) -> None:
    """Raise `ArchitectureError` if an architecture has more layers than any network here."""
    if count > MOST_LAYERS:
        raise ArchitectureError(f"the network has {count:,} layers, and the limit is {MOST_LAYERS:,}; use fewer")


def layer_operations(layer: Layer, given: Shape, output: Shape) -> int:
    """Return what a layer computes for one image: multiply-adds, numbers that windows read, and numbers written."""
    if (window := getattr(layer, "window", None)) is not None:
        reads = layer.macs(given) or prod(output) * prod(window.size)
    else:
        reads = max(layer.macs(given), prod(given))
    return reads + prod(output)
