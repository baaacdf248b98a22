"""The page of an atlas, one HTML file: charts, tables and the hardest images, from the numbers in docs/results.json."""

import base64
import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from atlas.charts import draw_early, draw_misses, draw_spread
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from PIL import Image
from style import themed_svg

import convscope as cs

Value = Mapping[str, Any]
MAX_ROWS = 20  # of the table of images


@dataclass(frozen=True)
class Table:
    title: str
    about: str
    header: Sequence[str]
    rows: Sequence[Sequence[str]]


@dataclass(frozen=True)
class Section:
    """A part of the page; a chart is an SVG element, a card a picture as a data URI with its lines."""

    title: str
    about: str
    caution: str
    tables: Sequence[Table]
    chart: str = ""
    chart_about: str = ""
    cards: Sequence[tuple[str, Sequence[str]]] = field(default=())


def render(value: Value, test: cs.Dataset) -> str:
    """Render the page of `summarize`'s result, with the parts of crossed seeds under "crossed"."""
    sections = [_spread(value), _images(value, test), _agreement(value), _power(value)]
    if value["early"]:
        sections.append(_early(value))
    sections.append(_crossed(value["crossed"], value["num_crossed"]))
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    return environment.get_template("page.html.jinja").render(title=value["title"], sections=sections) + "\n"


def percent(fraction: float, digits: int = 2) -> str:
    return f"{100 * fraction:.{digits}f} %"


def _spread(value: Value) -> Section:
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
    low, high = percent(spread["minimum"]), percent(spread["maximum"])
    return Section(
        f"{n:,} networks reach {low} to {high}; they differ in the seed alone",
        f"The accuracy of {n:,} networks of {value['title']} that differ in the seed alone.",
        "A seed that does well here was chosen by these test images. What carries over is estimated from the agreement "
        "of two random halves of them.",
        [Table("In numbers", "Intervals are 95 %.", ["", "Value", "Interval"], rows)],
        _svg(draw_spread(spread, value["histogram"])),
        "The dashed curve is narrower where networks differ by more than chance on single images.",
    )


def _images(value: Value, test: cs.Dataset) -> Section:
    cards, rows = [], list[list[str]]()
    for image in value["hard_images"]:
        label, prediction = (test.class_names[image[name]] for name in ("label", "answer"))
        known = "label found wrong" if image["is_known_error"] else ""
        low, high = image["interval"]
        rows.append(
            [f"{image['index']}", label, prediction, known, percent(image["share"], 1),
             f"[{100 * low:.1f}, {100 * high:.1f}]", percent(image["answer_share"], 1)]
        )  # fmt: skip
        lines = [f"{percent(image['share'], 1)} miss it", f"{label}, predicted as {prediction}"]
        cards.append((_data_uri(test.images[image["index"]]), [*lines, *([known] if known else [])]))
    half = next((level["num_images"] for level in value["missed_by"] if level["share"] >= 0.5), 0)
    about = "" if value["source"] is None else f" Labels found wrong: {value['source']}."
    header = ["Image", "Label", "Mostly predicted as", "People", "Missed by", "95 %", "By this prediction"]
    return Section(
        f"{value['num_missed']:,} of {value['num_images']:,} images are missed by at least one network, "
        f"{half:,} by at least half of them",
        "The test images that most networks miss, and what they predict for them.",
        f"An image may be hard, or its label wrong: look at it.{about}",
        [Table("The hardest images in numbers", "Intervals by Wilson.", header, rows[:MAX_ROWS])],
        _svg(draw_misses(value["missed_by"])),
        "A flat curve would mean that the networks miss the same images.",
        cards,
    )


def _agreement(value: Value) -> Section:
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
        title,
        "How alike two of the networks are, over all pairs.",
        "Kappa is 0 by chance and 1 for equal networks. The intervals are for other test images of the kind.",
        [
            Table("Pairs", "All pairs of networks; 95 % intervals.", ["", "Value", "Interval"], rows),
            Table("Images", "How many networks are right about an image.", ["", "Share", "Images"], shares),
        ],
    )


def _power(value: Value) -> Section:
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
        title,
        "How many seeds of each of two networks show a true difference of their accuracies.",
        "It is for two networks that spread as these do, on the same test images. It says nothing about other images.",
        [
            Table(
                "Seeds",
                "The number of seeds with which a two-sided t-test at 5 % finds the difference with a probability of "
                "80 % or a little more. The simulation draws that many accuracies from the ones measured here, again "
                "and again, and counts how often the test finds it.",
                header,
                rows,
            )
        ],
    )


def _early(value: Value) -> Section:
    early = value["early"]
    first = early[0]
    title = (
        f"The accuracy after epoch {first['epoch']} and at the end have a correlation of "
        f"{first['correlation']['value']:.2f}"
    )
    rows = [[f"{one['epoch']}", *_estimate(one["correlation"])] for one in early]
    return Section(
        title,
        "Whether the networks that are ahead after an epoch are ahead at the end.",
        "The accuracies are of the images that were measured after each epoch.",
        [Table("In numbers", "", ["Epoch", "Correlation", "95 %"], rows)],
        _svg(draw_early(early)),
        "Near 0, an early epoch says nothing about which seed ends best.",
    )


def _points(sd: float) -> str:
    return f"{100 * sd:.3f} points"


def _range(interval: Any, digits: int) -> str:
    return "" if interval is None else f"[{100 * interval[0]:.{digits}f}, {100 * interval[1]:.{digits}f}]"


def _estimate(found: Mapping[str, float]) -> list[str]:
    return [f"{found['value']:.3f}", f"[{found['low']:.3f}, {found['high']:.3f}]"]


def _percent_estimate(found: Mapping[str, float], digits: int = 1) -> list[str]:
    return [percent(found["value"], digits), f"[{100 * found['low']:.{digits}f}, {100 * found['high']:.{digits}f}]"]


def _crossed(value: Value, count: int) -> Section:
    names = {"weights": "initial weights alone", "order": "order of the images alone", "together": "both together"}
    rows = [[name, _points(value[key]["sd"]), *_percent_estimate(value[key]["share"])] for key, name in names.items()]
    largest = max(names, key=lambda key: value[key]["share"]["value"])
    share = percent(value[largest]["share"]["value"], 0)
    return Section(
        f"Of the variance between seeds, {share} comes from {names[largest]}",
        f"{count} seeds of initial weights by {count} seeds of everything else: order of the images, augmentation, "
        "dropout.",
        "Both together is what neither decides alone: another order makes another network the best one.",
        [
            Table(
                "Parts of the variance",
                "Two-way analysis of variance with random effects; 95 % intervals.",
                ["Decided by", "SD", "Share of the variance", "95 %"],
                rows,
            )
        ],
    )


def _svg(figure: Any) -> str:
    svg = themed_svg(figure)
    return re.sub(r"<metadata>.*?</metadata>", "", svg[svg.index("<svg") :], flags=re.DOTALL)


def _data_uri(image: Any) -> str:
    buffer = io.BytesIO()
    Image.fromarray(image[..., 0] if image.shape[-1] == 1 else image).save(buffer, "PNG", optimize=True)
    return f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"
