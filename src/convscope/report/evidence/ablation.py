"""What a run loses without its parts, as a section of the page: filters, parts of the images, parts of the design."""

from collections.abc import Callable, Sequence

import numpy as np
from msgspec import UNSET
from numpy.typing import NDArray

from convscope.base.tables import clip
from convscope.evidence.ablation import (
    Ablation,
    FilterAblation,
    InputAblation,
    LeftOut,
    Marking,
)
from convscope.experiment.ablation import AblationRecord
from convscope.experiment.architectures import ArchitectureAblation
from convscope.report.ablation_chart import draw_ablation, draw_class_changes, lesions_by_layer, main_replacement
from convscope.report.evidence.ablation_charts import draw_architectures, draw_inputs
from convscope.report.evidence.section import Chart, Section, Table
from convscope.report.findings import ablation_finding, between, counted, percent, points
from convscope.texts import Said, alike, below, figure, known, listed, say, sentences

_WIDEST_NAME = 12
_MOST_ROWS = 200
_MOST_TIMES = 1000  # multiply-adds of a variant, in a reason
_TOLERANCE = 0.01  # below what the loss surely stays, in the sentence that says how many filters can go


def ablation_section(value: AblationRecord) -> Section:
    """Return the section of whatever was measured of ablations."""
    parts = list[Table | Chart]()
    single, retrained = value.single, value.retrained
    if single is not None:
        parts += _filters(single) if single.filters else []
    if value.inputs is not UNSET:
        parts.append(_inputs(value.inputs))
    if retrained is not None:
        parts += _architectures(retrained)
    return Section(
        anchor="ablation",
        name=say("evidence.ablation.name"),
        shows=say("evidence.ablation.shows"),
        does_not_show=say("evidence.ablation.doesNotShow"),
        parts=parts,
    )


def _noun(value: Ablation) -> str:
    return "unit" if "Dense" in value.layer_kinds.values() else "filter"


def _measured(value: Ablation | InputAblation) -> Said:
    """Return on how many images something was measured."""
    return say("measured", images=counted(value))


def _significant(marking: Marking) -> Said:
    return say("evidence.ablation.significant", n=marking.num_significant, tests=marking.num_tests)


def _heads(*names: str) -> list[str]:
    return [say(f"evidence.ablation.head.{name}") for name in names]


def _ends() -> list[str]:
    return [say("head.low"), say("head.high")]


def _filters(value: Ablation) -> list[Table | Chart]:
    filters, noun, names = value.filters, _noun(value), value.class_names
    title, marking, by_class = ablation_finding(filters, noun), value.marking, value.marking_by_class
    left_out = value.num_filters_left_out
    chart = Chart(
        name="ablation",
        title=title,
        look=sentences(
            say(f"evidence.ablation.lookFew.{noun}"),
            _measured(value),
            say(f"evidence.ablation.untested.{noun}", n=left_out) if left_out else "",
            _significant(marking),
            say("evidence.ablation.false"),
        ),
        drawing=draw_ablation(filters, title),
        numbers=_lesion_numbers(value),
        is_wide=True,
    )
    is_significant = value.is_significant_by_class.unpack().astype(bool)
    finding = _class_finding(filters, is_significant, names, noun)
    luck = say(
        "evidence.ablation.byChance",
        chance=round(by_class.num_expected_by_luck),
        tests=by_class.num_tests,
        below=by_class.num_below,
        n=by_class.num_significant,
    )
    classes = Chart(
        name="ablation-classes",
        title=finding,
        look=sentences(
            say(f"evidence.ablation.lookColumns.{noun}"),
            luck,
            say("evidence.ablation.hundred", classes=len(names)) if len(names) > 100 else "",
        ),
        drawing=draw_class_changes(filters, is_significant, names, finding),
        numbers=_class_numbers(value, is_significant),
        is_wide=True,
    )
    return [chart, classes]


def _class_finding(
    filters: Sequence[FilterAblation], is_significant: NDArray[np.bool_], names: Sequence[str], noun: str
) -> str:
    """Return which filter's silence costs which class most, of those changes that are significant."""
    main = main_replacement(filters)
    rows = [row for row, one in enumerate(filters) if one.replacement == main]
    changes = np.array([filters[row].accuracy_change_by_class for row in rows])
    marked = np.where(is_significant[rows], changes, 0.0)
    row, label = np.unravel_index(int(marked.argmin()), marked.shape)
    if marked[row, label] >= 0:
        return say(f"evidence.ablation.classNone.{noun}")
    one, cost = filters[rows[int(row)]], figure(-100 * marked[row, label], 1)
    place = {"index": str(one.filter), "layer": one.layer}
    return say(f"evidence.ablation.classLoses.{noun}", name=clip(names[int(label)], _WIDEST_NAME), cost=cost, **place)


def _lesion_numbers(value: Ablation) -> Table:
    """Return each filter's change of accuracy in points with its interval, and the class that it changes most."""
    kinds = list(dict.fromkeys(lesion.replacement for lesion in value.filters))
    header: list[str] = [say("head.layer"), say(f"noun.{_noun(value)}")]
    for kind in kinds:
        header += [*_heads(kind), *_ends(), *_heads("significant", "largest", "inClass")]
    rows = list[list[str]]()
    for layer, group in lesions_by_layer(value.filters).items():
        for lesions in group:
            row = [layer, f"{next(iter(lesions.values())).filter}"]
            for kind in kinds:
                lesion = lesions[kind]
                by_class = lesion.accuracy_change_by_class
                most = max(range(len(by_class)), key=lambda label: abs(by_class[label]))
                row += [points(lesion.accuracy_change), *map(points, lesion.interval)]
                row.append(say("yes") if lesion.is_significant else "")
                name = clip(value.class_names[most], _WIDEST_NAME)
                row += [name, points(by_class[most])] if by_class[most] else ["", ""]
            rows.append(row)
    return Table("", "", header, rows)


def _class_numbers(value: Ablation, is_significant: NDArray[np.bool_]) -> Table:
    """Return the changes by class that are significant, the largest first."""
    intervals, names = value.interval_by_class.unpack(), value.class_names
    found = [(value.filters[lesion], int(lesion), int(label)) for lesion, label in np.argwhere(is_significant)]
    found.sort(key=lambda one: -abs(one[0].accuracy_change_by_class[one[2]]))
    rows = [
        [
            clip(names[label], _WIDEST_NAME),
            one.layer,
            say(f"evidence.ablation.by.{one.replacement}"),
            f"{one.filter}",
            points(one.accuracy_change_by_class[label]),
            *(points(float(end)) for end in intervals[lesion, label]),
        ]
        for one, lesion, label in found[:_MOST_ROWS]
    ]
    header = [say("head.class"), say("head.layer"), *_heads("replaced"), say(f"noun.{_noun(value)}"), *_heads("points")]
    nothing = [say("evidence.ablation.noChange"), *[""] * 6]
    return Table("", "", [*header, *_ends()], rows or [nothing], left=3)


def _place(kind: str, place: Sequence[int]) -> str:
    """Return where an ablation is, as `place_text` does."""
    if kind in ("border", "resolution"):
        return say(f"evidence.ablation.place.{kind}", n=str(place[0]))
    top, left, height, width = map(str, place)
    return say("evidence.ablation.place.window", size=f"{height} × {width}", row=top, column=left)


def _inputs(value: InputAblation) -> Chart:
    windows = [one for one in value.ablations if one.kind == "window"]
    missed = [one for one in windows if one.is_significant and one.accuracy_change < 0]
    title = say("evidence.ablation.windowNone", n=len(windows))
    if missed:
        worst = min(missed, key=lambda one: one.accuracy_change)
        where, cost = _place("window", worst.place), figure(-100 * worst.accuracy_change, 1)
        title = say("evidence.ablation.windowMost", place=where, cost=cost)
    marking = value.marking
    background = ", ".join(map(str, value.background))
    rows = [
        [
            known("evidence.ablation.kind", one.kind),
            _place(one.kind, one.place),
            points(one.accuracy_change),
            *map(points, one.interval),
            say("yes") if one.is_significant else "",
        ]
        for one in value.ablations
    ]
    header = [*_heads("removed", "where", "points"), *_ends(), *_heads("significant")]
    return Chart(
        name="ablation-inputs",
        title=title,
        look=sentences(
            say("evidence.ablation.regions", background=background), _measured(value), _significant(marking)
        ),
        drawing=draw_inputs(value, title),
        numbers=Table("", "", header, rows, left=2),
        is_wide=True,
    )


def _architectures(value: ArchitectureAblation) -> list[Table | Chart]:
    whole, *others = value.architectures
    runs = value.architecture_runs
    counts = {verdict: sum(one.verdict == verdict for one in others) for verdict in ("worse", "better")}
    title = say("evidence.ablation.variants.worse", n=counts["worse"], variants=len(others), better=counts["better"])
    look = say(
        "evidence.ablation.variants.look",
        n=len(runs.seeds),
        recipe=clip(runs.recipe, 18),
        images=say(f"counted.{runs.split}", n=runs.num_images),
    )
    chart = Chart(
        name="ablation-architectures",
        title=title,
        look=look,
        drawing=draw_architectures(value.architectures, runs.num_images, title),
        is_wide=True,
    )
    rows = [
        [
            _variant(one.name),
            known("evidence.ablation.changed", one.change),
            percent(one.mean),
            _interval(one.interval, percent),
            "" if one is whole else points(one.difference),
            "" if one is whole else _interval(one.difference_interval, points),
            "" if one is whole else known("evidence.ablation.verdict", one.verdict),
            f"{one.parameters:,}",
            f"{one.macs:,}",
            f"{one.num_images:,}",
            f"{one.seconds:.1f}",
        ]
        for one in value.architectures
    ]
    interval = say("head.interval")
    header = [*_heads("variant", "change"), say("head.accuracy"), interval, *_heads("points"), interval]
    header += [*_heads("verdict"), *(say(f"head.{name}") for name in ("parameters", "macs", "images"))]
    header += _heads("seconds")
    left_out = listed([_left_out(one) for one in runs.left_out], "semicolon")
    table = Table(
        title=say("evidence.ablation.variants.title", architecture=clip(runs.architecture, 18)),
        look=sentences(say("evidence.ablation.variants.same"), say("leftOut", names=left_out) if left_out else ""),
        header=header,
        rows=rows,
        left=2,
    )
    return [chart, table]


def _interval(interval: Sequence[float] | None, text: Callable[[float], str]) -> str:
    return "" if interval is None else between(interval, text)


def _variant(name: str) -> str:
    return known("evidence.ablation.variant", name)


def _left_out(one: LeftOut) -> Said:
    reasons = [say("evidence.ablation.identical", name=_variant(other)) for other in below("evidence.ablation.variant")]
    reasons += [say("evidence.ablation.needsTimes", times=str(times)) for times in range(2, _MOST_TIMES)]
    why = alike(one.reason, [*reasons, known("evidence.ablation.reasons", one.reason)])
    return say("evidence.ablation.reason", name=_variant(one.name), reason=why)
