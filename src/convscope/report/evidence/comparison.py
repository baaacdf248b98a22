"""The page's section on two networks, or groups of them over seeds: who makes fewer errors, and at what cost."""

from collections.abc import Mapping, Sequence
from math import inf
from typing import Any

from matplotlib.ticker import FuncFormatter, MaxNLocator

from convscope.base.tables import clip, display_width
from convscope.report.charts import CHART_WIDTH, percent_tick, points_tick
from convscope.report.comparison_words import limits_said, p_said, verdict_said
from convscope.report.evidence.section import Chart, Section, Table
from convscope.report.findings import percent, points
from convscope.report.style import ACCENT, INK, MUTED, PAPER, Drawing, add_axes, house_style, new_drawing
from convscope.report.texts import figure, rounded, say, sentences

_ROW = 44  # pixels of a group
_RIGHT = 104  # pixels for the numbers beside the rows
_LETTER = 7.6  # pixels, as wide as a letter gets
_LONGEST_NAME = 16
_DIFFERENCE = 10  # letters of this word, in the language in which it is longest
_MOST_DOTS = 200  # of a group: more would make the drawing heavy

Value = Mapping[str, Any]
"""As `GroupComparison.to_dict()` gives it."""


def comparison_section(value: Value) -> Section:
    """Return the section of what `GroupComparison.to_dict()` gave."""
    chart = Chart(
        "comparison-difference", verdict_said(value), _difference_look(value), draw_difference(value), _numbers(value)
    )
    counts = [] if value["both_right"] is None else [_counts_table(value)]
    return Section(
        anchor="comparison",
        name=say("chapter.comparison"),
        shows=say("evidence.comparison.shows"),
        does_not_show=sentences(*limits_said(value)),
        parts=[chart, *counts, _costs_table(value)],
    )


def draw_difference(value: Value) -> Drawing:
    """Draw each group's models as faint dots and its mean within its interval, and below them the difference in its."""
    names = [clip(name, _LONGEST_NAME) for name in value["names"]]
    left = 24 + round(_LETTER * max(_DIFFERENCE, *map(display_width, names)))
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
        axes.xaxis.set_major_formatter(FuncFormatter(percent_tick))
        below = add_axes(drawing, left, top + height + between, width, _ROW)
        low, high = value["accuracy_difference_interval"]
        below.axvline(0, color=MUTED, linewidth=1, linestyle=(0, (4, 3)))
        colour = ACCENT if value["is_distinguishable"] else MUTED
        _draw_interval(below, value["accuracy_difference"], (low, high), _ROW / 2, colour)
        _write_right(below, _ROW / 2, points(value["accuracy_difference"]), _p_text(value))
        below.set_yticks([_ROW / 2], [say("evidence.comparison.difference")])
        _frame(below, [0, low, high], _ROW)
        below.xaxis.set_major_formatter(FuncFormatter(points_tick))
        drawing.text(8 / CHART_WIDTH, 12 / (height + 132), say("evidence.comparison.axis"), color=MUTED)
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


def _models(side: Value) -> str:
    count = side["num_models"]
    return say("evidence.comparison.oneModel") if count == 1 else say("evidence.comparison.models", n=count)


def _p_text(value: Value) -> str:
    return p_said(value["p_value"] if value["adjusted_p_value"] is None else value["adjusted_p_value"])


def _difference_look(value: Value) -> str:
    look = say("evidence.comparison.lookSingle")
    if any(value[side]["num_models"] > 1 for side in "ab"):
        look = say("evidence.comparison.lookSeveral", freedom=rounded(value["degrees_of_freedom"], 3))
    return sentences(
        look,
        say("evidence.comparison.paired") if value["is_paired"] else "",
        "" if value["adjusted_p_value"] is None else say("evidence.comparison.holm"),
    )


def _numbers(value: Value) -> Table:
    rows = list[list[str]]()
    for name, side in zip(value["names"], (value[side] for side in "ab"), strict=True):
        rows.append([name, percent(side["accuracy"], 3), _interval(side["accuracy_interval"], 100, 3)])
        rows[-1] += ["" if side["sd"] is None else f"{100 * side['sd']:.3f}", f"{side['num_errors']:,.6g}"]
        if side["num_models"] > 1:
            rows += [
                [
                    say("evidence.comparison.seed", name=name, seed=str(seed)),
                    percent(accuracy, 3),
                    "",
                    "",
                    f"{(1 - accuracy) * value['num_images']:,.0f}",
                ]
                for seed, accuracy in zip(side["seeds"], side["accuracies"], strict=True)
            ]
    interval = value["accuracy_difference_interval"]
    rows.append(
        [
            say("evidence.comparison.differencePoints"),
            points(value["accuracy_difference"]),
            _interval(interval, 100, 3),
            "",
            "",
        ]
    )
    ratio = value["error_ratio"]
    rows.append(
        [
            say("evidence.comparison.ratio"),
            say("evidence.comparison.none") if ratio is None else f"{ratio:.3g}",
            _interval(value["error_ratio_interval"], 1, 2),
            "",
            "",
        ]
    )
    header = ["", say("head.accuracy"), say("head.interval"), say("evidence.comparison.sd")]
    return Table("", "", [*header, say("evidence.comparison.errors")], rows)


def _interval(interval: Sequence[float | None], factor: float, digits: int) -> str:
    low, high = ("\N{INFINITY}" if end is None else f"{factor * end:.{digits}f}" for end in interval)
    return f"[{low}, {high}]".replace("-", "\N{MINUS SIGN}")


def _counts_table(value: Value) -> Table:
    first, second = value["names"]
    differing = value["only_a_right"] + value["only_b_right"]
    return Table(
        say("evidence.comparison.one", n=differing, total=value["num_images"]),
        say("evidence.comparison.tell"),
        ["", say("head.modelCorrect", model=second), say("head.modelWrong", model=second)],
        [
            [say("head.modelCorrect", model=first), f"{value['both_right']:,}", f"{value['only_a_right']:,}"],
            [say("head.modelWrong", model=first), f"{value['only_b_right']:,}", f"{value['both_wrong']:,}"],
        ],
    )


def _costs_table(value: Value) -> Table:
    sides = [value[side] for side in "ab"]
    has_latency = any(side[f"latency_{many}seconds"] is not None for side in sides for many in ("", "1000_"))
    header: list[str] = [say(f"head.{name}") for name in ("model", "parameters", "weights")]
    header += [say("evidence.comparison.multiplyAdds"), say("head.training")]
    header += [say("head.oneImage"), say("head.thousandImages")] if has_latency else []
    rows = [
        [
            name,
            f"{side['parameters']:,}",
            say("head.size", size=figure(side["weights_bytes"] / 1024, 1)),
            f"{side['macs']:,}",
            _seconds(side["training_seconds"]),
            *([_seconds(side["latency_seconds"]), _seconds(side["latency_1000_seconds"])] if has_latency else []),
        ]
        for name, side in zip(value["names"], sides, strict=True)
    ]
    is_mean = any(side["num_models"] > 1 for side in sides)
    look = say("evidence.comparison.timesMeans") if is_mean else say("evidence.comparison.times")
    return Table(costs_finding(value), look, header, rows)


def costs_finding(value: Value) -> str:
    """Return how many times the weights and the multiply-adds of the second the first costs."""
    first, second = (clip(name, _LONGEST_NAME) for name in value["names"])
    costs = {"weights": "weights_bytes", "macs": "macs"}
    if not all(value["b"][cost] for cost in costs.values()):
        return say("evidence.comparison.cost.none", first=first, second=second)
    times = {name: rounded(value["a"][cost] / value["b"][cost], 3) for name, cost in costs.items()}
    return say("evidence.comparison.cost.both", first=first, second=second, **times)


def _seconds(seconds: float | None) -> str:
    if seconds is None:
        return say("head.unknown")
    for factor, unit in ((1, "s"), (1e3, "ms")):
        if factor * seconds >= 0.1 or seconds == 0:
            return f"{factor * seconds:,.2f} {unit}"
    return f"{1e6 * seconds:,.1f} µs"
