"""The section on images of no class: what the model answers to out-of-distribution images, and which of them it
refuses."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from convscope.base.packing import unpack
from convscope.base.tables import clip, display_width
from convscope.report.evidence.section import Card, Chart, Gallery, Section, Table
from convscope.report.findings import confidence_text, percent
from convscope.report.pixels import image_pixels
from convscope.report.style import ACCENT, HAIRLINE, INK, MUTED, WARM, Drawing, add_axes, house_style, new_drawing
from convscope.report.texts import say

_WIDTH, _ROW, _BAND = 560, 44, 32  # pixels: of the chart, from one row to the next, and of a histogram
_TOP, _BOTTOM, _RIGHT = 64, 40, 120
_NAME = 20  # columns of a set's name
_COLUMNS = 8  # pictures in a row, at most
_CLASS = 14  # columns of a class's name
_MINUS = "\N{MINUS SIGN}"


def rejection_section(value: Mapping[str, Any]) -> Section:
    """Return the section of what `Rejection.to_dict()` gave."""
    return Section(
        anchor="rejection",
        main=1,
        name=say("evidence.rejection.name"),
        shows=say("evidence.rejection.shows"),
        does_not_show=say("evidence.rejection.doesNotShow"),
        parts=(_out_of_distribution(value), _refused(value), _separation(value), *_rules(value), *_costs(value)),
    )


def _out_of_distribution(value: Mapping[str, Any]) -> Gallery:
    names, cards, through = value["class_names"], list[Card](), list[tuple[float, str, str]]()
    for one in value["out_of_distribution"]:
        shown = one["examples"]
        answers = zip(shown["answers"], shown["probabilities"], shown["refused"], strict=True)
        for image, (answer, probability, refused) in zip(unpack(shown["images"]), answers, strict=True):
            taken_for = clip(names[answer], _CLASS)
            lines = (f"{taken_for}, {confidence_text(probability)}", clip(one["name"], _NAME), _verdict(refused))
            cards.append(Card(image_pixels(image), lines))
            if not refused:
                through.append((probability, one["name"], taken_for))
    title = "All of these out-of-distribution images are refused"
    if through:
        probability, name, answer = max(through)
        title = (
            f"Confident and wrong: an image of the set {clip(name, _NAME)} is predicted as {answer} "
            f"(confidence {confidence_text(probability)})"
        )
    each = max(len(one["examples"]["answers"]) for one in value["out_of_distribution"])
    look = "The prediction is below each image. Each set is ordered by score, from the most to the least like a class."
    return Gallery(title, look, cards, columns=each * max(1, _COLUMNS // each))


def _refused(value: Mapping[str, Any]) -> Table:
    rule, known, names = value["rules"][0], value["known"], value["class_names"]
    right = known["right"][rule["name"]]
    shares = [
        ("classified correctly", right),
        ("classified wrongly", known["wrong"][rule["name"]]),
        *((one["name"], one["right"][rule["name"]]) for one in value["altered"]),
    ]
    rows: list[tuple[str, ...]] = [
        (name, f"{share['total']:,}", *_share(share), "", "", "", "") for name, share in shares
    ]
    for one in value["out_of_distribution"]:
        counts = (one["num_sure"], one["num_sure_answered"])
        answer = f"{clip(names[one['answer']], _CLASS)}, {percent(one['num_answer'] / one['num_images'], 0)}"
        cells = (confidence_text(one["mean_probability"]), *(percent(count / one["num_images"], 1) for count in counts))
        rows.append(
            (clip(one["name"], _NAME), f"{one['num_images']:,}", *_share(one["rules"][0]["refused"]), *cells, answer)
        )
    hardest = min(value["out_of_distribution"], key=lambda one: one["rules"][0]["refused"]["value"])
    title = say(
        "evidence.rejection.hardest",
        name=clip(hardest["name"], _NAME),
        refused=percent(hardest["rules"][0]["refused"]["value"], 1),
        right=percent(right["value"]),
    )
    header = (
        "Images", "Number", "Refused", "95 % interval", "Mean probability", "Confidence at least 99 %",
        "of these, accepted", "Most frequent",
    )  # fmt: skip
    return Table(title, _refused_look(value), header, rows)


def _refused_look(value: Mapping[str, Any]) -> str:
    """Return what the table says beside its numbers: thresholds, costs, probabilities, clusters and what is missing."""
    rule, right = value["rules"][0], value["known"]["right"]
    sentences = [
        f"The thresholds accept {percent(rule['num_kept'] / rule['num_held_out'], 1)} of {rule['num_held_out']:,} "
        "held-out training images."
    ]
    altered = [(one["right"][rule["name"]]["value"], one["name"]) for one in value["altered"]]
    if altered and max(altered)[0] > right[rule["name"]]["value"]:
        cost, name = max(altered)
        sentences.append(
            f"This holds for images like those in training. Of correctly classified test images {name}, "
            f"{percent(cost, 1)} are refused."
        )
    at = (
        "uncalibrated (no temperature)"
        if value["temperature"] is None
        else f"calibrated with temperature {value['temperature']:.3g}"
    )
    sentences.append(f"Probabilities are {at}, as in `convscope predict`.")
    clustered = [one for one in value["out_of_distribution"] if one["num_clusters"] is not None]
    if clustered:
        groups = ", ".join(f"{one['name']} in {one['num_clusters']} {one['clustered_by']}" for one in clustered)
        sentences.append(f"The intervals treat similar images as clusters: {groups}.")
    return " ".join([*sentences, _left_out(value)]).strip()


def _separation(value: Mapping[str, Any]) -> Chart:
    nearest = min(value["out_of_distribution"], key=lambda one: one["rules"][0]["auroc"])
    area = percent(nearest["rules"][0]["auroc"], 1)
    title = (
        f"Hardest to separate: {clip(nearest['name'], _NAME)}, with a lower score than a test image in {area} of pairs"
    )
    titles = {rule["name"]: rule["title"] for rule in value["rules"]}
    rows = [
        (
            clip(one["name"], _NAME),
            titles[result["rule"]],
            percent(result["refused"]["value"]),
            f"{result['auroc']:.4f}",
            f"{result['auroc_interval'][0]:.4f} to {result['auroc_interval'][1]:.4f}",
            percent(result["false_positive_rate"]),
        )
        for one in value["out_of_distribution"]
        for result in one["rules"]
    ]
    numbers = Table(
        "All rules on all sets",
        "FPR at 95 %: the share of these images accepted when 95 % of the test images are accepted.",
        ("Images", "Scores", "Refused", "AUROC", "95 % interval", "FPR at 95 %"),
        rows,
        left=2,
    )
    look = "Orange: below the threshold, refused. Each row has its own vertical scale."
    return Chart("rejection-scores", title, look, draw_scores(value, title), numbers, is_wide=True)


def _rules(value: Mapping[str, Any]) -> tuple[Table, ...]:
    """Return the table of all rules, where there are several."""
    rules, known = value["rules"], value["known"]
    if len(rules) == 1:
        return ()
    header = ("Refused", *(rule["title"] for rule in rules))
    shares = [
        ("classified correctly", known["right"]),
        ("classified wrongly", known["wrong"]),
        *((one["name"], one["right"]) for one in value["altered"]),
    ]
    rows = [(name, *(percent(by_rule[rule["name"]]["value"]) for rule in rules)) for name, by_rule in shares]
    for one in value["out_of_distribution"]:
        rows.append((clip(one["name"], _NAME), *(percent(result["refused"]["value"]) for result in one["rules"])))
    rows.append(("synthetic OOD images, mean", *(percent(rule["mean_made_up"]) for rule in rules)))
    outdone = sum(
        max(result["refused"]["value"] for result in one["rules"]) > one["rules"][0]["refused"]["value"]
        for one in value["out_of_distribution"]
    )
    title = (
        f"Chosen rule: {rules[0]['title']}; on {outdone} of {len(value['out_of_distribution'])} sets another rule "
        "refuses more"
    )
    look = (
        "The first column is the chosen rule. It refuses the most synthetic out-of-distribution images, which are made "
        "from held-out training images (last row). The sets above were not used for the choice."
    )
    return (Table(title, look, header, rows),)


def _costs(value: Mapping[str, Any]) -> tuple[Gallery, ...]:
    """Return test images that are refused, where there are any."""
    rule, known, names = value["rules"][0]["name"], value["known"], value["class_names"]
    right, wrong, shown = known["right"][rule], known["wrong"][rule], known["refused"]
    if not shown["answers"]:
        return ()
    cards = []
    columns = ("answers", "labels", "probabilities", "indices")
    for image, answer, label, probability, index in zip(
        unpack(shown["images"]), *(shown[column] for column in columns), strict=True
    ):
        truth = "right" if answer == label else f"truth: {clip(names[label], _CLASS)}"
        lines = (f"{clip(names[answer], _CLASS)}, {confidence_text(probability)}", truth)
        cards.append(Card(image_pixels(image), lines, value["split"], index))
    title = f"The rule refuses {right['count']:,} of {right['total']:,} correctly classified images"
    if wrong["total"]:
        title += f" and {wrong['count']:,} of {wrong['total']:,} wrongly classified ones"
    answered = known["right_among_answered"][rule]
    look = f"Some of the refused {value['split']} images, from the highest to the lowest score."
    if answered["total"]:
        look += f" Accuracy on the accepted images is {percent(answered['value'])}."
    return (Gallery(title, look, cards),)


def draw_scores(value: Mapping[str, Any], title: str = "") -> Drawing:
    """Draw how the chosen rule's score spreads over the test images and each set of out-of-distribution images, about
    the threshold."""
    rule, known = value["rules"][0], value["known"]
    edges = np.array(value["edges"])
    refused = sum(known[answered][rule["name"]]["count"] for answered in ("right", "wrong"))
    rows = [(f"{value['split']} images", known["histogram"], refused / value["num_images"])]
    rows += [
        (one["name"], one["histogram"], one["rules"][0]["refused"]["value"]) for one in value["out_of_distribution"]
    ]
    left = 24 + round(7.6 * max(display_width(clip(name, _NAME)) for name, _, _ in rows))
    with house_style():
        drawing = new_drawing(_WIDTH, _TOP + _ROW * len(rows) + _BOTTOM, title)
        for number, (name, histogram, share) in enumerate(rows):
            axes = add_axes(drawing, left, _TOP + number * _ROW, _WIDTH - left - _RIGHT, _BAND)
            _draw_histogram(axes, edges, np.array(histogram), MUTED if number else ACCENT)
            beside = {"xycoords": "axes fraction", "textcoords": "offset points", "va": "center", "color": INK}
            axes.annotate(clip(name, _NAME), (0, 0.5), (-12, 0), ha="right", **beside)
            axes.annotate(f"{100 * share:.1f} % refused", (1, 0.5), (12, 0), **beside)
            if number == 0:
                above = {"xycoords": ("data", "axes fraction"), "textcoords": "offset points", "ha": "center"}
                axes.annotate("threshold", (0, 1), (0, 10), color=MUTED, **above)
        axes.tick_params(axis="x", length=4, pad=4)  # of the last row, for all
        ticks = [tick for tick in MaxNLocator(4).tick_values(edges[0], edges[-1]) if edges[0] <= tick <= edges[-1]]
        axes.set_xticks(ticks, [f"{tick:.4g}".replace("-", _MINUS) for tick in ticks])
        axes.set_xlabel("lowest of the scores; 1 is the median of the held-out images", loc="left")
    return drawing


def _draw_histogram(axes: Any, edges: NDArray[Any], counts: NDArray[Any], colour: str) -> None:
    """Draw counts (B,) between edges (B + 1,), of which the threshold, 0, is one, as a line and two areas about it."""
    places, heights = np.repeat(edges, 2)[1:-1], np.repeat(counts / max(counts.max(), 1), 2)
    split = 2 * int(np.searchsorted(edges, 0.0))
    axes.fill_between(places[:split], heights[:split], color=WARM, linewidth=0)
    axes.fill_between(places[split:], heights[split:], color=colour, linewidth=0)
    axes.axvline(0, color=INK, linewidth=1)
    axes.axhline(0, color=HAIRLINE, linewidth=1)
    axes.set_xlim(edges[0], edges[-1])
    axes.set_ylim(0, 1.04)
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set_visible(False)


def _share(share: Mapping[str, Any]) -> tuple[str, str]:
    if not share["total"]:
        return "", ""
    low, high = share["interval"]
    return percent(share["value"]), f"{percent(low)} to {percent(high)}"


def _left_out(value: Mapping[str, Any]) -> str:
    return " ".join(f"Left out: {name}; {why}." for name, why in value["left_out"].items())


def _verdict(refused: bool) -> str:
    return "refused" if refused else "let through"
