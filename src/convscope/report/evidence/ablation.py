"""What a run loses without its parts, as a section of the page: filters, parts of the images, parts of the design."""

from typing import Any

import numpy as np

from convscope.base.packing import unpack
from convscope.base.tables import clip
from convscope.evidence.ablation.inputs import place_text
from convscope.report.ablation_chart import draw_ablation, draw_class_changes, lesions_by_layer, main_replacement
from convscope.report.evidence.ablation_charts import draw_architectures, draw_inputs, draw_removal
from convscope.report.evidence.section import Chart, Section, Table
from convscope.report.findings import ablation_finding, percent, points
from convscope.report.texts import say

_WIDEST_NAME = 12
_MOST_ROWS = 200
_TOLERANCE = 0.01  # below what the loss surely stays, in the sentence that says how many filters can go

Value = dict[str, Any]


def ablation_section(value: Value) -> Section:
    """Return the section of ablation.json, of whatever was measured of it.

    It holds `Ablation.to_dict()`, `Removal.to_dict()` as `removal`, `InputAblation.to_dict()` as `inputs`, and
    `ArchitectureAblation.to_dict()`, each where it was measured.
    """
    parts = list[Table | Chart]()
    if value.get("filters"):
        parts += _filters(value)
    if "redundancy" in value:
        parts += _redundancy(value["redundancy"], _noun(value))
    if "removal" in value:
        parts += _removal(value["removal"])
    if "inputs" in value:
        parts.append(_inputs(value["inputs"]))
    if "architectures" in value:
        parts += _architectures(value)
    return Section(
        anchor="ablation",
        name=say("evidence.ablation.name"),
        shows=say("evidence.ablation.shows"),
        does_not_show=say("evidence.ablation.doesNotShow"),
        parts=parts,
    )


def _noun(value: Value) -> str:
    return "unit" if "Dense" in value.get("layer_kinds", {}).values() else "filter"


def _measured(value: Value) -> str:
    """Return on how many images something was measured."""
    left_out = value["num_images_left_out"]
    rest = f", sampled evenly from {value['num_images'] + left_out:,}" if left_out else ""
    return f"Measured on {value['num_images']:,} {value['split']} images{rest}."


def _filters(value: Value) -> list[Table | Chart]:
    filters, noun, names = value["filters"], _noun(value), value["class_names"]
    title, marking, by_class = ablation_finding(filters, noun), value["marking"], value["marking_by_class"]
    left_out = value["num_filters_left_out"]
    part = f" {left_out:,} {noun}s, evenly spread, were not tested." if left_out else ""
    chart = Chart(
        name="ablation",
        title=title,
        look=f"Look for the few {noun}s whose removal lowers accuracy. "
        f"{_measured(value)}{part} {marking['num_significant']:,} of {marking['num_tests']:,} changes are "
        "statistically significant; at most one in twenty of these is expected to be a false positive. Each interval "
        f"is for a single {noun}; the largest of many losses tends to be overestimated.",
        drawing=draw_ablation(filters, title),
        numbers=_lesion_numbers(value),
        is_wide=True,
    )
    is_significant = unpack(value["is_significant_by_class"]).astype(bool)
    finding = _class_finding(filters, is_significant, names, noun)
    shown = f" The 100 of {len(names):,} classes that change most are drawn." if len(names) > 100 else ""
    classes = Chart(
        name="ablation-classes",
        title=finding,
        look=f"Look for columns with one dark square: a {noun} that a single class depends on. The {noun}s are in the "
        f"order of the chart above. By chance, up to {by_class['num_expected_by_luck']:,.0f} of "
        f"{by_class['num_tests']:,} changes would have p < 0.05; {by_class['num_below']:,} do, and "
        f"{by_class['num_significant']:,} remain significant after the correction for many tests.{shown}",
        drawing=draw_class_changes(filters, is_significant, names, finding),
        numbers=_class_numbers(value, is_significant),
        is_wide=True,
    )
    return [chart, classes]


def _class_finding(filters: list[Value], is_significant: Any, names: list[str], noun: str) -> str:
    """Return which filter's silence costs which class most, of those changes that are significant."""
    main = main_replacement(filters)
    rows = [row for row, one in enumerate(filters) if one["replacement"] == main]
    changes = np.array([filters[row]["accuracy_change_by_class"] for row in rows])
    marked = np.where(is_significant[rows], changes, 0.0)
    row, label = np.unravel_index(int(marked.argmin()), marked.shape)
    if marked[row, label] >= 0:
        return f"Removing a single {noun} lowers the recall of no class significantly"
    one = filters[rows[int(row)]]
    cost = f"{-100 * marked[row, label]:.1f}\N{NO-BREAK SPACE}points"
    return (
        f"Class {clip(names[int(label)], _WIDEST_NAME)} loses {cost} without {noun} {one['filter']} of {one['layer']}"
    )


def _lesion_numbers(value: Value) -> Table:
    """Return each filter's change of accuracy in points with its interval, and the class that it changes most."""
    kinds = list(dict.fromkeys(lesion["replacement"] for lesion in value["filters"]))
    header = ["Layer", _noun(value).capitalize()]
    for kind in kinds:
        silent = "Set to zero, points" if kind == "zero" else "Replaced by its mean, points"
        header += [silent, "low", "high", "significant", "largest change in class", "points in class"]
    rows = list[list[str]]()
    for layer, group in lesions_by_layer(value["filters"]).items():
        for lesions in group:
            row = [layer, f"{next(iter(lesions.values()))['filter']}"]
            for kind in kinds:
                lesion = lesions[kind]
                by_class = lesion["accuracy_change_by_class"]
                most = max(range(len(by_class)), key=lambda label: abs(by_class[label]))
                row += [points(lesion["accuracy_change"]), *map(points, lesion["interval"])]
                row.append("yes" if lesion["is_significant"] else "")
                name = clip(value["class_names"][most], _WIDEST_NAME)
                row += [name, points(by_class[most])] if by_class[most] else ["", ""]
            rows.append(row)
    return Table("", "", header, rows)


def _class_numbers(value: Value, is_significant: Any) -> Table:
    """Return the changes by class that are significant, the largest first."""
    intervals, names = unpack(value["interval_by_class"]), value["class_names"]
    found = [(value["filters"][lesion], int(lesion), int(label)) for lesion, label in np.argwhere(is_significant)]
    found.sort(key=lambda one: -abs(one[0]["accuracy_change_by_class"][one[2]]))
    rows = [
        [
            clip(names[label], _WIDEST_NAME),
            one["layer"],
            f"by {one['replacement']}",
            f"{one['filter']}",
            points(one["accuracy_change_by_class"][label]),
            *(points(float(end)) for end in intervals[lesion, label]),
        ]
        for one, lesion, label in found[:_MOST_ROWS]
    ]
    header = ["Class", "Layer", "Replaced", _noun(value).capitalize(), "Points", "low", "high"]
    return Table("", "", header, rows or [["none", "", "", "", "", "", ""]], left=3)


def _redundancy(value: Value, noun: str) -> list[Table | Chart]:
    rows = [
        [
            pair["layer"],
            f"{pair['filters'][0]} and {pair['filters'][1]}",
            f"{pair['correlation']:.3f}",
            f"{pair['kernel_cosine']:.3f}",
        ]
        for pair in value["pairs"]
    ]
    layers = dict[str, list[str]]()
    for one in value["constant_filters"]:
        layers.setdefault(one["layer"], []).append(f"{one['filter']}")
    rows += [[layer, ", ".join(numbers), "never changes", ""] for layer, numbers in layers.items()]
    if not rows:
        return []
    silent = len(value["constant_filters"])
    count = value["num_pairs"]
    said = [f"{count:,} pair{'' if count == 1 else 's'} of {noun}s {'is' if count == 1 else 'are'} redundant"]
    said = said if count else []
    said += [f"{silent:,} {noun}{' never changes' if silent == 1 else 's never change'}"] if silent else []
    look = (
        "One filter of a redundant pair can usually be removed without a loss. A pair is redundant if the outputs have "
        f"a correlation of at least 0.99, or the kernels a cosine similarity of at least 0.999, on "
        f"{value['num_images']:,} images."
    )
    return [Table("; ".join(said), look, ["Layer", f"{noun.capitalize()}s", "Correlation", "Cosine"], rows, left=2)]


def _removal(value: Value) -> list[Table | Chart]:
    noun, curves, left_out = _noun(value), value["curves"], value["layers_left_out"]
    if not curves:
        title = f"Removing several {noun}s together was not measured"
        look = f"It would take too long in each layer that has {noun}s."
        return [Table(title, look, ["Layer"], [[layer] for layer in left_out])] if left_out else []
    title = _removal_finding(curves, noun)
    without = f" {', '.join(left_out)} would take too long." if left_out else ""
    chart = Chart(
        name="ablation-removal",
        title=title,
        look=f"The violet line shows how many {noun}s can be removed before accuracy falls. The importance of a {noun} "
        f"is the increase of the loss without it on {value['num_ranking_images']:,} training images. "
        f"{_measured(value)} The other orders ({value['num_orders']:,} random ones) were measured on "
        f"{value['num_control_images']:,} of these images.{without}",
        drawing=draw_removal(curves, title),
        numbers=_removal_numbers(curves),
        is_wide=True,
    )
    return [chart]


def _removal_finding(curves: list[Value], noun: str) -> str:
    """Return how many filters can go, the least important first, for a loss that is surely below a point."""
    main = "zero" if any(curve["replacement"] == "zero" for curve in curves) else "mean"
    curve = [one for one in curves if one["replacement"] == main][-1]
    intervals, accuracies = curve["least_important_first_change_interval"], curve["least_important_first"]
    place = 0
    while place + 1 < len(intervals) and intervals[place + 1][0] > -_TOLERANCE:
        place += 1
    whole = f"{curve['counts'][-1]:,} {noun}s" + (f" of {curve['layers'][0]}" if len(curve["layers"]) == 1 else "")
    shown = max(place, 1)
    low, high = (points(end) for end in intervals[shown])
    change = f"{points(accuracies[shown] - accuracies[0])} points, 95 % interval {low} to {high}"
    count = f"the {curve['counts'][shown]:,} least important of {whole}"
    if place == 0:
        return f"Removing {count} may cost a point of accuracy or more ({change})"
    return f"Removing {count} costs less than a point of accuracy ({change})"


def _removal_numbers(curves: list[Value]) -> Table:
    rows = [
        [
            curve["layers"][0] if len(curve["layers"]) == 1 else "all",
            f"by {curve['replacement']}",
            f"{count:,}",
            percent(curve["least_important_first"][place]),
            percent(curve["random_mean"][place]),
            *(percent(end) for end in curve["random_interval"][place]),
            percent(curve["most_important_first"][place]),
        ]
        for curve in curves
        for place, count in enumerate(curve["counts"])
    ]
    header = ["Layers", "Replaced", "Removed", "Least important", "Random", "low", "high", "Most important"]
    return Table("", "", header, rows, left=2)


def _inputs(value: Value) -> Chart:
    places = [one for one in value["ablations"] if one["kind"] in ("window", "row", "column", "quadrant")]
    windows = [one for one in places if one["kind"] == "window"]
    missed = [one for one in windows if one["is_significant"] and one["accuracy_change"] < 0]
    title = (
        f"None of the {len({tuple(one['place']) for one in windows}):,} windows has a significant effect on accuracy"
    )
    if missed:
        worst = min(missed, key=lambda one: one["accuracy_change"])
        where, cost = place_text("window", worst["place"]), -100 * worst["accuracy_change"]
        title = f"The window of {where} matters most: without it accuracy falls by {cost:.1f} points"
    marking = value["marking"]
    background = ", ".join(map(str, value["background"]))
    rows = [
        [
            one["kind"],
            place_text(one["kind"], one["place"]),
            one["fill"],
            points(one["accuracy_change"]),
            *map(points, one["interval"]),
            "yes" if one["is_significant"] else "",
        ]
        for one in value["ablations"]
    ]
    return Chart(
        name="ablation-inputs",
        title=title,
        look="Shows which regions of the image this network relies on; another network may differ. Removed regions are "
        f"filled with the background ({background}); to reduce resolution, each block is replaced by its mean. "
        f"{_measured(value)} {marking['num_significant']:,} of {marking['num_tests']:,} changes are statistically "
        "significant.",
        drawing=draw_inputs(value, title),
        numbers=Table("", "", ["Removed", "Where", "Filled", "Points", "low", "high", "significant"], rows, left=3),
        is_wide=True,
    )


def _architectures(value: Value) -> list[Table | Chart]:
    whole, *others = value["architectures"]
    runs = value["architecture_runs"]
    counts = {verdict: sum(one["verdict"] == verdict for one in others) for verdict in ("worse", "better")}
    title = (
        f"{counts['worse'] or 'None'} of {len(others)} variants {'is' if counts['worse'] <= 1 else 'are'} "
        f"significantly worse than the whole network, {counts['better'] or 'none'} better"
    )
    seeds = f"{len(runs['seeds'])} seed{'' if len(runs['seeds']) == 1 else 's'}"
    chart = Chart(
        name="ablation-architectures",
        title=title,
        look=f"Shows which parts of the architecture are unnecessary. Each variant was trained from the same {seeds} "
        f"with recipe {clip(runs['recipe'], 18)} and measured on {runs['num_images']:,} {runs['split']} images. A band "
        "is the 95 % interval of the mean over seeds and images. Orange: worse, blue: better, grey: not significantly "
        "different.",
        drawing=draw_architectures(value["architectures"], runs["num_images"], title),
        is_wide=True,
    )
    rows = [
        [
            one["name"],
            one["change"],
            percent(one["mean"]),
            _interval(one["interval"], percent),
            "" if one is whole else points(one["difference"]),
            "" if one is whole else _interval(one["difference_interval"], points),
            "" if one is whole else one["verdict"],
            f"{one['parameters']:,}",
            f"{one['macs']:,}",
            f"{one['num_images']:,}",
            f"{one['seconds']:.1f}",
        ]
        for one in value["architectures"]
    ]
    header = ["Variant", "Difference from the network", "Accuracy", "95 % interval", "Points", "95 % interval"]
    header += ["Verdict", "Parameters", "MACs", "Images", "Seconds"]
    left_out = "; ".join(f"{one['name']} ({one['reason']})" for one in runs["left_out"])
    look = "All variants use the same recipe, although another recipe might suit a variant better."
    table = Table(
        title=f"{clip(runs['architecture'], 18)} and its variants",
        look=look + (f" Left out: {left_out}." if left_out else ""),
        header=header,
        rows=rows,
        left=2,
    )
    return [chart, table]


def _interval(interval: list[float] | None, text: Any) -> str:
    return "" if interval is None else f"{text(interval[0])} to {text(interval[1])}"
