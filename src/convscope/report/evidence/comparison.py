"""Two networks, or groups of them over seeds, as a chart of the section on seeds: who makes fewer errors."""

from collections.abc import Sequence
from math import inf

from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, MaxNLocator

from convscope.base.tables import clip, display_width
from convscope.evidence.comparison.records import GroupComparisonRecord, RunGroupRecord
from convscope.evidence.comparison.words import format_p_value, format_verdict
from convscope.report.axes import CHART_WIDTH, DASHES, LETTER, ROW, draw_interval, percent_tick, points_tick, write
from convscope.report.evidence.section import Chart, Table
from convscope.report.findings import format_interval, percent, points
from convscope.report.style import ACCENT, INK, MUTED, Drawing, add_axes, house_style, new_drawing
from convscope.texts import format_rounded, join_sentences, say

# The drawing, in CSS pixels: a row for each group with dots and mean, and after a gap a row for the difference.
#
#     cnn           . .:.. .     99.10 %
#                    [=o=]       5 models
#     ann      ..:.              98.20 %
#              [=o=]             5 models
#                97   98   99
#
#     difference     |  [==o==]  +0.90
_ROW = 44  # pixels of a group
_RIGHT = 104  # pixels for the numbers beside the rows
_LONGEST_NAME = 16
_DIFFERENCE = 10  # letters of this word, in the language in which it is longest
_MAX_DOTS = 200  # dots of a group: more would make the drawing heavy


def comparison_chart(comparison: GroupComparisonRecord) -> Chart:
    """Draw a comparison of groups, with the verdict as its title."""
    look: str = say("evidence.comparison.lookSingle")
    if comparison.degrees_of_freedom is not None:
        look = say("evidence.comparison.lookSeveral", freedom=format_rounded(comparison.degrees_of_freedom, 3))
    look = join_sentences(look, "" if comparison.adjusted_p_value is None else say("evidence.comparison.holm"))
    verdict, drawing = format_verdict(comparison), draw_difference(comparison)
    return Chart("comparison-difference", verdict, look, drawing, _numbers(comparison))


def draw_difference(comparison: GroupComparisonRecord) -> Drawing:
    """Draw each group's models as faint dots and its mean within its interval, and below them the difference."""
    names = [clip(name, _LONGEST_NAME) for name in comparison.names]
    left = 24 + round(LETTER * max(_DIFFERENCE, *map(display_width, names)))
    width, top, between = CHART_WIDTH - left - _RIGHT, 16, 48
    sides = (comparison.a, comparison.b)
    height = _ROW * len(sides)
    with house_style():
        # 16 pixels, the groups, 48 for their ticks, the difference, and 52 for its ticks and the note below them.
        drawing = new_drawing(CHART_WIDTH, top + height + between + _ROW + 52)
        axes = add_axes(drawing, left, top, width, height)
        for row, side in enumerate(sides):
            colour = ACCENT if row == 0 else MUTED
            middle = row * _ROW + _ROW / 2
            # With several models, their dots are a little above the middle of the row, and mean and interval below it.
            shift = 7 if side.num_models > 1 else 0
            if shift:
                # Every k-th model, with k rounded up: at most 200 dots, of 500 models every third.
                shown = side.accuracies[:: -(-len(side.accuracies) // _MAX_DOTS)]
                centres = [middle - 8] * len(shown)
                axes.plot(shown, centres, "o", color=colour, markersize=6, alpha=0.35, markeredgewidth=0)
            draw_interval(axes, side.accuracy, side.accuracy_interval, middle + shift, colour)
            _write_right(axes, middle, percent(side.accuracy), _models(side))
        axes.set_yticks([row * _ROW + _ROW / 2 for row in range(len(sides))], names)
        _frame(
            axes, [accuracy for side in sides for accuracy in (*side.accuracies, *side.accuracy_interval)], height, 1.0
        )
        axes.xaxis.set_major_formatter(FuncFormatter(percent_tick))
        below = add_axes(drawing, left, top + height + between, width, _ROW)
        low, high = comparison.accuracy_difference_interval
        below.axvline(0, color=MUTED, linewidth=1, linestyle=DASHES)
        colour = ACCENT if comparison.is_distinguishable else MUTED
        draw_interval(below, comparison.accuracy_difference, (low, high), _ROW / 2, colour)
        p_value = format_p_value(comparison.decisive_p_value)
        _write_right(below, _ROW / 2, points(comparison.accuracy_difference), p_value)
        below.set_yticks([_ROW / 2], [say("evidence.comparison.difference")])
        _frame(below, [0, low, high], _ROW)
        below.xaxis.set_major_formatter(FuncFormatter(points_tick))
        # In fractions of the drawing, which is 160 pixels higher than the groups: some 14 pixels above its lower end.
        drawing.text(8 / CHART_WIDTH, 12 / (height + 132), say("evidence.comparison.axis"), color=MUTED)
    return drawing


def _write_right(axes: Axes, row: float, text: str, below: str) -> None:
    """Write a number to the right of a row, and a second text below it."""
    for line, up, colour in ((text, 8, INK), (below, -8, MUTED)):
        write(axes, line, (1, row), (16, up), colour, of=ROW)


def _frame(axes: Axes, values: Sequence[float], height: float, upper: float = inf) -> None:
    """Give the axes room for `values`, but hardly more than up to `upper`."""
    low, high = min(values), max(values)
    spare = 0.06 * (high - low) or 0.005
    # An accuracy cannot be above 100 %; an eighth of the room keeps a dot there whole.
    axes.set_xlim(low - spare, min(high + spare, upper + spare / 8))
    axes.set_ylim(height, 0)
    axes.xaxis.set_major_locator(MaxNLocator(4))
    axes.grid(axis="x")
    axes.tick_params(left=False, bottom=False)
    axes.tick_params(axis="y", labelcolor=INK)
    axes.spines[:].set_visible(False)


def _models(side: RunGroupRecord) -> str:
    count = side.num_models
    return say("evidence.comparison.oneModel") if count == 1 else say("evidence.comparison.models", n=count)


def _numbers(comparison: GroupComparisonRecord) -> Table:
    rows = list[list[str]]()
    for name, side in zip(comparison.names, (comparison.a, comparison.b), strict=True):
        rows.append([name, percent(side.accuracy, 3), format_interval(side.accuracy_interval, 3)])
        rows[-1] += ["" if side.sd is None else f"{100 * side.sd:.3f}", f"{side.num_errors:,.6g}"]
        if side.num_models > 1:
            for seed, accuracy in zip(side.seeds, side.accuracies, strict=True):
                title = say("evidence.comparison.seed", name=name, seed=str(seed))
                errors = f"{(1 - accuracy) * comparison.num_images:,.0f}"
                rows.append([title, percent(accuracy, 3), "", "", errors])
    difference, ratio = points(comparison.accuracy_difference), comparison.error_ratio
    interval = format_interval(comparison.accuracy_difference_interval, 3)
    rows.append([say("evidence.comparison.differencePoints"), difference, interval, "", ""])
    ratio_text = say("evidence.comparison.none") if ratio is None else f"{ratio:.3g}"
    interval = format_interval(comparison.error_ratio_interval, 2, 1)
    rows.append([say("evidence.comparison.ratio"), ratio_text, interval, "", ""])
    header = ["", say("head.accuracy"), say("head.interval"), say("evidence.comparison.sd")]
    return Table("", "", [*header, say("evidence.comparison.errors")], rows)
