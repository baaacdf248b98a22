"""Windows that move over maps, and layers that keep the shape."""

from dataclasses import dataclass

from convscope.architecture.arguments import NamedLayer, label
from convscope.architecture.layers.types import Frame, Padding, Pair, Shape
from convscope.base.errors import ArchitectureError

__all__ = ["Window", "padding_before", "same_padding"]


class WithoutWeights:
    """Base of layers that have no weights or multiply-adds unless they define them."""

    def weight_shapes(self, input_shape: Shape) -> dict[str, Shape]:
        return {}

    def macs(self, input_shape: Shape) -> int:
        return 0


class SameShape(WithoutWeights):
    """Base of layers whose output has their input's shape."""

    def output_shape(self, input_shape: Shape) -> Shape:
        return input_shape


@dataclass(frozen=True)
class Window:
    """The window by which a layer reads a map: `size` (rows, columns), moved by `strides`.

    Its rows and columns read pixels that are `dilation` apart, so it covers `reach` pixels along each axis.
    """

    size: Pair
    strides: Pair
    padding: Padding
    dilation: Pair = (1, 1)

    @property
    def reach(self) -> Pair:
        # k = 3, d = 2:  x . x . x
        rows, columns = ((k - 1) * d + 1 for k, d in zip(self.size, self.dilation, strict=True))
        return rows, columns

    def frame(self, input_shape: Shape) -> Frame:
        """Count the zeros around a map of `input_shape`: rows (above, below) and columns (left, right)."""
        if self.padding == "valid":
            return (0, 0), (0, 0)
        rows, columns = map(same_padding, input_shape[:2], self.reach, self.strides)
        return rows, columns


def same_padding(size: int, kernel: int, stride: int) -> Pair:
    """Count the zeros before and after `size` pixels of one axis; an odd zero comes after, as in TensorFlow.

    A dilated `kernel` counts with the pixels that it spans.
    """
    # The last of ceil(size / stride) windows begins at (ceil(size / stride) - 1) * stride.
    # It needs `kernel` pixels, and those that the axis lacks are zeros. In Python, -(-a // b) is ceil(a / b).
    zeros = max((-(-size // stride) - 1) * stride + kernel - size, 0)
    return zeros // 2, zeros - zeros // 2


def padding_before(size: int, kernel: int, stride: int, padding: Padding) -> int:
    """Count the zeros before `size` pixels of one axis."""
    return same_padding(size, kernel, stride)[0] if padding == "same" else 0


def map_size(layer: NamedLayer, input_shape: Shape, window: Window) -> Pair:
    """Compute the rows and columns of a layer's output map.

    Raises:
        ArchitectureError: if the input is a vector, or smaller than the window.
    """
    check_maps(layer, input_shape)
    # `same`: a window at every stride, ceil(size / stride). `valid`: only whole windows.
    rows, columns = (
        -(-size // stride) if window.padding == "same" else (size - kernel) // stride + 1
        for size, kernel, stride in zip(input_shape, window.reach, window.strides, strict=False)
    )
    if rows < 1 or columns < 1:
        raise ArchitectureError(
            f"{label(layer)} with a window of {window.reach[0]} × {window.reach[1]} does not fit a map of "
            f"{input_shape[0]} × {input_shape[1]} (height × width); use a smaller window, `same` padding or fewer "
            "poolings"
        )
    return rows, columns


def check_maps(layer: NamedLayer, input_shape: Shape) -> None:
    """Raise `ArchitectureError` if a layer that needs maps reads a vector."""
    if len(input_shape) != 3:
        raise ArchitectureError(f"{label(layer)} needs maps (H, W, C), but its input is a vector of {input_shape[0]}")
