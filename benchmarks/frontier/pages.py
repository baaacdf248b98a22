"""The tables and pictures of the frontier: accuracy against parameters, seconds and bytes, fresh seeds, and chance."""

from collections.abc import Iterable, Mapping
from types import MappingProxyType

import tables
from frontier.chart import LETTERS, cost_text, draw_frontier
from frontier.measure import pareto_names
from frontier.published import published
from scipy.stats import ttest_ind_from_stats
from style import themed_svg
from tables import Part

COSTS = ("parameters", "seconds", "weights_bytes")
_AGAINST = {
    "parameters": "their parameters",
    "seconds": "their seconds of training",
    "weights_bytes": "the bytes of their weights",
}


def picture(parts: dict[str, Part], cost: str) -> str:
    """Draw the frontier against a cost as an SVG file; "" where no point has this cost."""
    part = parts["frontier"]
    points = _with_seconds(part | {"timed": parts.get("frontier-seconds")})
    front = pareto_names(points, cost)
    return themed_svg(draw_frontier(points, published("mnist"), front, cost, part["num_images"])) if front else ""


def _with_seconds(part: Part) -> list[Part]:
    """Give the rows of `part` the seconds that one training took on a quiet machine, or None."""
    timed = (part["timed"] or {"rows": []})["rows"]
    seconds = {(row["architecture"], row["recipe"]): row["seconds"] for row in timed}
    own = {row["name"]: seconds.get((row["architecture"], row["recipe"])) for row in part["rows"]}
    return [
        {**row, "seconds": None if own[row["name"]] is None else row["members"] * own[row["name"]]}
        for row in part["rows"]
    ]


def picture_path(cost: str) -> str:
    """Return the path of the picture of a cost in the project."""
    return f"docs/frontier-{cost.replace('_', '-')}.svg"


_MARKS = (
    "Dots are means over seeds. The thin bar is the 95 % interval for other seeds and other test images, the thick bar "
    "that for other seeds only. The line joins the networks that no other one beats. Hollow marks are published results"
)


def readme_picture(part: Part) -> Iterable[str]:
    yield _image(part, "parameters", "docs/")
    yield from ("", tables.prose(f"{_MARKS}: [which, and how each was chosen](docs/results.md#the-frontier)."))


def pictures(part: Part) -> Iterable[str]:
    rows = _with_seconds(part)
    for cost in (cost for cost in COSTS if any(row[cost] for row in rows)):
        yield from (_image(part, cost, ""), "")
    yield from (tables.prose(f"{_MARKS}:"), "", *_published_table(published("mnist")), "")
    yield tables.prose(
        "As their sources state them; an empty cell is not stated. A network, epoch or ensemble that was chosen by the "
        "test images looks better there than it is."
    )


def _published_table(results: list[Part]) -> list[str]:
    rows = []
    for letter, result in zip(LETTERS, results, strict=False):
        seconds = "" if result["seconds"] is None else cost_text(result["seconds"], "seconds")
        rows.append(
            [f"{letter}: {result['name']}", result["chosen"], result["source"], tables.percent(result["accuracy"], 2),
             *("" if result[cost] is None else f"{result[cost]:,}" for cost in ("parameters", "weights_bytes")),
             f"{seconds} ({result['machine']})" if result["machine"] else seconds]
        )  # fmt: skip
    columns = ["Network", "How it was chosen", "Source", "Accuracy", "Parameters", "Bytes", "Training"]
    return tables.table(columns, rows)


def _image(part: Part, cost: str, folder: str) -> str:
    alt = f"Accuracy of {len(part['rows'])} networks against {_AGAINST[cost]}, beside published results"
    return tables.prose(f"![{alt}]({picture_path(cost).replace('docs/', folder)})")


_LIMITS = {
    "tiny697": "The aim for `tiny697` was 98.5 %. On held-out images, other shapes of the same size, later pooling, "
    "SiLU, additions, smaller batches, twice as many epochs, slight rotations and distillation from larger networks "
    "were no better.",
    "residual": "The aim for `residual` was 99.70 %, for the ensemble of ten 99.77 %. Twice as many epochs, label "
    "smoothing, a network without padding and Muon in place of Adam were no better on held-out images, while runs "
    "differ by more from seed to seed.",
}
"""What was tried where a point is below its aim on MNIST, by the point's name."""


def mnist_rows(part: Part) -> Iterable[str]:
    return rows(part, _LIMITS)


def rows(part: Part, limits: Mapping[str, str] = MappingProxyType({})) -> Iterable[str]:
    rows = [
        [f"`{row['name']}`", _how(row), f"{row['parameters']:,}",
         f"{row['weights_bytes']:,}", str(row["num_runs"]), tables.percent(row["mean"]),
         "" if row["sd"] is None else tables.points(row["sd"]),
         *("" if row[name] is None else tables.interval(row[name]) for name in ("interval", "interval_with_images")),
         f"{100 * row['minimum']:.2f}", f"{100 * row['maximum']:.2f}",
         "" if row["seconds"] is None else _seconds(row["seconds"])]
        for row in _with_seconds(part)
    ]  # fmt: skip
    columns = ["point", "network, recipe", "parameters", "bytes", "n", "mean", "sd", "95 % interval, seeds",
               "95 % interval, seeds and images", "min", "max", "seconds of training"]  # fmt: skip
    if not any(row[-1] for row in rows):  # not measured yet
        columns, rows = columns[:-1], [row[:-1] for row in rows]
    yield from tables.table(columns, rows)
    for limit in (limits[row["name"]] for row in part["rows"] if row["name"] in limits):
        yield from ("", tables.prose(limit))
    if timed := part["timed"]:
        here, other = timed["machine"], _other_precision(part["rows"], timed["rows"])
        yield ""
        yield tables.prose(
            f"Seconds of one training with two threads on a machine that did nothing else: {here['processor']}, "
            f"{here['cores']} cores, {timed['date']}.{other} n counts networks, or "
            "ensembles with all their members."
        )
    yield from tables.provenance(part)


def _seconds(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _other_precision(rows: Iterable[Part], timed: Iterable[Part]) -> str:
    """Say which rows were timed in another precision than they were measured in."""
    precisions = {(row["architecture"], row["recipe"]): row["precision"] for row in timed}
    other = dict[str, str]()
    for row in rows:
        precision = precisions.get((row["architecture"], row["recipe"]), row["precision"])
        if precision != row["precision"]:
            other[row["architecture"]] = precision
    return "".join(f" `{name}` was timed in {precision}." for name, precision in other.items())


def fresh(part: Part) -> Iterable[str]:
    yield tables.prose(
        "The same points with seeds that were used for nothing before, trained after all choices were made. If the "
        "choices owe nothing to chance, the interval of these seeds holds the mean above in 95 of 100 cases, or a "
        "little less, since that mean varies too."
    )
    yield ""
    rows, first = [], {row["name"]: row for row in part["before"]["rows"]}
    for row in part["rows"]:
        before = first[row["name"]]
        low, high = row["interval"]
        numbers = [one[name] for one in (row, before) for name in ("mean", "sd", "num_runs")]
        p_value = ttest_ind_from_stats(*numbers, equal_var=False).pvalue
        rows.append(
            [f"`{row['name']}`", f"{tables.percent(before['mean'])} ({before['num_runs']})",
             f"{tables.percent(row['mean'])} ({row['num_runs']})", tables.interval(row["interval"]),
             "yes" if low <= before["mean"] <= high else "no", f"{p_value:.2f}"]
        )  # fmt: skip
    columns = ["point", "mean (n)", "mean of the fresh seeds (n)", "95 % interval, fresh seeds",
               "holds the mean", "p, Welch's t test"]  # fmt: skip
    yield from tables.table(columns, rows)
    yield from tables.provenance(part)


def _how(row: Part) -> str:
    names = f"`{row['architecture']}`, `{row['recipe']}`"
    return names if row["precision"] == "float32" else f"{names}, {row['precision']}"


def chance(part: Part) -> Iterable[str]:
    varied = [row for row in part["rows"] if row["variation"] is not None]
    if not varied:
        return
    most_runs = max(varied, key=lambda row: (row["variation"]["num_runs"], row["mean"]))
    variation = most_runs["variation"]
    half_a_tenth = _difference(variation, 0.0005)
    same, other = (_share(half_a_tenth[f"chance_{name}_images"]) for name in ("same", "other"))
    yield tables.prose(
        f"Two networks as good as {most_runs['name']} ({tables.percent(most_runs['mean'], 2)}), trained once each, lie "
        f"0.05 points or more apart in {same} of cases on the same test images, and in {other} of cases if each has "
        f"{variation['num_images']:,} test images of its own. To show a true difference of 0.05 points in 80 % of "
        f"attempts on the same test images takes {_count(half_a_tenth['runs_needed'])} runs of each."
    )
    sds = ("seeds", "images", "same_images", "other_images")
    rows = [
        [f"`{row['name']}`", f"{row['variation']['num_runs']:,}",
         *(f"{100 * row['variation'][f'sd_{name}']:.3f}" for name in sds),
         *(_share(_difference(row["variation"], 0.0005)[f"chance_{name}_images"]) for name in ("same", "other")),
         *(_count(each["runs_needed"]) for each in row["variation"]["differences"])]
        for row in varied
    ]  # fmt: skip
    columns = [
        "Point", "Runs", "SD: seeds", "SD: test sets", "SD: same images", "SD: other images",
        "0.05 by chance: same", "0.05 by chance: other",
        *(f"Runs for {100 * each['difference']:g}" for each in variation["differences"]),
    ]  # fmt: skip
    yield from ("", *tables.table(columns, rows), "")
    yield tables.prose(
        "All differences are in percentage points. SD: of single runs over seeds on these test images; of a network "
        f"over test sets of {variation['num_images']:,} images (binomial); of the difference of two single runs, on "
        "the same test images and on different ones. Then the probability of a difference of 0.05 points or more "
        "between single runs of equally good networks. Last, the runs of each network with which a t-test on the same "
        "test images finds a true difference of so many points with a probability of 80 %. "
        "[The formulas](../benchmarks/README.md#how-much-of-a-difference-is-chance)."
    )


def _difference(variation: Part, size: float) -> Part:
    found: Part = next(each for each in variation["differences"] if each["difference"] == size)
    return found


def _count(runs: int | None) -> str:
    return "> 1,000,000" if runs is None else f"{runs:,}"


def _share(probability: float) -> str:
    return "< 1 %" if probability < 0.005 else f"{100 * probability:.0f} %"
