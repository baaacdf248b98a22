"""Write the atlas page, one HTML file: charts, tables and the hardest images, from the numbers in docs/results.json."""

import base64
import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from atlas.charts import draw_early, draw_misses, draw_spread
from atlas.crossed import PARTS
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from PIL import Image
from style import format_svg

import convscope as cs

Value = Mapping[str, Any]
MAX_ROWS = 20  # rows of the table of images


@dataclass(frozen=True)
class Table:
    title: str
    about: str
    header: Sequence[str]
    rows: Sequence[Sequence[str]]


@dataclass(frozen=True)
class Section:
    """A part of the page. `chart` is an SVG element; a card is a picture, as a data URI, with lines of text."""

    title: str
    about: str
    caution: str
    tables: Sequence[Table]
    chart: str = ""
    chart_about: str = ""
    cards: Sequence[tuple[str, Sequence[str]]] = field(default=())


def render(value: Value, crossed: Value, test: cs.Dataset) -> str:
    """Render the page from the result of `summarize` and the parts of `CrossedSeeds`."""
    sections = [_spread(value), _images(value, test), _agreement(value)]
    if value["early"]:
        sections.append(_early(value))
    sections.append(_table_of_crossed_seeds(crossed))
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    return environment.get_template("page.html.jinja").render(title=value["title"], sections=sections) + "\n"


def percent(fraction: float, digits: int = 2) -> str:
    return f"{100 * fraction:.{digits}f} %"


def _spread(value: Value) -> Section:
    spread, n = value["spread"], value["num_runs"]
    rows = [
        ["Mean", percent(spread["mean"], 3), _range(spread["mean_interval"], 3), "seeds"],
        ["", "", _range(spread["mean_interval_with_images"], 3), "seeds and images"],
        ["Standard deviation between seeds", _points(spread["sd"]), _range(spread["sd_interval"], 3), "seeds"],
        ["The same if images were missed independently", _points(spread["sd_independent"]), "", ""],
        ["Standard deviation between test sets (binomial)", _points(spread["sd_binomial"]), "", ""],
        ["Skewness", f"{spread['skewness']:.2f}", f"± {1.96 * spread['skewness_error']:.2f} around 0", "seeds"],
        ["95 % of networks reach", *_percent_estimate(spread["reached"], 2), "seeds"],
        ["Best network", percent(spread["maximum"]), "", ""],
        [f"Best of {n:,} expected by chance", percent(spread["expected_maximum"]), "", ""],
        ["Worst network", percent(spread["minimum"]), "", ""],
    ]
    if spread["carries_over"] is not None:
        carried = _percent_estimate(spread["carries_over"])
        rows.append(["Share of a lead that carries over to other images", *carried, "seeds"])
    low, high = percent(spread["minimum"]), percent(spread["maximum"])
    return Section(
        f"{n:,} networks reach {low} to {high}; they differ in the seed alone",
        f"The accuracy of {n:,} networks of {value['title']} that differ in the seed alone.",
        "A seed that does well here was chosen by these test images. What carries over is estimated from the agreement "
        "of all their halves.",
        [Table("In numbers", "Intervals are 95 %.", ["", "Value", "Interval", "For other"], rows)],
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
    agreement = value["agreement"]
    chance = 1 - value["spread"]["mean"]
    rows = [
        ["Two networks give the same answer", *_percent_estimate(agreement["same_answer"], 2)],
        ["The same beyond chance (Fleiss' kappa)", *_estimate(agreement["answer_kappa"])],
        ["Where one errs, the other one errs too", *_percent_estimate(agreement["both_wrong"])],
        ["The same if errors were independent", percent(chance, 1), ""],
        ["Errors in common beyond chance (kappa)", *_estimate(agreement["error_kappa"])],
    ]
    if agreement["same_mistake"] is not None:
        rows.append(["Where both err, they give the same answer", *_percent_estimate(agreement["same_mistake"])])
    title = (
        f"Where one network errs, another errs with {percent(agreement['both_wrong']['value'], 0)}; "
        f"by chance it would be {percent(chance, 1)}"
    )
    shares = [
        [name, percent(agreement[key], 2), f"{round(agreement[key] * value['num_images']):,}"]
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


def _early(value: Value) -> Section:
    early = value["early"]
    first = early[0]
    title = (
        f"The accuracy after epoch {first['epoch']} and at the end have a correlation of "
        f"{first['correlation']['value']:.2f}"
    )
    rows = [[f"{epoch['epoch']}", *_estimate(epoch["correlation"])] for epoch in early]
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


def _estimate(estimate: Mapping[str, float]) -> list[str]:
    return [f"{estimate['value']:.3f}", f"[{estimate['low']:.3f}, {estimate['high']:.3f}]"]


def _percent_estimate(estimate: Mapping[str, float], digits: int = 1) -> list[str]:
    return [
        percent(estimate["value"], digits),
        f"[{100 * estimate['low']:.{digits}f}, {100 * estimate['high']:.{digits}f}]",
    ]


def _table_of_crossed_seeds(value: Value) -> Section:
    rows = [[name, _points(value[key]["sd"]), *_percent_estimate(value[key]["share"])] for key, name in PARTS.items()]
    count, luck = value["num_crossed"], percent(value["luck"]["share"]["value"], 0)
    return Section(
        f"Of the variance between seeds, {luck} is chance on single images",
        f"{count} seeds of initial weights by {count} seeds of everything else: order of the images, augmentation, "
        "dropout.",
        "Chance is what both seeds together decide about each image for itself. What they decide about many images "
        "at once is their interaction.",
        [
            Table(
                "Parts of the variance",
                "Two-way analysis of variance with random effects, of accuracies and of single images; 95 % intervals "
                "for other seeds.",
                ["Decided by", "SD", "Share of the variance", "95 %"],
                rows,
            )
        ],
    )


def _svg(figure: Any) -> str:
    svg = format_svg(figure)
    return re.sub(r"<metadata>.*?</metadata>", "", svg[svg.index("<svg") :], flags=re.DOTALL)


def _data_uri(image: Any) -> str:
    buffer = io.BytesIO()
    Image.fromarray(image[..., 0] if image.shape[-1] == 1 else image).save(buffer, "PNG", optimize=True)
    return f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"
