"""The section on attributions: maps of a few images by every method, and each method against its checks."""

from collections.abc import Sequence

import numpy as np

from convscope.base.tables import clip
from convscope.evidence.explanation.attribution_checks import AttributionChecks, MethodCheck
from convscope.report.axes import CHART_WIDTH, set_ticks, write
from convscope.report.evidence.section import Card, Chart, Gallery, Section, Table
from convscope.report.findings import counted
from convscope.report.pixels import image_pixels, paint
from convscope.report.style import ACCENT, INK, MUTED, Drawing, add_axes, house_style, new_drawing
from convscope.texts import Figure, figure, known, listed, say, sentences, signed

_SHOWN_SIDE = 84
_ROW = 30


def attributions_section(value: AttributionChecks) -> Section:
    """Return the section of the checks of attributions."""
    return Section(
        "attributions",
        say("evidence.attributions.name"),
        say("evidence.attributions.shows"),
        say("evidence.attributions.doesNotShow"),
        [_gallery(value), _chart(value)],
        main=1,
    )


def _gallery(value: AttributionChecks) -> Gallery:
    images, names = value.example_images.unpack(), value.class_names
    maps = {method: packed.unpack() for method, packed in value.examples.items()}
    cards = []
    for number, (index, answer) in enumerate(zip(value.example_indices, value.example_predictions, strict=True)):
        lines = [say("evidence.attributions.predicted", name=clip(names[answer], 8)), _image(index)]
        cards.append(Card(image_pixels(images[number]), lines, value.split, index))
        cards += [
            Card(paint(one[number].astype(np.float64), "signed", -127, 127), [_name(method)])
            for method, one in maps.items()
        ]
    return Gallery(
        say("evidence.attributions.same"),
        say("evidence.attributions.colours"),
        cards,
        _SHOWN_SIDE,
        1 + len(maps),
    )


def _finding(methods: Sequence[MethodCheck]) -> str:
    """Return which methods order the pixels better than chance, by both curves."""
    good = [one for one in methods if _is_better(one)]
    if len(good) == len(methods):
        return say("evidence.attributions.all", methods=len(methods))
    if not good:
        return say("evidence.attributions.none", methods=len(methods))
    bad = listed([_name(one.method) for one in methods if not _is_better(one)])
    return say("evidence.attributions.some", good=len(good), methods=len(methods), bad=bad)


def _name(method: str) -> str:
    return known("evidence.attributions.method", method)


def _image(index: int) -> str:
    return say("head.image", index=index)


def _heads(*names: str) -> list[str]:
    return [say(f"evidence.attributions.head.{name}") for name in names]


def _is_better(one: MethodCheck) -> bool:
    deletion, insertion = one.deletion_gain_interval, one.insertion_gain_interval
    return deletion is not None and insertion is not None and deletion[1] < 0 < insertion[0]


def _chart(value: AttributionChecks) -> Chart:
    methods = value.methods
    title = _finding(methods)
    ends = [say("head.low"), say("head.high")]
    header = [*_heads("method", "what", "deletionGain"), *ends, *_heads("insertionGain"), *ends, *_heads("allRandom")]
    rows = []
    for one in methods:
        row = [_name(one.method), say(f"evidence.attributions.formula.{one.method}")]
        for name in ("deletion_gain", "insertion_gain"):
            interval = getattr(one, f"{name}_interval") or (None, None)
            row += ["" if number is None else _signed(number) for number in (getattr(one, name), *interval)]
        rows.append([*row, "" if one.similarity is None else figure(one.similarity, 2)])
    return Chart(
        "attribution-checks",
        title,
        sentences(say("evidence.attributions.area"), say("evidence.attributions.qualityLook", images=counted(value))),
        _draw(methods, title),
        Table("", "", header, rows, left=2),
        is_wide=True,
    )


def _draw(methods: Sequence[MethodCheck], title: str) -> Drawing:
    width, left, gap, top = 640, 168, 40, 56
    panel, height = (width - left - gap - 16) / 2, _ROW * len(methods)
    with house_style():
        drawing = new_drawing(width, top + height + 40, title)
        for number, name in enumerate(("deletion", "insertion")):
            axes = add_axes(drawing, left + number * (panel + gap), top, panel, height)
            axes.axvline(0, color=MUTED, linewidth=1)
            for row, one in enumerate(methods):
                gain, interval = getattr(one, f"{name}_gain"), getattr(one, f"{name}_gain_interval")
                if interval is not None:
                    axes.plot(interval, [row, row], color=ACCENT, linewidth=8, alpha=0.35, solid_capstyle="butt")
                axes.plot([gain], [row], "o", color=ACCENT, markersize=7, markeredgewidth=0)
            axes.set_ylim(len(methods) - 0.5, -0.5)
            axes.margins(x=0.12)
            axes.set_yticks(range(len(methods)), [_name(one.method) for one in methods] if number == 0 else [])
            axes.tick_params(axis="y", length=0, labelcolor=INK, labelleft=number == 0)
            set_ticks(axes.xaxis, 4, lambda place, _: _signed(place, 2))
            axes.grid(axis="x")
            axes.spines[:].set_visible(False)
            write(axes, say(f"evidence.attributions.panel.{name}"), (0, 1), (0, 6), MUTED, va="baseline")
    assert width <= 2 * CHART_WIDTH
    return drawing


def _signed(value: float, digits: int = 3) -> Figure:
    return signed(value, digits) if round(value, digits) else figure(0, 0)
