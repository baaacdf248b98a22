"""The tables and pictures of the frontier: accuracy against parameters, seconds and bytes, fresh seeds, and chance."""

from collections.abc import Iterable, Mapping
from types import MappingProxyType

import tables
from tables import Part

COSTS = ("parameters", "seconds", "weights_bytes")
_AGAINST = {
    "parameters": "their parameters",
    "seconds": "their seconds of training",
    "weights_bytes": "the bytes of their weights",
}


def picture(parts: dict[str, Part], cost: str) -> str:
    """Return the frontier against a cost as an SVG file; "" where no point has this cost."""
    from convscope.experiment.frontier import pareto_names
    from convscope.experiment.published import PUBLISHED
    from convscope.report.frontier_charts import draw_frontier
    from convscope.report.style import themed_svg

    part = parts["frontier"]
    points = _with_seconds(part | {"timed": parts.get("frontier-seconds")})
    front = pareto_names(points, cost)
    if not front:
        return ""
    published = [one.to_dict() for one in PUBLISHED["mnist"]]
    return themed_svg(draw_frontier(points, published, front, cost, part["num_images"]))


def _with_seconds(part: Part) -> list[Part]:
    """Return the rows of `part` with the seconds that one training took on a quiet machine, or None."""
    timed = (part["timed"] or {"rows": []})["rows"]
    seconds = {(row["architecture"], row["recipe"]): row["seconds"] for row in timed}
    own = {row["name"]: seconds.get((row["architecture"], row["recipe"])) for row in part["rows"]}
    return [
        {**row, "seconds": None if own[row["name"]] is None else row["members"] * own[row["name"]]}
        for row in part["rows"]
    ]


def picture_path(cost: str) -> str:
    """Return where the picture of a cost lies in the project."""
    return f"docs/frontier-{cost.replace('_', '-')}.svg"


_MARKS = (
    "Dots are means over seeds. The thin bar is the 95 % interval for other seeds and other test images, the thick bar "
    "that for other seeds only. The line joins the networks that no other one beats. Hollow marks are published results"
)


def readme_picture(part: Part) -> Iterable[str]:
    yield _image(part, "parameters", "docs/")
    yield from ("", tables.prose(f"{_MARKS}: [which, and how each was chosen](docs/results.md#the-frontier)."))


def pictures(part: Part) -> Iterable[str]:
    from convscope.experiment.published import PUBLISHED
    from convscope.report.evidence.frontier import published_table

    rows = _with_seconds(part)
    for cost in (cost for cost in COSTS if any(row[cost] for row in rows)):
        yield from (_image(part, cost, ""), "")
    table = published_table([one.to_dict() for one in PUBLISHED["mnist"]])
    cells = [[cell.replace("\N{NO-BREAK SPACE}", " ") for cell in row] for row in table.rows]
    yield from (tables.prose(f"{_MARKS}:"), "", *tables.table(table.header, cells), "", tables.prose(table.look))


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
    from scipy.stats import ttest_ind_from_stats

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
    if all(row["variation"] is None for row in part["rows"]):
        return
    from convscope.report.evidence.frontier import chance_finding, chance_table

    table = chance_table(part["rows"])
    yield tables.prose(chance_finding(part["rows"]).replace("\N{NO-BREAK SPACE}", " "))
    rows = [[f"`{name}`", *cells] for name, *cells in table.rows]
    formulas = "[The formulas](methods/experiments.md#how-much-of-a-difference-is-chance)."
    yield from ("", *tables.table(table.header, rows), "", tables.prose(f"{table.look} {formulas}"))
