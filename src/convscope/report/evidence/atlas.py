"""The sections of an atlas: what hundreds or thousands of networks of one kind show together."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from convscope.base.tables import clip
from convscope.report.atlas_charts import draw_early, draw_misses, draw_spread
from convscope.report.evidence.section import Card, Chart, Gallery, Section, Table
from convscope.report.findings import percent
from convscope.report.pixels import Pixels

Picture = Callable[[int], Pixels]
"""Gives a test image by its index."""

_SHOWN = 48  # images in the gallery
_LISTED = 20  # and in the table


def atlas_sections(value: Mapping[str, Any], picture: Picture, class_names: Sequence[str]) -> list[Section]:
    """Return the sections of what `Atlas.to_dict()` holds."""
    sections = [_spread(value), _images(value, picture, class_names), _agreement(value), _power(value)]
    return [*sections, _early(value)] if value["early"] else sections


def atlas_finding(value: Mapping[str, Any]) -> str:
    """Return how far the networks lie apart, and how much of that is chance."""
    spread = value["spread"]
    low, high = percent(spread["minimum"]), percent(spread["maximum"])
    said = f"{value['num_runs']:,} networks reach {low} to {high}; they differ in the seed alone"
    carries = spread["carries_over"]
    if carries is None:
        return said
    return f"{said}. {percent(carries['value'], 0)} of a lead carries over to other images"


def _spread(value: Mapping[str, Any]) -> Section:
    spread, n = value["spread"], value["num_runs"]
    rows = [
        ["Mean", percent(spread["mean"], 3), _range(spread["mean_interval"], 3)],
        ["Standard deviation between seeds", _points(spread["sd"]), _range(spread["sd_interval"], 3)],
        ["The same if images were missed independently", _points(spread["sd_independent"]), ""],
        ["Standard deviation between test sets (binomial)", _points(spread["sd_binomial"]), ""],
        ["Skewness", f"{spread['skewness']:.2f}", f"± {1.96 * spread['skewness_error']:.2f} around 0"],
        ["Best network", percent(spread["maximum"]), ""],
        [f"Best of {n:,} expected by chance", percent(spread["expected_maximum"]), ""],
        ["Worst network", percent(spread["minimum"]), ""],
    ]
    if spread["halves"] is not None:
        rows += [
            ["Correlation of two halves of the test images", *_estimate(spread["halves"])],
            ["Share of a lead that carries over to other images", *_percent_estimate(spread["carries_over"])],
        ]
    histogram = Table(
        "", "", ["Accuracy", "Networks"],
        [[percent(one["accuracy"], 3), f"{one['count']:,}"] for one in value["histogram"]], left=0,
    )  # fmt: skip
    title = atlas_finding(value)
    chart = Chart(
        "atlas-spread",
        title,
        "The dashed curve is narrower where networks differ by more than chance on single images.",
        draw_spread(spread, value["histogram"], title),
        histogram,
        is_wide=True,
    )
    return Section(
        "atlas-spread",
        "Spread",
        f"The accuracy of {n:,} networks of {clip(value['title'], 60)} that differ in the seed alone.",
        "A seed that does well here was chosen by these test images. What carries over is estimated from the agreement "
        "of two random halves of them.",
        [chart, Table("In numbers", "Intervals are 95 %.", ["", "Value", "Interval"], rows)],
    )


def _images(value: Mapping[str, Any], picture: Picture, class_names: Sequence[str]) -> Section:
    cards, rows = list[Card](), list[list[str]]()
    for one in value["hard_images"]:
        label, answer = class_names[one["label"]], class_names[one["answer"]]
        known = {True: "label found wrong", False: "", None: ""}[one["is_known_error"]]
        low, high = one["interval"]
        rows.append(
            [
                f"{one['index']}",
                clip(label, 20),
                clip(answer, 20),
                known,
                percent(one["share"], 1),
                f"[{100 * low:.1f}, {100 * high:.1f}]",
                percent(one["answer_share"], 1),
            ]
        )
        if len(cards) < _SHOWN:
            lines = [f"{percent(one['share'], 1)} miss it", f"{clip(label, 12)}, predicted as {clip(answer, 12)}"]
            cards.append(Card(picture(one["index"]), [*lines, *([known] if known else [])], "test", one["index"]))
    half = next((one["num_images"] for one in value["missed_by"] if one["share"] >= 0.5), 0)
    title = (
        f"{value['num_missed']:,} of {value['num_images']:,} images are missed by at least one network, "
        f"{half:,} by at least half of them"
    )
    curve = Table(
        "", "", ["Missed by at least", "Images"],
        [[percent(one["share"], 1), f"{one['num_images']:,}"] for one in value["missed_by"]], left=0,
    )  # fmt: skip
    about = "" if value["source"] is None else f" Labels found wrong: {value['source']}."
    header = ["Image", "Label", "Mostly predicted as", "People", "Missed by", "95 %", "By this answer"]
    return Section(
        "atlas-images",
        "Hard images",
        "The test images that most networks miss, and what they predict for them.",
        "An image may be hard, or its label wrong: look at it." + about,
        [
            Chart("atlas-misses", title, "A flat curve would mean that the networks miss the same images.",
                  draw_misses(value["missed_by"], title), curve, is_wide=True),
            Gallery("The hardest images", "In the order of how many networks miss them.", cards),
            Table("The hardest images in numbers", "Intervals by Wilson.", header, rows[:_LISTED], left=4),
        ],
    )  # fmt: skip


def _agreement(value: Mapping[str, Any]) -> Section:
    found = value["agreement"]
    chance = 1 - value["spread"]["mean"]
    rows = [
        ["Two networks give the same answer", *_percent_estimate(found["same_answer"], 2)],
        ["The same beyond chance (Fleiss' kappa)", *_estimate(found["answer_kappa"])],
        ["Where one errs, the other one errs too", *_percent_estimate(found["both_wrong"])],
        ["The same if errors were independent", percent(chance, 1), ""],
        ["Errors in common beyond chance (kappa)", *_estimate(found["error_kappa"])],
    ]
    if found["same_mistake"] is not None:
        rows.append(["Where both err, they give the same answer", *_percent_estimate(found["same_mistake"])])
    title = (
        f"Where one network errs, another errs with {percent(found['both_wrong']['value'], 0)}; by chance it would be "
        f"{percent(chance, 1)}"
    )
    shares = [
        [name, percent(found[key], 2), f"{round(found[key] * value['num_images']):,}"]
        for name, key in (
            ("All networks are right", "always_right"),
            ("Some are", "sometimes_wrong"),
            ("None is", "always_wrong"),
        )
    ]
    return Section(
        "atlas-agreement",
        "Agreement",
        "How alike two of the networks are, over all pairs.",
        "Kappa is 0 by chance and 1 for equal networks. The intervals are for other test images of the kind.",
        [
            Table(title, "All pairs of networks; 95 % intervals.", ["", "Value", "Interval"], rows),
            Table("Images", "How many networks are right about an image.", ["", "Share", "Images"], shares),
        ],
    )


def _power(value: Mapping[str, Any]) -> Section:
    rows = list[list[str]]()
    for one in value["power"]:
        low_high = one["simulated_interval"]
        rows.append(
            [
                f"{100 * one['difference']:.2f}",
                "over 1,000,000" if one["num_seeds"] is None else f"{one['num_seeds']:,}",
                "" if one["power"] is None else percent(one["power"], 1),
                "" if one["simulated_power"] is None else percent(one["simulated_power"], 1),
                "" if low_high is None else f"[{100 * low_high[0]:.1f}, {100 * low_high[1]:.1f}]",
                f"{one['num_simulated']:,}",
            ]
        )
    middle = next((one for one in value["power"] if one["difference"] == 0.0005), value["power"][0])
    needed = "more than a million" if middle["num_seeds"] is None else f"{middle['num_seeds']:,}"
    title = f"A difference of {100 * middle['difference']:.2f} points needs {needed} seeds of each network"
    header = ["Points apart", "Seeds of each", "Power", "Simulated", "95 %", "Experiments"]
    return Section(
        "atlas-power",
        "Seeds needed",
        "How many seeds of each of two networks show a true difference of their accuracies.",
        "It is for two networks that spread as these do, on the same test images. It says nothing about other images.",
        [
            Table(
                title,
                "The number of seeds with which a two-sided t-test at 5 % finds the difference with a probability of "
                "80 % or a little more. The simulation draws that many accuracies from the ones measured here, again "
                "and again, and counts how often the test finds it.",
                header,
                rows,
                left=0,
            )
        ],
    )


def _early(value: Mapping[str, Any]) -> Section:
    early = value["early"]
    first = early[0]
    title = (
        f"The accuracy after epoch {first['epoch']} and at the end have a correlation of "
        f"{first['correlation']['value']:.2f}"
    )
    rows = [[f"{one['epoch']}", *_estimate(one["correlation"])] for one in early]
    return Section(
        "atlas-early",
        "Early and late",
        "Whether the networks that are ahead after an epoch are ahead at the end.",
        "The accuracies are of the images that were measured after each epoch.",
        [
            Chart(
                "atlas-early",
                title,
                "Near 0, an early epoch says nothing about which seed ends best.",
                draw_early(early, title),
                Table("", "", ["Epoch", "Correlation", "95 %"], rows, left=0),
                is_wide=True,
            )
        ],
    )


def _points(sd: float) -> str:
    return f"{100 * sd:.3f} points"


def _range(interval: Any, digits: int) -> str:
    return "" if interval is None else f"[{100 * interval[0]:.{digits}f}, {100 * interval[1]:.{digits}f}]"


def _estimate(found: Mapping[str, float]) -> list[str]:
    return [f"{found['value']:.3f}", f"[{found['low']:.3f}, {found['high']:.3f}]"]


def _percent_estimate(found: Mapping[str, float], digits: int = 1) -> list[str]:
    return [percent(found["value"], digits), f"[{100 * found['low']:.{digits}f}, {100 * found['high']:.{digits}f}]"]


def crossed_section(values: Sequence[Mapping[str, Any]]) -> Section:
    """Return the section of crossed seeds; each of `values` is what `CrossedSeeds.to_dict()` holds."""
    names = {"weights": "initial weights alone", "order": "order of the images alone", "together": "both together"}
    rows = [
        [clip(one["title"], 40), name, _points(one[key]["sd"]), *_percent_estimate(one[key]["share"])]
        for one in values
        for key, name in names.items()
    ]
    first = values[0]
    largest = max(names, key=lambda key: first[key]["share"]["value"])
    share = percent(first[largest]["share"]["value"], 0)
    count = len(first["accuracies"])
    return Section(
        "crossed",
        "Weights or order",
        f"{count} seeds of initial weights by {count} seeds of everything else: order of the images, augmentation, "
        "dropout.",
        "Both together is what neither decides alone: another order makes another network the best one.",
        [
            Table(
                f"Of the variance between seeds of {clip(first['title'], 40)}, {share} comes from {names[largest]}",
                "Two-way analysis of variance with random effects; 95 % intervals.",
                ["Network", "Decided by", "SD", "Share of the variance", "95 %"],
                rows,
                left=2,
            )
        ],
    )
