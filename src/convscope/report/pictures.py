"""The pictures: images, mistakes, kernels and feature maps, each value a square of whole pixels.

A drawing is laid out in CSS pixels from its upper left corner. Texts have fractions of its width, and of its height
from below: what is `top` pixels below the upper end of a drawing of `height` pixels is at 1 - top / height.
"""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from convscope.base.tables import clip
from convscope.report.axes import LETTER
from convscope.report.findings import confidence_text
from convscope.report.pixels import Palette, Pixels, enlarge, paint, scale_to, tile
from convscope.report.style import INK, MUTED, POINTS, Drawing, add_axes, house_style, new_drawing

MAX_MAPS = 64
"""The most maps of a layer in one picture."""
MAX_KERNELS = 64
"""The most kernels along each side of the picture of all kernels."""
_LEFT, _TOP = 8, 40  # pixels to the left of a picture, and above it, for the title


def kernel_columns(number: int) -> int:
    """Choose how many kernels stand in a row: 16 as 4 x 4 and 32 as 8 rows of 4, as in the course's notebook."""
    return 4 if number <= 32 else 8 if number <= 128 else 16


def map_limits(maps: NDArray[np.float32]) -> tuple[float, float]:
    """Find the ends of the scale of a layer's feature maps: the smallest value or zero, and the largest value."""
    # With zero in the scale, brightness tells how strong a map is, and not only how it varies.
    return min(float(maps.min()), 0.0), float(maps.max())


def kernel_tiles(kernel: NDArray[np.float32], limit: float, channel: int | None, target: int) -> Pixels:
    """Draw the kernels (rows, columns, C, filters) into one picture, on the scale from -limit to limit.

    Args:
        channel: the input channel whose kernels are shown; None shows all, a row for each input channel and a column
            for each filter.
        target: the largest width of a kernel in pixels.
    """
    scale = scale_to(kernel.shape[1], target)
    if channel is None:
        kernel = kernel[:, :, :MAX_KERNELS, :MAX_KERNELS]
        chosen = [kernel[:, :, row, column] for row in range(kernel.shape[2]) for column in range(kernel.shape[3])]
        columns = kernel.shape[3]
    else:
        chosen = [kernel[:, :, channel, column] for column in range(min(kernel.shape[3], MAX_MAPS))]
        columns = kernel_columns(len(chosen))
    pictures = [enlarge(paint(weights, "signed", -limit, limit), scale) for weights in chosen]
    return tile(pictures, columns, gap=6 if channel is not None else 3, framed=channel is not None)


def draw_kernels(
    kernel: NDArray[np.float32], layer: str, *, channel: int | None = 0, limit: float | None = None
) -> Drawing:
    """Draw the kernels (rows, columns, C, filters) of a convolution on one scale, whose middle is zero.

    A `KernelBank` gives them in this form, those of a depthwise convolution with C = 1, since each reads one channel.

    Args:
        channel: the input channel whose kernels are drawn; for None all, a row an input channel and a column a filter.
        limit: the weight at the ends of the scale; by default the largest there is.

    Raises:
        ValueError: if `kernel` has not four axes or there is no such channel.
    """
    if kernel.ndim != 4:
        raise ValueError(f"kernel has shape {kernel.shape}; it must be (rows, columns, input channels, filters)")
    channels, filters = kernel.shape[2:]
    if channel is not None and not 0 <= channel < kernel.shape[2]:
        raise ValueError(f"channel is {channel}; there are kernels for channels 0 to {kernel.shape[2] - 1}")
    limit = float(np.abs(kernel).max()) if limit is None else limit
    picture = kernel_tiles(kernel, limit, channel, 16 if channel is None else 48)
    if channel is None:
        limit_note = _format_limit(max(channels, filters), MAX_KERNELS, "per side")
        title = f"{layer}: all kernels, {channels} x {filters}{limit_note}"
        note = "rows: input channels, columns: filters"
    else:
        which = f"input channel {channel}" if channels > 1 else f"{filters} {'filter' if filters == 1 else 'filters'}"
        title = f"{layer}: {which}" + _format_limit(filters, MAX_MAPS, "filters")
        note = "filters from left to right, top to bottom"
    return _draw_scaled(picture, title, "signed", -limit, limit, note)


def draw_feature_maps(maps: NDArray[np.float32], layer: str, *, channels: Sequence[int] | None = None) -> Drawing:
    """Draw the feature maps (H, W, M) of a layer for one image, all on the scale that `map_limits` gives.

    Args:
        channels: which maps to draw, large; by default all, but of more than 64 only the first 64.

    Raises:
        ValueError: if `maps` has not three axes or there is no such channel.
    """
    if maps.ndim != 3:
        raise ValueError(f"maps has shape {maps.shape}; it must be (H, W, maps): a vector has no feature maps")
    count = maps.shape[2]
    chosen = tuple(range(min(count, MAX_MAPS))) if channels is None else tuple(channels)
    if not chosen or not all(0 <= channel < count for channel in chosen):
        raise ValueError(f"channels are {chosen}; {layer} has maps 0 to {count - 1}")
    low, high = map_limits(maps)
    scale = scale_to(maps.shape[1], 64 if channels is None else 160)
    pictures = [enlarge(paint(maps[:, :, channel], "viridis", low, high), scale) for channel in chosen]
    columns = 8 if channels is None else min(4, len(chosen))
    if channels is None:
        title = f"{layer}: {count} maps" + _format_limit(count, MAX_MAPS, "maps")
        note = "maps from left to right, top to bottom"
    else:
        title = f"{layer}: channels {', '.join(map(str, chosen))}"
        note = "one colour scale for all maps of the layer"
    return _draw_scaled(tile(pictures, min(columns, len(pictures))), title, "viridis", low, high, note)


def _format_limit(number: int, maximum: int, what: str) -> str:
    return f" (the first {maximum} {what})" if number > maximum else ""


def _draw_scaled(picture: Pixels, title: str, palette: Palette, low: float, high: float, note: str) -> Drawing:
    """Draw a picture with its title, and below it the colour scale from `low` to `high` and a note.

    Below the picture, the scale is 128 pixels wide, its numbers are below it, and the note is to its right:

        +--------------------------------+
        | picture                        |
        +--------------------------------+
        [blue   white   orange]  rows: ...     16 pixels below the picture, 8 high
        -1        0           1                32 to 48 pixels below the picture
    """
    width, below_picture = picture.shape[1], _TOP + picture.shape[0]
    with house_style():
        drawing = new_drawing(max(width + 16, 400), below_picture + 64, title)
        _show(drawing, picture, _LEFT, _TOP)
        bar = paint(np.linspace(low, high, 128)[None], palette, low, high)
        axes = add_axes(drawing, _LEFT, below_picture + 16, 128, 8)
        axes.imshow(bar, aspect="auto")
        axes.set_axis_off()
        whole_width, whole_height = drawing.get_size_inches() * POINTS
        numbers = [(_LEFT, f"{low:.3g}", "left"), (_LEFT + 128, f"{high:.3g}", "right")]
        if low < 0 < high and palette != "viridis":
            numbers.append((_LEFT + 64, "0", "center"))
        up = 1 - (below_picture + 48) / whole_height
        for left, text, side in numbers:
            drawing.text(left / whole_width, up, text, ha=side, va="bottom", color=MUTED)
        drawing.text(160 / whole_width, 1 - (below_picture + 28) / whole_height, note, va="bottom", color=MUTED)
    return drawing


def _show(drawing: Drawing, picture: Pixels, left: float, top: float) -> Axes:
    axes: Axes = add_axes(drawing, left, top, picture.shape[1], picture.shape[0])
    axes.imshow(picture, aspect="auto")
    axes.set_axis_off()
    return axes


def draw_image(picture: Pixels, title: str) -> Drawing:
    """Draw one image, RGBA, each pixel a square."""
    large = enlarge(picture, scale_to(max(picture.shape[:2]), 320))
    with house_style():
        drawing = new_drawing(max(large.shape[1] + 16, 320), large.shape[0] + 56, title)
        _show(drawing, large, _LEFT, _TOP)
    return drawing


def draw_samples(rows: Sequence[tuple[str, Sequence[Pixels]]], title: str = "") -> Drawing:
    """Draw images of each class, RGBA and of one size: a row of them for each (class name, images)."""
    longest = max(len(pictures) for _, pictures in rows)
    height, width = next(pictures[0].shape[:2] for _, pictures in rows if pictures)
    # More classes have smaller images, so that the drawing stays about a screen high.
    scale = scale_to(max(height, width), 48 if len(rows) <= 40 else 28)
    # In place of the images that a class lacks.
    clear = np.zeros((height * scale, width * scale, 4), np.uint8)
    tiles = [
        enlarge(pictures[column], scale) if column < len(pictures) else clear
        for _, pictures in rows
        for column in range(longest)
    ]
    picture = tile(tiles, longest)
    names = [clip(name, 24) for name, _ in rows]
    left = 24 + round(LETTER * max(map(len, names)))
    with house_style():
        drawing = new_drawing(max(left + picture.shape[1] + 8, 400), picture.shape[0] + 56, title)
        axes = _show(drawing, picture, left, _TOP)
        for row, name in enumerate(names):
            middle = (row + 0.5) / len(names)
            axes.text(-8 / picture.shape[1], 1 - middle, name, transform=axes.transAxes, ha="right", va="center")
    return drawing


def draw_mistakes(mistakes: Sequence[tuple[Pixels, str, str, float]], title: str = "") -> Drawing:
    """Draw misclassified images, each as (RGBA, name of the true class, name of the predicted class, its probability).

    They stand in rows of six, each image above two lines of text.

    Raises:
        ValueError: if there is none.
    """
    if not mistakes:
        raise ValueError("mistakes is empty; there is nothing to draw")
    height, width = mistakes[0][0].shape[:2]
    scale = scale_to(max(height, width), 84)
    columns = 6
    rows = -(-len(mistakes) // columns)
    # From one image to the next: at least 120 pixels, which the texts need, and 64 below it for two lines and a gap.
    step_right, step_down = max(120, width * scale + 16), height * scale + 64
    whole_width, whole_height = columns * step_right + 8, _TOP + rows * step_down
    with house_style():
        drawing = new_drawing(whole_width, whole_height, title)
        for number, (picture, true, predicted, probability) in enumerate(mistakes):
            left, top = _LEFT + (number % columns) * step_right, _TOP + (number // columns) * step_down
            _show(drawing, enlarge(picture, scale), left, top)
            below = top + height * scale + 4
            text = f"{clip(true, 6)} as {clip(predicted, 6)}"
            drawing.text(left / whole_width, 1 - below / whole_height, text, va="top", color=INK)
            confidence = f"confidence {confidence_text(probability)}"
            drawing.text(left / whole_width, 1 - (below + 16) / whole_height, confidence, va="top", color=MUTED)
    return drawing
