"""The page's section on two networks, or groups of them over seeds: who makes fewer errors, and at what cost."""

from collections.abc import Mapping, Sequence
from math import inf
from typing import Any

from matplotlib.ticker import FuncFormatter, MaxNLocator

from convscope.base.tables import clip, display_width
from convscope.evidence.comparison.words import p_number
from convscope.report.charts import CHART_WIDTH
from convscope.report.evidence.section import Chart, Section, Table
from convscope.report.findings import percent, points
from convscope.report.style import ACCENT, INK, MUTED, PAPER, Drawing, add_axes, house_style, new_drawing

_ROW = 44  # pixels of a group
_RIGHT = 104  # pixels for the numbers beside the rows
_LETTER = 7.6  # pixels, as wide as a letter gets
_LONGEST_NAME = 16
_MOST_DOTS = 200  # of a group: more would make the drawing heavy

Value = Mapping[str, Any]
"""As `GroupComparison.to_dict()` gives it."""


def comparison_section(value: Value) -> Section:
    """Return the section of what `GroupComparison.to_dict()` gave."""
    chart = Chart(
        "comparison-difference", value["verdict"], _difference_look(value), draw_difference(value), _numbers(value)
    )
    counts = [] if value["both_right"] is None else [_counts_table(value)]
    return Section(
        anchor="comparison",
        name="Comparison",
        shows="How many errors two networks make on the same images, whether the difference is significant, and what "
        "each network costs.",
        does_not_show=value["limits"],
        parts=[chart, *counts, _costs_table(value)],
    )


def draw_difference(value: Value) -> Drawing:
    """Draw each group's models as faint dots and its mean within its interval, and below them the difference in its."""
    names = [clip(name, _LONGEST_NAME) for name in value["names"]]
    left = 24 + round(_LETTER * max(display_width(name) for name in [*names, "difference"]))
    width, top, between = CHART_WIDTH - left - _RIGHT, 16, 48
    sides = [value[side] for side in "ab"]
    height = _ROW * len(sides)
    with house_style():
        drawing = new_drawing(CHART_WIDTH, top + height + between + _ROW + 52)
        axes = add_axes(drawing, left, top, width, height)
        for row, side in enumerate(sides):
            colour = ACCENT if row == 0 else MUTED
            middle = row * _ROW + _ROW / 2
            shift = 7 if side["num_models"] > 1 else 0
            if shift:
                shown = side["accuracies"][:: -(-len(side["accuracies"]) // _MOST_DOTS)]
                dots = {"markersize": 6, "alpha": 0.35, "markeredgewidth": 0}
                axes.plot(shown, [middle - 8] * len(shown), "o", color=colour, **dots)
            _draw_interval(axes, side["accuracy"], side["accuracy_interval"], middle + shift, colour)
            _write_right(axes, middle, percent(side["accuracy"]), _models(side))
        axes.set_yticks([row * _ROW + _ROW / 2 for row in range(len(sides))], names)
        _frame(
            axes, [each for side in sides for each in (*side["accuracies"], *side["accuracy_interval"])], height, 1.0
        )
        axes.xaxis.set_major_formatter(FuncFormatter(_percent))
        below = add_axes(drawing, left, top + height + between, width, _ROW)
        low, high = value["accuracy_difference_interval"]
        below.axvline(0, color=MUTED, linewidth=1, linestyle=(0, (4, 3)))
        colour = ACCENT if value["is_distinguishable"] else MUTED
        _draw_interval(below, value["accuracy_difference"], (low, high), _ROW / 2, colour)
        _write_right(below, _ROW / 2, points(value["accuracy_difference"]), _p_text(value))
        below.set_yticks([_ROW / 2], ["difference"])
        _frame(below, [0, low, high], _ROW)
        below.xaxis.set_major_formatter(FuncFormatter(_points))
        below.set_xlabel("percentage points of accuracy; above 0 the first is better")
    return drawing


def _draw_interval(axes: Any, middle: float, interval: Sequence[float], row: float, colour: str) -> None:
    axes.plot(interval, [row, row], color=colour, linewidth=8, alpha=0.35, solid_capstyle="butt")
    axes.plot([middle], [row], "o", color=colour, markersize=8, markeredgecolor=PAPER)


def _write_right(axes: Any, row: float, text: str, below: str) -> None:
    """Write a number to the right of a row, and what it rests on under it."""
    for line, up, colour in ((text, 8, INK), (below, -8, MUTED)):
        axes.annotate(line, (1, row), (16, up), ("axes fraction", "data"), "offset points", va="center", color=colour)


def _frame(axes: Any, values: Sequence[float], height: float, most: float = inf) -> None:
    """Give the axes room for `values`, but hardly more than up to `most`."""
    low, high = min(values), max(values)
    spare = 0.06 * (high - low) or 0.005
    axes.set_xlim(low - spare, min(high + spare, most + spare / 8))
    axes.set_ylim(height, 0)
    axes.xaxis.set_major_locator(MaxNLocator(4))
    axes.grid(axis="x")
    axes.tick_params(left=False, bottom=False)
    axes.tick_params(axis="y", labelcolor=INK)
    for spine in axes.spines.values():
        spine.set_visible(False)


def _percent(value: float, _position: int | None = None) -> str:
    return f"{100 * value:.4g}\N{NO-BREAK SPACE}%"


def _points(value: float, _position: int | None = None) -> str:
    return f"{100 * value:.4g}".replace("-", "\N{MINUS SIGN}")


def _models(side: Value) -> str:
    return "one model" if side["num_models"] == 1 else f"n = {side['num_models']}"


def _p_text(value: Value) -> str:
    p = value["p_value"] if value["adjusted_p_value"] is None else value["adjusted_p_value"]
    return f"p = {p_number(p)}"


def _difference_look(value: Value) -> str:
    several = [value[side]["num_models"] > 1 for side in "ab"]
    if not any(several):
        luck = "the choice of test images only (the bands above are Wilson intervals)"
        how = "McNemar's exact test"
    else:
        luck = "both seeds and test images, as do the bands above. Each dot is one seed"
        how = f"t-test over seeds and images with {value['degrees_of_freedom']:.3g} degrees of freedom"
        if value["is_paired"]:
            how += ", paired by seed"
    holm = "" if value["adjusted_p_value"] is None else ", with Holm's correction"
    return (
        "The lowest band is the 95\N{NO-BREAK SPACE}% interval of the difference: check whether it contains zero. "
        f"It covers {luck}. p: {how}{holm}."
    )


def _numbers(value: Value) -> Table:
    rows = list[list[str]]()
    for name, side in zip(value["names"], (value[side] for side in "ab"), strict=True):
        rows.append([name, percent(side["accuracy"], 3), _interval(side["accuracy_interval"], 100, 3)])
        rows[-1] += ["" if side["sd"] is None else f"{100 * side['sd']:.3f}", f"{side['num_errors']:,.6g}"]
        if side["num_models"] > 1:
            rows += [
                [f"{name}, seed {seed}", percent(accuracy, 3), "", "", f"{(1 - accuracy) * value['num_images']:,.0f}"]
                for seed, accuracy in zip(side["seeds"], side["accuracies"], strict=True)
            ]
    interval = value["accuracy_difference_interval"]
    rows.append(
        ["difference, percentage points", points(value["accuracy_difference"]), _interval(interval, 100, 3), "", ""]
    )
    ratio = value["error_ratio"]
    rows.append(
        [
            "errors of the second divided by errors of the first",
            "none" if ratio is None else f"{ratio:.3g}",
            _interval(value["error_ratio_interval"], 1, 2),
            "",
            "",
        ]
    )
    return Table("", "", ("", "Accuracy", "95 % interval", "SD, points", "Errors"), rows)


def _interval(interval: Sequence[float | None], factor: float, digits: int) -> str:
    low, high = ("\N{INFINITY}" if end is None else f"{factor * end:.{digits}f}" for end in interval)
    return f"[{low}, {high}]".replace("-", "\N{MINUS SIGN}")


def _counts_table(value: Value) -> Table:
    first, second = value["names"]
    differing = value["only_a_right"] + value["only_b_right"]
    images = f"image{'' if differing == 1 else 's'}"
    return Table(
        f"Exactly one of the two classifies {differing:,} {images} of {value['num_images']:,} correctly",
        "Only these images tell the two apart. If both were equally good, each would be correct on about half of them.",
        ("", f"{second} correct", f"{second} wrong"),
        [
            [f"{first} correct", f"{value['both_right']:,}", f"{value['only_a_right']:,}"],
            [f"{first} wrong", f"{value['only_b_right']:,}", f"{value['both_wrong']:,}"],
        ],
    )


def _costs_table(value: Value) -> Table:
    sides = [value[side] for side in "ab"]
    has_latency = any(side[f"latency_{many}seconds"] is not None for side in sides for many in ("", "1000_"))
    header = ["Model", "Parameters", "Weights", "Multiply-adds per image", "Training"]
    header += ["One image", "1,000 images"] if has_latency else []
    rows = [
        [
            name,
            f"{side['parameters']:,}",
            f"{side['weights_bytes'] / 1024:,.1f} KB",
            f"{side['macs']:,}",
            _seconds(side["training_seconds"]),
            *([_seconds(side["latency_seconds"]), _seconds(side["latency_1000_seconds"])] if has_latency else []),
        ]
        for name, side in zip(value["names"], sides, strict=True)
    ]
    look = "Times hold for this machine under its load at the time" + (
        "; for several models they are means." if any(side["num_models"] > 1 for side in sides) else "."
    )
    return Table(costs_finding(value), look, header, rows)


def costs_finding(value: Value) -> str:
    """Return how many times the weights and the multiply-adds of the second the first costs."""
    first, second = (clip(name, _LONGEST_NAME) for name in value["names"])
    said = [
        f"{value['a'][cost] / value['b'][cost]:.3g} times the {noun}"
        for cost, noun in (("weights_bytes", "weights"), ("macs", "multiply-adds"))
        if value["b"][cost]
    ]
    return f"{first} has {' and '.join(said)} of {second}" if said else f"What {first} and {second} cost"


def _seconds(seconds: float | None) -> str:
    if seconds is None:
        return "unknown"
    for factor, unit in ((1, "s"), (1e3, "ms")):
        if factor * seconds >= 0.1 or seconds == 0:
            return f"{factor * seconds:,.2f} {unit}"
    return f"{1e6 * seconds:,.1f} µs"
