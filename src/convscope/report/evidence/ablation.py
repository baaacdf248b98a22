"""The section on ablation: how much accuracy a run loses without a filter, or without a part of its design."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from convscope.base.tables import clip
from convscope.evidence.ablation import Ablation, FilterAblation, LeftOut
from convscope.experiment.ablation import AblationRecord
from convscope.experiment.architectures import ArchitectureAblation
from convscope.report.ablation_chart import ablations_by_layer, draw_ablation, draw_architectures, main_replacement
from convscope.report.evidence.section import Chart, Section, Table, heads, topic_section
from convscope.report.findings import ablation_finding, between, count_images, percent, points
from convscope.report.layer_names import name_kinds
from convscope.texts import Sentence, figure, find_text, get_texts, join_sentences, join_texts, say, translate_name

_WIDEST_NAME = 12  # columns of a class's name
_MAX_ROWS = 20  # the largest changes by class
_MAX_TIMES = 1000  # a reason such as "it needs 3 times the multiply-adds of the network" is known up to this number


def ablation_section(value: AblationRecord) -> Section:
    """Make the section of the ablations that were measured."""
    parts = list[Table | Chart]()
    if value.single is not None and value.single.filters:
        parts += _filters(value.single)
    if value.retrained is not None:
        parts += _architectures(value.retrained)
    return topic_section("ablation", parts)


def _noun(value: Ablation) -> str:
    return "unit" if "Dense" in value.layer_kinds.values() else "filter"


def _filters(value: Ablation) -> list[Table | Chart]:
    filters, noun, marking = value.filters, _noun(value), value.marking
    names = name_kinds(value.layer_kinds)
    title = ablation_finding(filters, noun, names)
    left_out = value.num_filters_left_out
    look = join_sentences(
        say(f"evidence.ablation.lookFew.{noun}"),
        say("measured", images=count_images(value)),
        say(f"evidence.ablation.untested.{noun}", n=left_out) if left_out else "",
        say("evidence.ablation.significant", n=marking.num_significant, tests=marking.num_tests),
        say("evidence.ablation.false"),
    )
    drawing = draw_ablation(filters, title, names)
    chart = Chart("ablation", title, look, drawing, _ablation_numbers(value, names), is_wide=True)
    return [chart, _classes(value, names)]


def _class_finding(
    filters: Sequence[FilterAblation],
    is_significant: NDArray[np.bool_],
    names: Sequence[str],
    noun: str,
    layers: Mapping[str, str],
) -> str:
    """Say which filter's ablation costs a class the most accuracy, among the significant changes.

    Args:
        is_significant: (F, K), for each ablation and class.
        layers: the layers' names in words.
    """
    main = main_replacement(filters)
    indices = [index for index, ablation in enumerate(filters) if ablation.replacement == main]
    changes = np.array([filters[index].accuracy_change_by_class for index in indices])  # (indices, K)
    # A change that is not significant counts as none.
    significant_changes = np.where(is_significant[indices], changes, 0.0)
    row, label = np.unravel_index(int(significant_changes.argmin()), significant_changes.shape)
    if significant_changes[row, label] >= 0:
        return say(f"evidence.ablation.classNone.{noun}")
    worst, cost = filters[indices[int(row)]], figure(-100 * significant_changes[row, label], 1)
    name, layer = clip(names[int(label)], _WIDEST_NAME), layers[worst.layer]
    return say(f"evidence.ablation.classLoses.{noun}", name=name, cost=cost, index=str(worst.filter), layer=layer)


def _classes(value: Ablation, layers: Mapping[str, str]) -> Table:
    """Make the table of the significant changes by class, the largest first.

    class | layer         | replaced by | filter | points | low   | high
    7     | Convolution 1 | zero        | 3      | -6.10  | -7.80 | -4.60
    """
    # (F, K) and (F, K, 2): a row for each ablation, that is for each filter and replacement.
    is_significant, names = value.is_significant_by_class.unpack().astype(bool), value.class_names
    intervals, noun, marking = value.interval_by_class.unpack(), _noun(value), value.marking_by_class
    changes = [(value.filters[index], int(index), int(label)) for index, label in np.argwhere(is_significant)]
    # The largest change of a class first, gains among them.
    changes.sort(key=lambda change: -abs(change[0].accuracy_change_by_class[change[2]]))
    rows = [
        [
            clip(names[label], _WIDEST_NAME),
            layers[ablation.layer],
            say(f"evidence.ablation.by.{ablation.replacement}"),
            f"{ablation.filter}",
            points(ablation.accuracy_change_by_class[label]),
            *(points(float(end)) for end in intervals[index, label]),
        ]
        for ablation, index, label in changes[:_MAX_ROWS]
    ]
    look = say(
        "evidence.ablation.byChance",
        chance=round(marking.num_expected_by_luck),
        tests=marking.num_tests,
        below=marking.num_below,
        n=marking.num_significant,
    )
    header = heads("ablation", "class", "layer", "replaced", "points", "low", "high")
    # The fourth column: its head is "filter" or "unit".
    header.insert(3, say(f"noun.{noun}"))
    nothing = [say("evidence.ablation.noChange"), *[""] * 6]
    finding = _class_finding(value.filters, is_significant, names, noun, layers)
    return Table(finding, look, header, rows or [nothing], left=3)


def _ablation_numbers(value: Ablation, names: Mapping[str, str]) -> Table:
    """Make the table of each filter's change of accuracy, in points, and of the class that it changes most.

    Each replacement, zero and mean, has the six columns from "zero" on:

    layer         | filter | zero  | low   | high  | significant | largest | in class | mean | ...
    Convolution 1 | 3      | -1.20 | -1.50 | -0.92 | yes         | 7       | -6.10    |
    """
    kinds = list(dict.fromkeys(ablation.replacement for ablation in value.filters))
    header: list[str] = [say("head.layer"), say(f"noun.{_noun(value)}")]
    for kind in kinds:
        header += heads("ablation", kind, "low", "high", "significant", "largest", "inClass")
    rows = list[list[str]]()
    for layer, group in ablations_by_layer(value.filters).items():
        for ablations in group:
            row = [names[layer], f"{next(iter(ablations.values())).filter}"]
            for kind in kinds:
                ablation = ablations[kind]
                by_class = ablation.accuracy_change_by_class
                label_of_largest = max(range(len(by_class)), key=lambda label: abs(by_class[label]))
                row += [points(ablation.accuracy_change), *map(points, ablation.interval)]
                row.append(say("yes") if ablation.is_significant else "")
                name = clip(value.class_names[label_of_largest], _WIDEST_NAME)
                row += [name, points(by_class[label_of_largest])] if by_class[label_of_largest] else ["", ""]
            rows.append(row)
    return Table("", "", header, rows)


def _architectures(value: ArchitectureAblation) -> list[Table | Chart]:
    whole, *others = value.architectures
    runs = value.architecture_runs
    counts = {verdict: sum(variant.verdict == verdict for variant in others) for verdict in ("worse", "better")}
    title = say("evidence.ablation.variants.worse", n=counts["worse"], variants=len(others), better=counts["better"])
    images, recipe = say(f"counted.{runs.split}", n=runs.num_images), clip(runs.recipe, 18)
    look: str = say("evidence.ablation.variants.look", n=len(runs.seeds), recipe=recipe, images=images)
    drawing = draw_architectures(value.architectures, runs.num_images, title)
    chart = Chart("ablation-architectures", title, look, drawing, is_wide=True)
    rows = [
        [
            _variant(architecture.name),
            translate_name("evidence.ablation.changed", architecture.change),
            percent(architecture.mean),
            _interval(architecture.interval, percent),
            "" if architecture is whole else points(architecture.difference),
            "" if architecture is whole else _interval(architecture.difference_interval, points),
            "" if architecture is whole else translate_name("evidence.ablation.verdict", architecture.verdict),
            f"{architecture.parameters:,}",
            f"{architecture.macs:,}",
            f"{architecture.num_images:,}",
            f"{architecture.seconds:.1f}",
        ]
        for architecture in value.architectures
    ]
    header = heads("ablation", "variant", "change", "accuracy", "interval", "points", "interval", "verdict")
    header += heads("ablation", "parameters", "macs", "images", "seconds")
    left_out = join_texts([_format_left_out(variant) for variant in runs.left_out], "semicolon")
    title = say("evidence.ablation.variants.title", architecture=clip(runs.architecture, 18))
    look = join_sentences(say("evidence.ablation.variants.same"), say("leftOut", names=left_out) if left_out else "")
    return [chart, Table(title, look, header, rows, left=2)]


def _interval(interval: Sequence[float] | None, text: Callable[[float], str]) -> str:
    return "" if interval is None else between(interval, text)


def _variant(name: str) -> str:
    return translate_name("evidence.ablation.variant", name)


def _format_left_out(left_out: LeftOut) -> Sentence:
    reasons = [
        say("evidence.ablation.identical", name=_variant(variant)) for variant in get_texts("evidence.ablation.variant")
    ]
    # The record has the reason as an English text. To find its key, every text that it may be is written: each name and
    # each number is filled in, and the one that is equal has the key.
    reasons += [say("evidence.ablation.needsTimes", times=str(times)) for times in range(2, _MAX_TIMES)]
    why = find_text(left_out.reason, [*reasons, translate_name("evidence.ablation.reasons", left_out.reason)])
    return say("evidence.ablation.reason", name=_variant(left_out.name), reason=why)
