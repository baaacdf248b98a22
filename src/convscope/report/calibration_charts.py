"""The charts of a calibration: reliability diagrams, and the errors left as images are refused."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, MaxNLocator

from convscope.evidence.calibration import Calibration
from convscope.evidence.calibration.reliability import Reliability
from convscope.report.axes import CHART_WIDTH, DASHES, draw_grid, percent_tick, set_ticks, write
from convscope.report.findings import percent
from convscope.report.style import ACCENT, INK, MUTED, PAPER, Drawing, add_axes, house_style, new_drawing
from convscope.texts import figure, say


def draw_reliability(value: Calibration) -> Drawing:
    """Draw the reliability diagrams of equal width before and after, the numbers of images below them."""
    left, side, gap, top, between, bars = 60, 156, 48, 32, 16, 48  # pixels; `bars` is the height of the counts
    with house_style():
        drawing = new_drawing(CHART_WIDTH, top + side + between + bars + 48, "")
        max_count = max(max(figures.by_width.num_images) for _, figures in value.sides)
        for column, (name, figures) in enumerate(value.sides):
            start = left + column * (side + gap)
            axes = add_axes(drawing, start, top, side, side)
            counts = add_axes(drawing, start, top + side + between, side, bars)
            # A band is no wider than a bin.
            _draw_accuracies(axes, figures.by_width, band=min(4, side / value.num_bins))
            _draw_counts(counts, figures.by_width, max_count)
            temperature = 1.0 if name == "before" else value.temperature
            title = say(f"evidence.calibration.panel.{name}", temperature=figure(temperature, 2))
            axes.set_title(title, fontsize=12, color=INK, pad=8)
            if column == 0:
                axes.set_ylabel(say("evidence.calibration.axis.accuracy"))
                axes.yaxis.set_label_coords(-46 / side, 0.5)
            else:
                axes.tick_params(labelleft=False)
                counts.tick_params(labelleft=False)
    return drawing


def _draw_accuracies(axes: Axes, bins: Reliability, band: float) -> None:
    """Draw for each bin its accuracy over its mean confidence, within the interval, beside the diagonal."""
    axes.plot([0, 1], [0, 1], color=MUTED, linewidth=1, linestyle=DASHES)
    axes.vlines(bins.confidence, bins.accuracy_low, bins.accuracy_high, color=ACCENT, linewidth=band, alpha=0.35)
    axes.plot(bins.confidence, bins.accuracy, "o", color=ACCENT, markersize=6, markeredgecolor=PAPER, clip_on=False)
    _set_limits(axes, (0, 1), (0, 1))
    axes.set_xticks([])
    axes.set_yticks([0, 0.5, 1])


def _draw_counts(axes: Axes, bins: Reliability, max_count: int) -> None:
    """Draw the number of images in each bin; `max_count` is the largest of all diagrams, which share the scale."""
    widths = 0.86 * np.subtract(bins.high, bins.low)
    axes.bar(bins.low, bins.num_images, widths, align="edge", color=MUTED, alpha=0.6, linewidth=0)
    # Confident networks put nearly all images into the last bin: on a linear axis the others would vanish.
    axes.set_yscale("log")
    # From below 1, so that a bin of one image is visible.
    _set_limits(axes, (0, 1), (0.6, 1.2 * max(max_count, 2)))
    axes.grid(visible=False)
    axes.set_xticks([0, 0.5, 1])
    axes.xaxis.set_major_formatter(FuncFormatter(percent_tick))
    axes.set_yticks([1, max_count] if max_count > 1 else [1], ["1", figure(max_count, 0)] if max_count > 1 else ["1"])
    axes.minorticks_off()
    axes.set_xlabel(say("evidence.calibration.axis.confidence"))


def draw_risk(value: Calibration) -> Drawing:
    """Draw the error rate over the share of refused images, and the lowest rate that any order of refusal can reach.

    The risk is the error rate of the images that are not refused, the coverage their share: 1 minus the refused share.
    """
    left, right, top, height = 72, 24, 36, 184
    curve = value.after.risk_coverage
    coverage, risk = np.asarray(curve.coverage), np.asarray(curve.risk)
    # If all errors were refused first: of 100 images with a risk of 0.1, 10 are wrong. If 5 are refused, all of them
    # wrong, 5 of 95 are: the coverage 0.95 less the 0.90 correct ones, over 0.95. Once 10 are refused, none is.
    refused, lowest = 1 - coverage, np.maximum(coverage - (1 - risk[0]), 0) / coverage
    max_refused = _choose_visible_share(refused, risk)
    # 1e-9 keeps the last point in spite of rounding.
    shown = refused <= max_refused + 1e-9
    width = CHART_WIDTH - left - right
    with house_style():
        drawing = new_drawing(CHART_WIDTH, top + height + 48, "")
        axes = add_axes(drawing, left, top, width, height)
        axes.plot(refused[shown], lowest[shown], color=MUTED, linewidth=1.25, linestyle=DASHES, clip_on=False)
        axes.plot(refused[shown], risk[shown], color=ACCENT, clip_on=False)
        for refusal in curve.refusals:
            if refusal.fraction <= max_refused:
                axes.vlines(refusal.fraction, *refusal.interval, color=ACCENT, linewidth=6, alpha=0.35)
                axes.plot([refusal.fraction], [refusal.risk], "o", color=ACCENT, markersize=6, markeredgecolor=PAPER)
        # The curve is noisy where few images are left; the intervals of the refusals set the scale.
        top_of_axes = 1.05 * max(refusal.interval[1] for refusal in curve.refusals)
        _set_limits(axes, (-0.02 * max_refused, max_refused), (0, top_of_axes))
        set_ticks(axes.xaxis, 5, percent_tick)
        axes.yaxis.set_major_locator(MaxNLocator(5))
        axes.set_xlabel(say("evidence.calibration.axis.refused"))
        axes.set_ylabel(say("evidence.calibration.axis.errors"))
        axes.yaxis.set_label_coords(-58 / width, 0.5)
        for offset, key, colour in ((0, "byConfidence", ACCENT), (120, "errorsFirst", MUTED)):
            text = say(f"evidence.calibration.{key}")
            write(axes, text, (0, 1), (offset, 10), colour, va="baseline")
    return drawing


def _choose_visible_share(refused: Any, risk: Any) -> float:
    """Find the share of refused images up to which the curve is drawn: to 5 % of its height, but at least 20 %."""
    high = refused[risk > 0.05 * risk[0]]
    # Rounded up to a twentieth, so that the axis ends at a round number.
    return float(min(refused[-1], max(0.2, np.ceil(20 * high.max()) / 20 if len(high) else 0)))


def _set_limits(axes: Axes, xlim: tuple[float, float], ylim: tuple[float, float]) -> None:
    axes.set_xlim(*xlim)
    axes.set_ylim(*ylim)
    axes.yaxis.set_major_formatter(FuncFormatter(percent_tick))
    draw_grid(axes)
    axes.tick_params(bottom=False)


def sure_text(confidence: float) -> str:
    """Format a confidence in percent with enough digits to tell it from 100 %, at most four after the point.

    0.95 is 95.0 %, 0.995 is 99.5 %, 0.99995 is 99.995 %, 0.999999 is 99.9999 %, and more is "above" that.
    """
    if confidence == 1:
        return percent(confidence, 0)
    if confidence > 0.9999995:
        return say("above", value=percent(0.999999, 4))
    # The first digit of 1 - 0.99995 = 0.00005 is in the fifth place, so five digits are written. Percent has two of
    # them before the point, and three after it.
    return percent(confidence, 1 if confidence < 0.99 else int(np.clip(-np.floor(np.log10(1 - confidence)), 2, 6)) - 2)
