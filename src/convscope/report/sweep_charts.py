"""The chart of a sweep: for each varied field a panel in which every trial is a dot, by its value and its accuracy."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullLocator
from numpy.typing import NDArray

from convscope.base.tables import clip, value_text
from convscope.experiment.sweep import Trial
from convscope.report.axes import LETTER
from convscope.report.experiment_charts import WIDTH, set_error_axis
from convscope.report.style import ACCENT, INK, PAPER, Drawing, add_axes, house_style, new_drawing

_LEFT, _RIGHT, _TOP, _BOTTOM, _HEIGHT = 64, 16, 40, 56, 176
_MAX_CATEGORIES = 8  # up to as many different values stand side by side, also numbers
_LONGEST_VALUE, _LONGEST_NAME = 10, 40
_LETTER_OF_WORD = 6.5  # pixels; a digit is wider
_LOG_FROM = 20  # if the largest number is so many times the smallest, the axis is logarithmic
_JITTER = 0.6  # share of the distance between two values over which the dots of a value spread
_GOLDEN = 0.618034  # steps by the golden ratio fill an interval evenly, for any number of steps
MAX_DOTS = 1000  # in one panel
_LOOKS: tuple[dict[str, Any], ...] = (
    {"color": INK, "markersize": 6, "alpha": 0.65},
    {"color": ACCENT, "markersize": 10},
)
"""How dots look: of most trials, and of the best one."""


def draw_sweep(trials: Sequence[Trial], num_images: int, title: str = "") -> Drawing:
    """Draw every trial that did not diverge: its accuracy on the images that choose, against each of its values.

    The best one is marked.

    Args:
        trials: the best one first; of very many the best 1,000 are drawn.
        num_images: the number of images that choose; no error below half of one is drawn.
    """
    shown = [(trial, trial.choice) for trial in trials if trial.choice is not None][:MAX_DOTS]
    names = list(shown[0][0].values)
    # A trial without an error has no logarithm: it is drawn at half an error.
    errors = np.array([max(1 - choice, 0.5 / num_images) for _, choice in shown])
    is_best = np.arange(len(shown)) == 0
    kinds = (~is_best, is_best)  # the best one last, on top of the others
    columns = min(len(names), 2)
    rows = -(-len(names) // columns)
    width, panel = WIDTH / columns, _HEIGHT + _BOTTOM
    whole = _TOP + rows * panel
    with house_style():
        drawing = new_drawing(WIDTH, whole, title)
        for number, name in enumerate(names):
            row, column = divmod(number, columns)
            axes = add_axes(drawing, column * width + _LEFT, _TOP + row * panel, width - _LEFT - _RIGHT, _HEIGHT)
            positions = _set_value_axis(axes, [trial.values[name] for trial, _ in shown], width - _LEFT - _RIGHT)
            set_error_axis(axes, errors.tolist(), _HEIGHT)
            axes.set_xlabel(clip(name, _LONGEST_NAME))
            for chosen, look in zip(kinds, _LOOKS, strict=True):
                axes.plot(positions[chosen], errors[chosen], "o", markeredgecolor=PAPER, **look)
    return drawing


def _set_value_axis(axes: Axes, values: Sequence[Any], width: float) -> NDArray[np.float64]:
    """Make the horizontal axis one of names, numbers or logarithms, and return each value's position on it.

    A few different values, such as 32, 64 and "relu", stand side by side at 0, 1 and 2, numbers first, and their dots
    around them, so that they do not hide each other. Numbers that are many, or too long to stand side by side on an
    axis of `width` pixels, have an axis of numbers.
    """
    different = sorted(
        set(values), key=lambda value: (not _is_number(value), value if _is_number(value) else 0, str(value))
    )
    axes.xaxis.set_minor_locator(NullLocator())
    room = width / len(different)  # of a value
    fits = len(different) <= _MAX_CATEGORIES and all(LETTER * (len(value_text(v)) + 1) <= room for v in different)
    if fits or not all(map(_is_number, different)):
        letters = min(_LONGEST_VALUE, int(room / _LETTER_OF_WORD))
        axes.set_xlim(-0.6, len(different) - 0.4)
        axes.xaxis.set_major_locator(FixedLocator(range(len(different))))
        axes.xaxis.set_major_formatter(
            FuncFormatter(lambda position, _: clip(value_text(different[round(position)]), letters))
        )
        # -0.3 to 0.3, by the trial's number and not by chance: the same sweep gives the same drawing.
        shifts = ((_GOLDEN * np.arange(len(values))) % 1 - 0.5) * _JITTER
        return np.array([different.index(value) for value in values], np.float64) + shifts
    # Learning rates and such are varied by factors.
    if different[0] > 0 and different[-1] >= _LOG_FROM * different[0]:
        axes.set_xscale("log")
        axes.xaxis.set_minor_locator(NullLocator())
    else:
        axes.xaxis.set_major_locator(MaxNLocator(5))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda position, _: f"{position:.4g}"))
    return np.array(values, np.float64)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
