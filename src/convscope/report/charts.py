"""The charts: training curves, class balance, accuracies with their intervals, and the confusion matrix."""

from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator
from numpy.typing import NDArray

from convscope.base.tables import clip
from convscope.evidence.confusion_colours import confusion_hue, confusion_opacities
from convscope.report.axes import (
    CHART_WIDTH,
    DASHES,
    ROW,
    draw_grid,
    draw_interval,
    names_width,
    number_tick,
    percent_tick,
    set_ticks,
    write,
    write_ends,
)
from convscope.report.style import ACCENT, HAIRLINE, INK, MUTED, Drawing, add_axes, house_style, new_drawing
from convscope.texts import Figure, Sentence, say, translate_name
from convscope.training import History

Measure = Literal["accuracy", "loss"]

# The numbers in the calls of `new_drawing` and `add_axes` are CSS pixels.
_TOP = 40  # pixels above the axes, for the title
_NAMES = 144  # pixels for the names at the ends of the curves
_MAX_NAMED_BARS = 40  # with more classes, the bars have no room for names
_MAX_CLASSES_WITH_LINES = 40  # with more classes, a confusion matrix has no lines


def draw_training_curves(histories: Mapping[str, History], measure: Measure = "accuracy", title: str = "") -> Drawing:
    """Draw a measure over the epochs, in training (dashed) and on the images kept for measuring.

    A ring marks the best epoch, where a history has one.

    Args:
        histories: by the model's name; the first is drawn in the accent's colour, the others in grey.

    Raises:
        ValueError: if there is no epoch to draw.
    """
    epochs = max((len(history) for history in histories.values()), default=0)
    if epochs == 0:
        raise ValueError("histories has no epochs; train for at least one epoch")
    with house_style():
        # 40 pixels for the title, 184 for the axes, and 48 below them for the numbers of the epochs and the label.
        drawing = new_drawing(CHART_WIDTH, 272, title)
        axes = add_axes(drawing, 56, _TOP, CHART_WIDTH - 56 - _NAMES, 184)
        labels = []
        for number, (name, history) in enumerate(histories.items()):
            colour = ACCENT if number == 0 else MUTED
            for split, column in ((history.val_split, f"val_{measure}"), ("train", measure)):
                values = getattr(history, column)
                if not values:
                    continue
                is_train = split == "train"
                # The best epoch was chosen by the measured images, so the ring is on their curve.
                _draw_curve(axes, values, colour, is_dashed=is_train, ring=None if is_train else history.best_epoch)
                text = translate_name("curve", split)
                if len(histories) > 1:
                    text = say("charts.curve", model=name if isinstance(name, Sentence) else clip(name, 8), split=text)
                labels.append((values[-1], text, colour))
        number_epochs(axes, epochs, 6)
        axes.margins(y=0.08)
        set_ticks(axes.yaxis, 5, percent_tick if measure == "accuracy" else number_tick)
        axes.set_xlabel(say("charts.epoch"))
        draw_grid(axes)
        write_ends(axes, labels, 184)
    return drawing


def _draw_curve(axes: Axes, values: Sequence[float], colour: str, *, is_dashed: bool, ring: int | None) -> None:
    """Draw a value for each epoch, and a ring around that of the epoch `ring`."""
    width, style = (1.25, DASHES) if is_dashed else (2, "-")
    marker = "o" if len(values) <= 20 else ""  # of more epochs the marks would touch
    epochs = range(1, len(values) + 1)
    axes.plot(
        epochs, values, color=colour, linewidth=width, linestyle=style, marker=marker, markersize=3.5, clip_on=False
    )
    if ring is not None:
        axes.plot([ring], [values[ring - 1]], "o", color=colour, markersize=11, fillstyle="none", clip_on=False)


def number_epochs(axes: Axes, epochs: int, max_ticks: int) -> None:
    """Let the axis run from the first epoch to the last, with at most `max_ticks` whole epochs written below it."""
    # A single epoch stands in the middle of its axis.
    axes.set_xlim(0.5 if epochs == 1 else 1, max(epochs, 1.5))
    ticks = MaxNLocator(max_ticks - 1, integer=True, min_n_ticks=1).tick_values(1, epochs) if epochs > 1 else [1]
    axes.xaxis.set_major_locator(FixedLocator([tick for tick in ticks if 1 <= tick <= epochs]))


def draw_class_balance(
    train_counts: Sequence[int], test_counts: Sequence[int], class_names: Sequence[str], title: str = ""
) -> Drawing:
    """Draw each class's share of the training images as a bar and of the test images as a mark across it."""
    train, test = np.asarray(train_counts, np.float64), np.asarray(test_counts, np.float64)
    train_share, test_share = train / train.sum(), test / test.sum()
    count = len(class_names)
    if count > _MAX_NAMED_BARS:
        return _draw_unnamed_balance(train_share, test_share, title)
    with house_style():
        left = names_width(class_names, 18)
        height = 24 * count
        drawing = new_drawing(CHART_WIDTH, _TOP + height + 32, title)
        axes = add_axes(drawing, left, _TOP, CHART_WIDTH - left - 128, height)
        rows = range(count)
        axes.barh(rows, train_share, height=0.58, color=ACCENT, alpha=0.6)
        axes.vlines(test_share, np.arange(count) - 0.42, np.arange(count) + 0.42, color=INK, linewidth=1.5)
        for row in rows:
            text = say("charts.sum", train=train_counts[row], test=test_counts[row])
            write(axes, text, (1, row), (8, 0), MUTED, of=ROW)
        axes.set_yticks(rows, [clip(name, 18) for name in class_names])
        _remove_frame(axes, (0, max(train_share.max(), test_share.max())), (count - 0.5, -0.5))
        # 12 pixels above the lower end, in fractions of the drawing.
        up = 12 / (_TOP + height + 32)
        drawing.text(8 / CHART_WIDTH, up, say("charts.balance"), color=MUTED)
        drawing.text((CHART_WIDTH - 120) / CHART_WIDTH, up, say("charts.trainTest"), color=MUTED)
    return drawing


def _draw_unnamed_balance(train_share: NDArray[np.float64], test_share: NDArray[np.float64], title: str) -> Drawing:
    """Draw the balance of many classes as upright bars without names, twice as wide as a column of the page."""
    labels = np.arange(len(train_share))
    with house_style():
        drawing = new_drawing(2 * CHART_WIDTH, 240, title)
        axes = add_axes(drawing, 56, _TOP, 2 * CHART_WIDTH - 72, 152)
        axes.bar(labels, train_share, width=0.7, color=ACCENT, alpha=0.6)
        axes.hlines(test_share, labels - 0.42, labels + 0.42, color=INK, linewidth=1.5)
        axes.set_xlim(-1, len(labels))
        axes.yaxis.set_major_formatter(FuncFormatter(percent_tick))
        axes.yaxis.set_major_locator(MaxNLocator(4))
        axes.set_xlabel(say("charts.label"))
    return drawing


def draw_accuracies(
    names: Sequence[str], accuracies: Sequence[float], intervals: Sequence[tuple[float, float]], title: str = ""
) -> Drawing:
    """Draw each model's accuracy as a dot within its interval (low, high)."""
    count = len(names)
    with house_style():
        left, height = names_width(names, 18), 36 * count
        drawing = new_drawing(CHART_WIDTH, _TOP + height + 32, title)
        axes = add_axes(drawing, left, _TOP, CHART_WIDTH - left - 96, height)
        for row, (accuracy, interval) in enumerate(zip(accuracies, intervals, strict=True)):
            draw_interval(axes, accuracy, interval, row, MUTED if row else ACCENT)
            text = Figure(f"{100 * accuracy:.2f} %", 100 * accuracy, 2, "%")
            write(axes, text, (1, row), (16, 0), of=ROW)
        axes.set_yticks(range(count), [clip(name, 18) for name in names])
        lowest, highest = min(low for low, _ in intervals), max(high for _, high in intervals)
        # Equal intervals of no width still get an axis.
        spare = 0.08 * (highest - lowest) or 0.01
        _remove_frame(axes, (lowest - spare, highest + spare), (count - 0.5, -0.5))
        axes.tick_params(bottom=True, labelbottom=True)
        set_ticks(axes.xaxis, 4, percent_tick)
        axes.grid(axis="x")
    return drawing


def _remove_frame(axes: Axes, xlim: tuple[float, float], ylim: tuple[float, float]) -> None:
    axes.set_xlim(*xlim)
    axes.set_ylim(*ylim)
    axes.tick_params(left=False, bottom=False, labelbottom=False, labelcolor=INK)
    axes.tick_params(axis="x", labelcolor=MUTED)
    axes.spines[:].set_visible(False)


def draw_confusion_matrix(confusion_matrix: NDArray[np.int64], class_names: Sequence[str], title: str = "") -> Drawing:
    """Draw a confusion matrix (K, K), rows the true classes: correct predictions blue, wrong ones red.

    Blue deepens with the fraction of the row, red with the logarithm of the count. Counts are written
    where they fit, and names where there is room for them.

        title
        true    predicted
                cat    dog     `above`: title, label of the axis and names
        cat   |  98  |  2  |
        dog   |   1  |  99 |   `side` pixels wide and high, after `left` and 24 pixels
    """
    matrix = np.asarray(confusion_matrix)
    count = len(class_names)
    # A matrix of about 640 pixels, but no cell larger than 40 or smaller than 4: 10 classes have cells of 40, 100 of 6.
    cell = max(4, min(40, 640 // count))
    side = cell * count
    left = top_names = names_width(class_names, 14)
    step = -(-14 // cell)  # a label needs 14 pixels, so every ⌈14 / cell⌉-th is written
    # Names are turned upright if one is wider than its columns.
    is_turned = top_names - 16 > cell * step
    above = _TOP + 24 + (top_names if is_turned else 24)  # title, axis label, names
    with house_style():
        width = max(left + 24 + side + 16, 320)
        drawing = new_drawing(width, above + side + 16, title)
        axes = add_axes(drawing, left + 24, above, side, side)
        axes.imshow(_matrix_colours(matrix), interpolation="none", aspect="auto")
        # Between smaller cells lines would hide the colours.
        if count <= _MAX_CLASSES_WITH_LINES:
            axes.hlines(np.arange(count + 1) - 0.5, -0.5, count - 0.5, color=HAIRLINE, linewidth=1)
            axes.vlines(np.arange(count + 1) - 0.5, -0.5, count - 0.5, color=HAIRLINE, linewidth=1)
        _write_counts(axes, matrix, cell)
        shown = range(0, count, step)
        names = [clip(class_names[label], 14) for label in shown]
        _remove_frame(axes, (-0.5, count - 0.5), (count - 0.5, -0.5))
        axes.xaxis.tick_top()
        axes.set_xticks(shown, names, rotation=90 if is_turned else 0)
        axes.set_yticks(shown, names)
        axes.tick_params(length=0, top=False, labeltop=True, labelcolor=INK, labelsize=12)
        axes.set_xlabel("predicted", loc="left", labelpad=8)
        axes.xaxis.set_label_position("top")
        axes.set_ylabel("true", loc="top")
        axes.yaxis.set_label_coords(-(left + 4) / side, 1)
    return drawing


def _matrix_colours(matrix: NDArray[np.int64]) -> NDArray[np.uint8]:
    colours = np.empty((*matrix.shape, 4), np.uint8)
    for true, predicted in np.ndindex(matrix.shape):
        colours[true, predicted, :3] = confusion_hue(true, predicted)
    # The hue tells correct from wrong predictions, the opacity how many there are.
    colours[..., 3] = np.rint(255 * confusion_opacities(matrix))
    return colours


def _write_counts(axes: Axes, matrix: NDArray[np.int64], cell: int) -> None:
    digits = len(f"{matrix.max()}")
    # A digit of DejaVu Sans is 0.64 of its size wide; below 8 pixels counts are left out.
    size = min(12.0, (cell - 4) / (0.64 * digits))
    if size < 8:
        return
    for row, column in zip(*np.nonzero(matrix), strict=True):
        axes.text(column, row, f"{matrix[row, column]}", ha="center", va="center_baseline", fontsize=size)
