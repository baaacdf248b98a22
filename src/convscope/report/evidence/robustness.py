"""The section on robustness: the accuracy on spoiled images by corruption and strength."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

from convscope.base.palette import RED
from convscope.evidence.robustness.measurement import Robustness
from convscope.report.evidence.section import Chart, Section, Table, heads, say_images, topic_section
from convscope.report.findings import percent, percent_within, points
from convscope.report.style import INK, MUTED, Drawing, add_axes, house_style, new_drawing
from convscope.texts import figure, say, translate_name

_CELL = 64, 24  # pixels of the heat table
_MAX_OPACITY = 0.6  # opacity of a cell's red at accuracy 0; the number on it stays readable


def robustness_section(value: Robustness) -> Section:
    """Make the section of robustness."""
    # The record lists each corruption in all its strengths, then the next: (corruptions, strengths).
    names = list(dict.fromkeys(corruption.name for corruption in value.corruptions))
    accuracies = np.array([corruption.accuracy for corruption in value.corruptions]).reshape(len(names), -1)
    return topic_section("robustness", [_heat(value, names, accuracies)], shows=say_images("robustness", value))


def _name_corruption(name: str) -> str:
    return translate_name("evidence.robustness.corruption", name)


def _heat(value: Robustness, names: Sequence[str], accuracies: NDArray[np.float64]) -> Chart:
    # The worst corruption is the first row.
    order = np.argsort(accuracies.mean(axis=1), kind="stable")
    worst = order[0]
    title = say(
        "evidence.robustness.worst",
        corruption=_name_corruption(names[worst]),
        accuracy=percent_within(value.mean_accuracy, value.mean_accuracy_interval),
    )
    rows = [
        [
            _name_corruption(corruption.name),
            f"{corruption.strength}" + ("*" if corruption.is_mnist_c else ""),
            percent(corruption.accuracy),
            *map(percent, corruption.interval),
            points(corruption.change),
            *map(points, corruption.change_interval),
        ]
        for corruption in value.corruptions
    ]
    header = heads("robustness", "corruption", "strength", "accuracy", "low", "high", "change", "low", "high")
    accuracy = percent(value.accuracy)
    mean = percent_within(value.mean_accuracy_mnist_c, value.mean_accuracy_mnist_c_interval)
    look = say("evidence.robustness.heat", accuracy=accuracy, mean=mean)
    marked = np.array([corruption.is_mnist_c for corruption in value.corruptions]).reshape(accuracies.shape)
    drawing = _draw_heat(
        [_name_corruption(names[row]) for row in order], accuracies[order], marked[order], value, title
    )
    numbers = Table("", say("evidence.robustness.parameters"), header, rows)
    return Chart("robustness-heat", title, look, drawing, numbers, is_wide=True)


def _draw_heat(
    names: Sequence[str], accuracies: NDArray[np.float64], marked: NDArray[np.bool_], value: Robustness, title: str
) -> Drawing:
    """Draw the cells, a row for each corruption, and a little apart their means to the right and below.

             1      2      3         mean
    blur    95.1   90.2   60.3       81.9
    noise   97.0   96.1   95.0       96.0
    mean    96.1   93.2   77.7       89.0

    Args:
        marked: the cells that get a frame, of corruptions in the strength that MNIST-C has.
    """
    rows, strengths = accuracies.shape
    left, top, gap, (width, height) = 136, 68, 8, _CELL
    shown = np.concatenate([accuracies, accuracies.mean(axis=1, keepdims=True)], axis=1)
    # 0 for the accuracy on clean images, 1 for none at all: the colour is that of the loss, whatever the clean
    # accuracy is.
    lost = np.clip((value.accuracy - shown) / max(value.accuracy, 1e-9), 0, 1)
    colours = np.empty((*shown.shape, 4), np.uint8)
    colours[..., :3] = RED
    colours[..., 3] = np.rint(255 * _MAX_OPACITY * lost)
    foot = gap + height  # the row of means below the cells
    right = left + width * strengths + gap  # where the column of means begins
    strength_names = [f"{strength}" for strength in range(1, strengths + 1)]
    with house_style():
        drawing = new_drawing(right + width + 16, top + height * rows + foot + 8, title)
        axes = add_axes(drawing, left, top, width * strengths, height * rows)
        _draw_cells(axes, shown[:, :-1], colours[:, :-1], value.mean_accuracy_by_strength, gap)
        for row, column in np.argwhere(marked):
            # A frame of one pixel within the cell: in cells, 1 / width is one pixel.
            corner = column - 0.5 + 1.5 / width, row - 0.5 + 1.5 / height
            axes.add_patch(Rectangle(corner, 1 - 3 / width, 1 - 3 / height, fill=False, edgecolor=MUTED, linewidth=1))
        _name_cells(axes, strength_names, names)
        mean_place = -8 / (width * strengths), -(gap + height / 2) / (height * rows)
        look: dict[str, Any] = {"color": MUTED, "transform": axes.transAxes}
        axes.text(*mean_place, say("evidence.robustness.mean"), ha="right", va="center", **look)
        axes.text(0, 1 + 24 / (height * rows), say("evidence.robustness.strength"), **look)
        axes = add_axes(drawing, right, top, width, height * rows)
        _draw_cells(axes, shown[:, -1:], colours[:, -1:], [value.mean_accuracy], gap)
        _name_cells(axes, [say("evidence.robustness.mean")], ())
    return drawing


def _draw_cells(
    axes: Axes, shown: NDArray[np.float64], colours: NDArray[np.uint8], means: Sequence[float], gap: float
) -> None:
    """Draw cells with their accuracies in percent, and the mean of each column `gap` pixels below them."""
    axes.imshow(colours, interpolation="none", aspect="auto")
    for (row, column), accuracy in np.ndenumerate(shown):
        axes.text(column, row, figure(100 * accuracy, 1), ha="center", va="center_baseline")
    # In rows: the last cell ends at n - 0.5, and the middle of the row of means is half a cell below the gap.
    below = len(shown) - 0.5 + (gap + _CELL[1] / 2) / _CELL[1]
    for column, mean in enumerate(means):
        axes.text(column, below, figure(100 * mean, 1), ha="center", va="center_baseline", color=MUTED)


def _name_cells(axes: Axes, column_names: Sequence[str], row_names: Sequence[str]) -> None:
    axes.xaxis.tick_top()
    axes.set_xticks(range(len(column_names)), column_names)
    axes.set_yticks(range(len(row_names)), row_names)
    axes.tick_params(length=0, labelcolor=INK)
    axes.tick_params(axis="x", labelcolor=MUTED)
    axes.spines[:].set_visible(False)
