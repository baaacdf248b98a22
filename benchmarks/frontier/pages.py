"""The tables and pictures of the frontier: accuracy against parameters, seconds and bytes, fresh seeds, and chance."""

from collections.abc import Iterable

import tables
from frontier.chart import LETTERS, draw_frontier, format_cost
from frontier.measure import find_pareto_names
from frontier.published import read_published
from scipy.stats import t
from style import format_svg
from tables import Part
from variation import RunVariation

COSTS = ("parameters", "seconds", "weights_bytes")
_AGAINST = {
    "parameters": "their parameters",
    "seconds": "their seconds of training",
    "weights_bytes": "the bytes of their weights",
}


def picture(parts: dict[str, Part], cost: str) -> str:
    """Draw the frontier against a cost as an SVG file; "" where no point has this cost."""
    part = parts["frontier"]
    points = with_seconds(part | {"timed": parts.get("frontier-seconds")})
    front = find_pareto_names(points, cost)
    return format_svg(draw_frontier(points, read_published("mnist"), front, cost, part["num_images"])) if front else ""


def with_seconds(part: Part) -> list[Part]:
    """Add to the rows of `part` the seconds that one training took on a quiet machine, or None."""
    timed = (part.get("timed") or {"rows": []})["rows"]
    seconds = {(row["architecture"], row["recipe"]): row["seconds"] for row in timed}
    own = {row["name"]: seconds.get((row["architecture"], row["recipe"])) for row in part["rows"]}
    return [
        {**row, "seconds": None if own[row["name"]] is None else row["members"] * own[row["name"]]}
        for row in part["rows"]
    ]


def name_picture(cost: str) -> str:
    """Name the path of a cost's picture in the project."""
    return f"docs/frontier-{cost.replace('_', '-')}.svg"


_MARKS = (
    "Dots are means over seeds. The thin bar is the 95 % interval for other seeds and other test images, the thick bar "
    "that for other seeds only. The line joins the networks whose mean no other one beats; neighbours may differ by "
    "chance. Hollow marks are published results"
)


_MEANING_IN_README = (
    "Means over seeds with 95 % intervals. Hollow marks are published results: [how to read it, and how each was "
    "chosen](docs/leaderboard.md#the-frontier)."
)


def readme_picture(part: Part) -> Iterable[str]:
    yield _image(part, "parameters", "docs/")
    yield from ("", tables.prose(_MEANING_IN_README))


def pictures(part: Part) -> Iterable[str]:
    rows = with_seconds(part)
    for cost in (cost for cost in COSTS if any(row[cost] for row in rows)):
        yield from (_image(part, cost, ""), "")
    yield from (tables.prose(f"{_MARKS}:"), "", *_tabulate_published(read_published("mnist")), "")
    yield tables.prose(
        "As their sources state them; an empty cell is not stated. A network, epoch or ensemble that was chosen by the "
        "test images looks better there than it is."
    )


def _tabulate_published(results: list[Part]) -> list[str]:
    rows = []
    for letter, result in zip(LETTERS, results, strict=False):
        seconds = "" if result["seconds"] is None else format_cost(result["seconds"], "seconds")
        rows.append(
            [f"{letter}: {result['name']}", result["chosen"], result["source"], tables.percent(result["accuracy"], 2),
             *("" if result[cost] is None else f"{result[cost]:,}" for cost in ("parameters", "weights_bytes")),
             f"{seconds} ({result['machine']})" if result["machine"] else seconds]
        )  # fmt: skip
    columns = ["Network", "How it was chosen", "Source", "Accuracy", "Parameters", "Bytes", "Training"]
    return tables.table(columns, rows)


def _image(part: Part, cost: str, folder: str) -> str:
    alt = f"Accuracy of {len(part['rows'])} networks against {_AGAINST[cost]}, beside published results"
    return tables.prose(f"![{alt}]({name_picture(cost).replace('docs/', folder)})")


_LOOKS = (
    "Test images chose nothing, but were looked at: the recipes `tiny697` and `accurate` were changed by held-out "
    "images after test accuracies of earlier versions were known, and `tiny2k` in 60 epochs was no entry after four "
    "seeds without a gain. The log (dev/LOG.md) lists what was tried and did not help."
)


def mnist_rows(part: Part) -> Iterable[str]:
    has_integers = any(row["weight_bits"] for row in part["rows"])
    return rows(part, (_LOOKS, *([_integers(part["integers"])] if has_integers else ())))


def _integers(part: Part | None) -> str:
    """Describe the numbers with which networks of few bits were measured, and what they reach in integers."""
    text = "Networks of few bits stand here as they were trained, in floating point, with the bytes of their files."
    rows = [] if part is None else part.get("rows", [])
    reached = (
        f"`{row['name']}` {tables.percent(row['mean'])} {tables.interval(row['interval_with_images'])} in "
        f"{row['weights_bytes']:,} bytes (n = {row['num_runs']})"
        for row in rows
    )
    return f"{text} In the integers of a C header: {', '.join(reached)}." if rows else text


def fashion_rows(part: Part) -> Iterable[str]:
    """Write the rows of Fashion-MNIST that no single network beats with as few parameters."""
    singles = [row for row in part["rows"] if row["members"] == row["views"] == 1]
    best = find_pareto_names(singles, "parameters")
    kept = [row for row in part["rows"] if row["name"] in best or row not in singles]
    return rows({**part, "rows": kept}, ("Networks that another beats with no more parameters are left out.",))


def rows(part: Part, remarks: Iterable[str] = ()) -> Iterable[str]:
    rows = [
        [f"`{row['name']}`", _how(row), f"{row['parameters']:,}",
         f"{row['weights_bytes']:,}", str(row["num_runs"]), tables.percent(row["mean"]),
         "" if row["sd"] is None else tables.points(row["sd"]),
         *("" if row[name] is None else tables.interval(row[name]) for name in ("interval", "interval_with_images")),
         "" if row["seconds"] is None else _seconds(row["seconds"])]
        for row in with_seconds(part)
    ]  # fmt: skip
    columns = ["point", "network, recipe", "parameters", "bytes", "n", "mean", "sd", "95 % interval, seeds",
               "95 % interval, seeds and images", "seconds of training"]  # fmt: skip
    if not any(row[-1] for row in rows):  # not measured yet
        columns, rows = columns[:-1], [row[:-1] for row in rows]
    yield from tables.table(columns, rows)
    for remark in filter(None, (*remarks, answers_remark(part))):
        yield from ("", tables.prose(remark))
    if timed := part["timed"]:
        here = timed["machine"]
        note = _other_precision(part["rows"], timed["rows"]) + _other_processor(timed["rows"], here["processor"])
        yield ""
        yield tables.prose(
            f"Seconds of one training with two threads on a machine that did nothing else: {here['processor']}, "
            f"{here['cores']} cores, {timed['date']}.{note} n counts networks or ensembles."
        )
    yield from tables.provenance(part)


def answers_remark(part: Part) -> str:
    """Say of which rows the answers are published."""
    missing = [f"`{row['name']}`" for row in part["rows"] if "answers" not in row]
    of_rows = "no row" if len(missing) == len(part["rows"]) else f"all rows but {', '.join(missing)}"
    return f"Answers are published of {of_rows}." if missing else ""


def _seconds(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _other_precision(rows: Iterable[Part], timed: Iterable[Part]) -> str:
    """Say which rows were timed in another precision than they were measured in."""
    precisions = {(row["architecture"], row["recipe"]): row["precision"] for row in timed}
    changed = dict[str, str]()
    for row in rows:
        precision = precisions.get((row["architecture"], row["recipe"]), row["precision"])
        if precision != row["precision"]:
            changed[row["architecture"]] = precision
    return "".join(f" `{name}` was timed in {precision}." for name, precision in changed.items())


def _other_processor(timed: Iterable[Part], processor: str) -> str:
    """Say which rows were timed on another processor than the latest, with which they cannot be compared."""
    names = dict[str, list[str]]()
    for row in timed:
        names.setdefault(row.get("processor", processor), []).append(f"`{row['name']}`")
    return "".join(f" On {name}: {', '.join(rows)}." for name, rows in names.items() if name != processor)


SPREADS = ("tiny697", "lenet5", "ann", "cnn", "cnn-fast", "cnn-accurate", "residual")
"""Networks from the smallest to the most accurate, of which the page shows how their runs spread."""

MARGIN = 0.0005
"""The means of two sets of seeds are equivalent if they differ by less than this."""


def fresh(part: Part) -> Iterable[str]:
    points = f"{100 * MARGIN:g} points"
    yield tables.prose(
        "Some points with seeds that chose nothing, first trained after all choices were made. Where the "
        f"interval of the difference lies within {points}, the means are equivalent. The images are the same, so this "
        "tells how much the seeds flatter, not the images."
    )
    yield ""
    rows, first = [], {row["name"]: row for row in part["before"]["rows"]}
    for row in part["rows"]:
        before = first[row["name"]]
        low, high = difference_interval(row, before)
        is_equivalent = low > -MARGIN and high < MARGIN
        rows.append(
            [f"`{row['name']}`", f"{tables.percent(before['mean'])} ({before['num_runs']})",
             f"{tables.percent(row['mean'])} ({row['num_runs']})", f"{100 * (row['mean'] - before['mean']):+.3f}",
             f"[{100 * low:+.3f}, {100 * high:+.3f}]", "yes" if is_equivalent else "undecided"]
        )  # fmt: skip
    columns = ["point", "mean (n)", f"mean of seeds {part['rows'][0]['seeds'][0]} on (n)", "difference",
               "95 % interval, seeds", f"equivalent within {points}"]  # fmt: skip
    yield from tables.table(columns, rows)
    yield from tables.provenance(part)


def difference_interval(first: Part, second: Part) -> tuple[float, float]:
    """Compute Welch's 95 % interval of the difference of two rows' means, over seeds on the same images."""
    variances = [row["sd"] ** 2 / row["num_runs"] for row in (first, second)]
    freedom = sum(variances) ** 2 / sum(
        variance**2 / (row["num_runs"] - 1) for variance, row in zip(variances, (first, second), strict=True)
    )
    low, high = t.interval(0.95, freedom, first["mean"] - second["mean"], sum(variances) ** 0.5)
    return float(low), float(high)


def _how(row: Part) -> str:
    """Name the network and the recipe of a row, if its own name does not, or who entered it."""
    if row.get("by"):
        return "" if row["by"] == "convscope" else f"by {row['by']}"
    names = dict.fromkeys(f"`{row[name]}`" for name in ("architecture", "recipe") if row[name] != row["name"])
    return ", ".join([*names, *([] if row["precision"] == "float32" else [row["precision"]])])


def chance(part: Part) -> Iterable[str]:
    varied = [(row["name"], RunVariation(**row["variation"])) for row in part["rows"] if row["name"] in SPREADS]
    if not varied:
        return
    rows = [
        [f"`{name}`", f"{variation.num_runs:,}",
         f"{100 * variation.sd_seeds:.3f}", f"{100 * variation.sd_images:.3f}",
         f"{100 * variation.sd_same_images:.3f}", f"{100 * variation.sd_other_images:.3f}",
         _share(variation.chance_same_images(MARGIN)), _share(variation.chance_other_images(MARGIN))]
        for name, variation in varied
    ]  # fmt: skip
    columns = [
        "Point", "Runs", "SD: seeds", "SD: test sets", "SD: same images", "SD: other images",
        "0.05 by chance: same", "0.05 by chance: other",
    ]  # fmt: skip
    yield from (*tables.table(columns, rows), "")
    yield tables.prose(
        "In percentage points: the SD of single runs over seeds on these test images, of a network over test sets of "
        f"{part['num_images']:,} images, and of the difference of two single runs, on the same and on different test "
        "images, of some networks. Then how probable a difference of 0.05 points or more is between single runs "
        "of equally good networks. [The formulas](../benchmarks/README.md#how-much-of-a-difference-is-chance)."
    )


def _share(probability: float) -> str:
    return "< 1 %" if probability < 0.005 else f"{100 * probability:.0f} %"
