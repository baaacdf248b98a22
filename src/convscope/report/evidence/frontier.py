"""The sections on the frontier: the points against what they cost, and how much of a difference is chance."""

from collections.abc import Mapping, Sequence
from math import sqrt
from typing import Any

from convscope.base.tables import clip
from convscope.report.evidence.section import Chart, Section, Table
from convscope.report.findings import percent
from convscope.report.frontier_charts import LETTERS, Row, cost_text, draw_frontier

_COSTS = {"parameters": "parameters", "seconds": "training", "weights_bytes": "bytes"}
_BEFORE = {"parameters": "with", "seconds": "in", "weights_bytes": "in"}
_LONGEST_NAME = 40


def frontier_sections(value: Mapping[str, Any]) -> list[Section]:
    """Return the sections of what `Frontier.to_dict()` holds."""
    sections = [_frontier(value)]
    if any(one["variation"] is not None for one in value["points"]):
        sections.append(_chance(value))
    return sections


def frontier_finding(value: Mapping[str, Any], cost: str = "parameters") -> str:
    """Return what the cheapest point on the front reaches, and what the dearest one does."""
    points = {one["name"]: one for one in value["points"]}
    ends = [points[name] for name in dict.fromkeys((value["pareto"][cost][0], value["pareto"][cost][-1]))]
    said = [f"{percent(one['mean'])} {_BEFORE[cost]} {cost_text(one[cost], cost)}" for one in ends]
    names = [clip(one["name"], _LONGEST_NAME) for one in ends]
    return f"{names[0]} reaches {said[0]}" + (f", {names[1]} {said[1]}" if len(ends) == 2 else "")


def _frontier(value: Mapping[str, Any]) -> Section:
    points, published = value["points"], value["published"]
    charts: list[Table | Chart] = [_chart(value, cost) for cost in _COSTS]
    tables = [_points_table(value), *([published_table(published)] if published else [])]
    trained = f" Trained on {'; '.join(value['machines'])}." if value["machines"] else ""
    return Section(
        "frontier",
        "Frontier",
        f"Accuracy on {value['num_images']:,} test images of {clip(value['dataset'], 40)} against what "
        f"{len(points)} points cost.",
        "Nothing was chosen by test images. Seconds depend on the machine, the threads and what else it computed."
        f"{trained}",
        [*charts, *tables],
    )


def _chart(value: Mapping[str, Any], cost: str) -> Chart:
    finding = frontier_finding(value, cost)
    look = "Read like the first chart."
    if cost == "parameters":
        look = (
            "Each dot is the mean of a point. The thin bar is its 95 % interval for other seeds and test images, the "
            "thick bar that for other seeds only. The line joins the points that no other point beats. Hollow marks "
            "are published results; the last table names them. Both axes are logarithmic, the vertical one in errors."
        )
    drawing = draw_frontier(
        value["points"], value["published"], value["pareto"][cost], cost, value["num_images"], finding
    )
    return Chart(f"frontier-{cost.replace('_', '-')}", finding, look, drawing, is_wide=True)


def _points_table(value: Mapping[str, Any]) -> Table:
    rows = []
    for one in value["points"]:
        fronts = [text for cost, text in _COSTS.items() if one["name"] in value["pareto"][cost]]
        rows.append(
            [
                clip(one["name"], _LONGEST_NAME),
                _how(one),
                ", ".join(fronts) or "none",
                f"{one['num_runs']:,}",
                percent(one["mean"], 3),
                "none" if one["sd"] is None else f"{100 * one['sd']:.3f}",
                f"{one['parameters']:,}",
                f"{one['weights_bytes']:,}",
                cost_text(one["seconds"], "seconds"),
                _interval(one["interval"]),
                _interval(one["interval_with_images"]),
                percent(one["minimum"]),
                percent(one["maximum"]),
            ]
        )
    header = (
        "Point", "Network, recipe", "Not beaten in", "Runs", "Mean", "SD", "Parameters", "Bytes", "Training",
        "95 % (seeds)", "95 % (+ images)", "Min", "Max",
    )  # fmt: skip
    look = "A point is beaten by one that costs no more, has no lower mean, and is better in one of the two."
    if left_out := value["left_out"]:
        look += f" {' '.join(left_out)}"
    return Table("Points", look, header, rows, left=3)


def _how(one: Row) -> str:
    words = [f"{one['architecture']}, {one['recipe']}"]
    if one["members"] > 1:
        words.append(f"{one['members']} networks")
    if one["views"] > 1:
        words.append(f"{one['views']} views")
    if one["precision"] != "float32":
        words.append(one["precision"])
    if one["weight_bits"] is not None:
        words.append(f"{one['weight_bits']} bits")
    return ", ".join(words)


def published_table(published: Sequence[Row]) -> Table:
    """Return published results by their letters, each with how it was chosen."""
    rows = []
    for letter, one in zip(LETTERS, published, strict=False):
        seconds = "" if one["seconds"] is None else cost_text(one["seconds"], "seconds")
        if one["machine"]:
            seconds += f" ({one['machine']})"
        rows.append(
            [
                f"{letter}: {one['name']}",
                one["chosen"],
                one["source"],
                percent(one["accuracy"]),
                "" if one["parameters"] is None else f"{one['parameters']:,}",
                "" if one["weights_bytes"] is None else f"{one['weights_bytes']:,}",
                seconds,
            ]
        )
    return Table(
        "Published results",
        "As their sources state them; an empty cell is not stated. A network, epoch or ensemble that was chosen by the "
        "test images looks better there than it is.",
        ("Network", "How it was chosen", "Source", "Accuracy", "Parameters", "Bytes", "Training"),
        rows,
        left=3,
    )


def _chance(value: Mapping[str, Any]) -> Section:
    points = [one for one in value["points"] if one["variation"] is not None]
    count = _most_runs(points)["num_runs"]
    doubt = 100 / sqrt(2 * (count - 1))  # of a standard deviation of normal numbers
    return Section(
        "chance",
        "How much of a difference is chance",
        chance_finding(points),
        f"The standard deviation between seeds is itself known to within about {doubt:.0f} %, from {count} runs.",
        [chance_table(points)],
    )


def chance_table(points: Sequence[Row]) -> Table:
    """Return how far runs of each point lie apart by chance, of those with several runs; at least one has."""
    rows, varied = list[list[str]](), [one for one in points if one["variation"] is not None]
    for one in varied:
        found = one["variation"]
        half = _half_a_tenth(found)
        needed = [each["runs_needed"] for each in found["differences"]]
        rows.append(
            [
                clip(one["name"], _LONGEST_NAME),
                f"{found['num_runs']:,}",
                *(f"{100 * found[f'sd_{name}']:.3f}" for name in ("seeds", "images", "same_images", "other_images")),
                *(_share(half[f"chance_{name}_images"]) for name in ("same", "other")),
                *("> 1,000,000" if number is None else f"{number:,}" for number in needed),
            ]
        )
    first = varied[0]["variation"]
    header = (
        "Point", "Runs", "SD: seeds", "SD: test sets", "SD: same images", "SD: other images",
        "0.05 by chance: same", "0.05 by chance: other",
        *(f"Runs for {100 * each['difference']:g}" for each in first["differences"]),
    )  # fmt: skip
    look = (
        "All differences are in percentage points. SD: of single runs over seeds on these test images; of a network "
        f"over test sets of {first['num_images']:,} images (binomial); of the difference of two single runs, on the "
        "same test images and on different ones. Then the probability of a difference of 0.05 points or more between "
        "single runs of equally good networks. Last, the runs of each network with which a t-test on the same test "
        "images finds a true difference of so many points with a probability of 80 %."
    )
    return Table("Two runs of equally good networks", look, header, rows)


def chance_finding(points: Sequence[Row]) -> str:
    """Return in plain words what 0.05 points between single runs mean, and what it takes to show them.

    They are those of the most accurate of the points with the most runs; at least one has several.
    """
    one = _most_runs(points)
    found = one["variation"]
    each = _half_a_tenth(found)
    same, other = (_share(each[name]) for name in ("chance_same_images", "chance_other_images"))
    needed = "more than a million" if each["runs_needed"] is None else f"{each['runs_needed']:,}"
    return (
        f"Two networks as good as {clip(one['name'], _LONGEST_NAME)} ({percent(one['mean'])}), trained once each, lie "
        f"0.05 points or more apart in {same} of cases on the same test images, and in {other} of cases if each has "
        f"{found['num_images']:,} test images of its own. To show a true difference of 0.05 points in 80 % of "
        f"attempts on the same test images takes {needed} runs of each."
    )


def _half_a_tenth(variation: Row) -> Row:
    """Return what is known of a difference of 0.05 points."""
    found: Row = next(each for each in variation["differences"] if each["difference"] == 0.0005)
    return found


def _most_runs(points: Sequence[Row]) -> Row:
    return max((one for one in points if one["variation"] is not None), key=lambda one: (one["num_runs"], one["mean"]))


def _share(probability: float) -> str:
    return "< 1 %" if probability < 0.005 else f"{100 * probability:.0f} %"


def _interval(interval: Sequence[float] | None) -> str:
    return "none" if interval is None else f"[{100 * interval[0]:.3f}, {100 * interval[1]:.3f}]"
