"""The section on attributions: maps of a few images by every method, and each method against its checks."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.ticker import FuncFormatter, MaxNLocator
from numpy.typing import NDArray

from convscope.base.packing import unpack
from convscope.base.tables import clip
from convscope.report.charts import CHART_WIDTH
from convscope.report.evidence.section import Card, Chart, Gallery, Section, Table
from convscope.report.pixels import image_pixels, paint
from convscope.report.style import ACCENT, INK, MUTED, Drawing, add_axes, house_style, new_drawing
from convscope.report.texts import say

NAMES = {
    "gradient": "gradient",
    "gradient_times_input": "gradient × input",
    "integrated_gradients": "integrated gradients",
    "smoothgrad": "SmoothGrad",
    "grad_cam": "Grad-CAM",
    "occlusion": "occlusion",
}
_SHOWN_SIDE = 84
_ROW = 30


def attributions_section(value: dict[str, Any]) -> Section:
    """Return the section of what `AttributionChecks.to_dict()` holds."""
    return Section(
        "attributions",
        say("evidence.attributions.name"),
        say("evidence.attributions.shows"),
        say("evidence.attributions.doesNotShow"),
        [_gallery(value), _chart(value["methods"]), _table(value)],
        main=1,
    )


def _gallery(value: dict[str, Any]) -> Gallery:
    images, names = unpack(value["example_images"]), value["class_names"]
    maps = {method: unpack(packed) for method, packed in value["examples"].items()}
    cards = []
    for number, (index, answer) in enumerate(zip(value["example_indices"], value["example_answers"], strict=True)):
        lines = [f"predicted as {clip(names[answer], 8)}", f"image {index:,}"]
        cards.append(Card(image_pixels(images[number]), lines, value["split"], index))
        cards += [
            Card(paint(one[number].astype(np.float64), "signed", -127, 127), [NAMES[method]])
            for method, one in maps.items()
        ]
    return Gallery(
        "The same images with every method",
        (
            "Orange pixels support the prediction, blue pixels oppose it. Each map has its own colour scale. Grad-CAM "
            "has the resolution of its layer."
        ),
        cards,
        _SHOWN_SIDE,
        1 + len(maps),
    )


def _finding(methods: Sequence[dict[str, Any]]) -> str:
    """Return which methods order the pixels better than chance, by both curves."""
    good = [one for one in methods if _is_better(one)]
    if len(good) == len(methods):
        return say("evidence.attributions.all", methods=len(methods))
    if not good:
        return say("evidence.attributions.none", methods=len(methods))
    bad = ", ".join(NAMES[one["method"]] for one in methods if not _is_better(one))
    return say("evidence.attributions.some", good=len(good), methods=len(methods), bad=bad)


def _is_better(one: dict[str, Any]) -> bool:
    deletion, insertion = one["deletion_gain_interval"], one["insertion_gain_interval"]
    return deletion is not None and insertion is not None and deletion[1] < 0 < insertion[0]


def _chart(methods: Sequence[dict[str, Any]]) -> Chart:
    title = _finding(methods)
    header = ["Method", "Deletion minus random", "low", "high", "Insertion minus random", "low", "high"]
    rows = []
    for one in methods:
        row = [NAMES[one["method"]]]
        for name in ("deletion_gain", "insertion_gain"):
            interval = one[f"{name}_interval"] or (None, None)
            row += ["" if number is None else _signed(number) for number in (one[name], *interval)]
        rows.append(row)
    return Chart(
        "attribution-checks",
        title,
        "Area under the curve of the predicted class's probability, minus the same for random orders. Deleting the "
        "most important pixels first should lower the probability faster than chance (left of zero). Inserting them "
        "first should raise it faster (right of zero).",
        _draw(methods, title),
        Table("", "", header, rows),
        is_wide=True,
    )


def _draw(methods: Sequence[dict[str, Any]], title: str) -> Drawing:
    width, left, gap, top = 640, 152, 40, 56
    panel, height = (width - left - gap - 16) / 2, _ROW * len(methods)
    with house_style():
        drawing = new_drawing(width, top + height + 40, title)
        for number, (name, heading) in enumerate((("deletion", "deletion"), ("insertion", "insertion"))):
            axes = add_axes(drawing, left + number * (panel + gap), top, panel, height)
            axes.axvline(0, color=MUTED, linewidth=1)
            for row, one in enumerate(methods):
                gain, interval = one[f"{name}_gain"], one[f"{name}_gain_interval"]
                if interval is not None:
                    axes.plot(interval, [row, row], color=ACCENT, linewidth=8, alpha=0.35, solid_capstyle="butt")
                axes.plot([gain], [row], "o", color=ACCENT, markersize=7, markeredgewidth=0)
            axes.set_ylim(len(methods) - 0.5, -0.5)
            axes.margins(x=0.12)
            axes.set_yticks(range(len(methods)), [NAMES[one["method"]] for one in methods] if number == 0 else [])
            axes.tick_params(axis="y", length=0, labelcolor=INK, labelleft=number == 0)
            axes.xaxis.set_major_locator(MaxNLocator(4))
            axes.xaxis.set_major_formatter(FuncFormatter(lambda place, _: _signed(place, 2)))
            axes.grid(axis="x")
            for side in ("left", "bottom"):
                axes.spines[side].set_visible(False)
            axes.annotate(heading, (0, 1), (0, 6), "axes fraction", "offset points", color=MUTED)
    assert width <= 2 * CHART_WIDTH
    return drawing


def _table(value: dict[str, Any]) -> Table:
    methods = value["methods"]
    header = ["Method", "What", "Deletion", "Insertion", "All weights random", "Last layer random", "Completeness gap"]
    rows = [
        [
            NAMES[one["method"]],
            one["formula"],
            f"{one['deletion']:.3f}",
            f"{one['insertion']:.3f}",
            _correlation(one["similarity"]),
            _correlation(one["similarity_last"]),
            "not applicable" if one["completeness_gap"] is None else f"{100 * one['completeness_gap']:.2g} %",
        ]
        for one in methods
    ]
    random = (_area(value["random_deletion"]), _area(value["random_insertion"]))
    rows.append(["random order", "the control", f"{random[0]:.3f}", f"{random[1]:.3f}", "", "", ""])
    counted = f"{value['num_images']:,} {value['split']} images"
    left_out = f", {value['num_images_left_out']:,} left out" if value["num_images_left_out"] else ""
    return Table(
        "Quality of each method",
        f"Over {counted}{left_out}. Deletion should be low, insertion high. A similarity near 1 with random weights "
        "means that the map shows the image rather than the network. A small completeness gap means that the "
        "attributions add up to the logit's change.",
        header,
        rows,
        left=2,
    )


def _area(curve: Sequence[float]) -> float:
    values: NDArray[np.float64] = np.asarray(curve)
    return float((values[1:] + values[:-1]).mean() / 2)


def _correlation(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}".replace("-", "\N{MINUS SIGN}")


def _signed(value: float, digits: int = 3) -> str:
    return f"{value:+.{digits}f}".replace("-", "\N{MINUS SIGN}") if round(value, digits) else "0"
