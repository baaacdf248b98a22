"""Write the tables of README.md and docs/results.md from docs/results.json; benchmarks/measure.py fills that file.

A table stands between `<!-- results: NAME -->` and `<!-- end -->`. One that was measured with other sources of the
engine, or with another network or recipe of the same name, says so in its first line. The pictures of the frontier are
drawn from the same file; before it is measured there are none.
"""

import json
import re
import textwrap
from collections.abc import Callable, Iterable, Sequence
from hashlib import sha256
from typing import Any

import engine_sources
import install

FILE = engine_sources.PROJECT / "docs" / "results.json"
PAGES = ("README.md", "docs/results.md")

Part = dict[str, Any]


def load() -> dict[str, Part]:
    """Return the parts that were measured, by name."""
    parts: dict[str, Part] = json.loads(FILE.read_text(encoding="utf-8")) if FILE.exists() else {}
    return parts


def save(parts: dict[str, Part]) -> None:
    FILE.write_text(json.dumps(parts, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def write_pages(parts: dict[str, Part]) -> None:
    for name in PAGES:
        path = engine_sources.PROJECT / name
        path.write_text(page(path.read_text(encoding="utf-8"), parts), encoding="utf-8")
    for cost in COSTS if "frontier" in parts else ():
        if svg := frontier_picture(parts, cost):
            (engine_sources.PROJECT / picture_path(cost)).write_text(svg, encoding="utf-8")


def page(text: str, parts: dict[str, Part]) -> str:
    """Return a page with every table written again.

    Raises:
        ValueError: if a marker names no table, or has no end.
    """

    def table(match: re.Match[str]) -> str:
        name = match[1]
        if name not in _TABLES:
            raise ValueError(f"results: {name}: the tables are {', '.join(_TABLES)}")
        written = _written(name, parts)
        return (
            f"<!-- results: {name} -->\n\n{written}\n\n<!-- end -->"
            if written
            else f"<!-- results: {name} -->\n<!-- end -->"
        )

    if len(re.findall(r"<!-- results: ", text)) != len(re.findall(r"<!-- end -->", text)):
        raise ValueError("a marker of a table has no end")
    return re.sub(r"<!-- results: ([\w-]+) -->.*?<!-- end -->", table, text, flags=re.DOTALL)


def without_tables(text: str) -> str:
    """Return what a page holds outside of these tables."""
    return re.sub(r"<!-- results: [\w-]+ -->.*?<!-- end -->", "", text, flags=re.DOTALL)


def _written(name: str, parts: dict[str, Part]) -> str:
    part, write = _TABLES[name]
    again = f'`make results ARGS="{part}"`'
    if part not in parts:
        if name in _LEFT_OUT:
            return ""
        return _prose(f"Not measured with this version. Run {again} on a machine that does nothing else.")
    measured = parts[part]
    beside = {"timed": parts.get(f"{part}-seconds"), "before": parts.get(part.removesuffix("-fresh"))}
    lines = list(write(measured | beside))
    if what := _out_of_date(measured):
        stale = f"**Out of date: the engine or the recipe has changed since {what} measured. Run {again}.**"
        lines = [_prose(stale), "", *lines]
    return "\n".join(lines)


def _out_of_date(part: Part) -> str:
    """Return which rows of `part`, or that all of it, belong to another engine, network or recipe; "" for none."""
    rows = [row for row in part["rows"] if "choice_sha256" in row] if "rows" in part else []
    if not rows:
        return "" if part["engine_sha256"] == engine_sources.digest() else "this was"
    stale = [row.get("name") or row["recipe"] for row in rows if not is_current(row, part)]
    names = [f"`{name}`" for name in dict.fromkeys(stale)]  # two networks may share a recipe
    return f"{', '.join(names)} {'was' if len(names) == 1 else 'were'}" if names else ""


def is_current(row: Part, part: Part) -> bool:
    """Return whether a row of `part` was measured, or checked, with this engine, network and recipe."""
    is_of_engine = row.get("engine_sha256", part["engine_sha256"]) == engine_sources.digest()
    return is_of_engine and row["choice_sha256"] == choice_digest(row["architecture"], row["recipe"])


def choice_digest(architecture: str, recipe: str) -> str:
    """Return the SHA-256 over a preset for MNIST's images and a recipe, both by name."""
    from convscope.architecture.presets import PRESETS
    from convscope.recipes import RECIPES

    choice = [PRESETS[architecture]((28, 28, 1), 10).to_dict(), RECIPES[recipe].to_dict()]
    return sha256(json.dumps(choice, sort_keys=True).encode()).hexdigest()


def _short_accuracy(part: Part) -> Iterable[str]:
    rows = [
        [f"`{row['architecture']}`", f"`{row['recipe']}`", str(row["epochs"]), str(row["num_runs"]),
         f"{_percent(row['mean'])} ± {_points(row['sd'])}", _interval(row["interval_with_images"])]
        for row in part["rows"]
    ]  # fmt: skip
    columns = ["network", "recipe", "epochs", "seeds", "mean ± sd", "95 % interval"]
    yield from (*_table(columns, rows), "", _prose(f"{_verdict(part)} Measured on {part['date']}."))


def _accuracy(part: Part) -> Iterable[str]:
    rows = [
        [f"`{row['architecture']}`", f"{row['parameters']:,}", f"`{row['recipe']}`", str(row["epochs"]),
         _seeds(row["seeds"]), _percent(row["mean"]), _points(row["sd"]), _interval(row["interval"]),
         _interval(row["interval_with_images"]), f"{100 * row['minimum']:.2f}", f"{100 * row['maximum']:.2f}"]
        for row in part["rows"]
    ]  # fmt: skip
    columns = ["network", "parameters", "recipe", "epochs", "seeds", "mean", "sd", "95 % interval, seeds",
               "95 % interval, seeds and images", "min", "max"]  # fmt: skip
    found = part["comparison"]
    low, high = (100 * value for value in found["accuracy_difference_interval"])
    difference = 100 * found["accuracy_difference"]
    yield from (*_table(columns, rows), "")
    yield _prose(
        f"{_verdict(part)} With `classic`, `{found['names'][0]}` makes {found['a']['num_errors']:.1f} errors and "
        f"`{found['names'][1]}` {found['b']['num_errors']:.1f} on average, of {part['num_images']:,} images. The "
        f"accuracies differ by {difference:.2f} points [{low:.2f}, {high:.2f}], p = {found['p_value']:.1e}."
    )
    yield from _provenance(part)


COSTS = ("parameters", "seconds", "weights_bytes")
_AGAINST = {
    "parameters": "their parameters",
    "seconds": "their seconds of training",
    "weights_bytes": "the bytes of their weights",
}
_LEFT_OUT = ("frontier-picture", "frontier-pictures", "frontier-fresh", "chance")  # before they are measured


def frontier_picture(parts: dict[str, Part], cost: str) -> str:
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


def _frontier_picture(part: Part) -> Iterable[str]:
    yield _image(part, "parameters", "docs/")
    yield from ("", _prose(f"{_MARKS}: [which, and how each was chosen](docs/results.md#the-frontier)."))


def _frontier_pictures(part: Part) -> Iterable[str]:
    from convscope.experiment.published import PUBLISHED
    from convscope.report.evidence.frontier import published_table

    rows = _with_seconds(part)
    for cost in (cost for cost in COSTS if any(row[cost] for row in rows)):
        yield from (_image(part, cost, ""), "")
    table = published_table([one.to_dict() for one in PUBLISHED["mnist"]])
    cells = [[cell.replace("\N{NO-BREAK SPACE}", " ") for cell in row] for row in table.rows]
    yield from (_prose(f"{_MARKS}:"), "", *_table(table.header, cells), "", _prose(table.look))


def _image(part: Part, cost: str, folder: str) -> str:
    alt = f"Accuracy of {len(part['rows'])} networks against {_AGAINST[cost]}, beside published results"
    return _prose(f"![{alt}]({picture_path(cost).replace('docs/', folder)})")


def _frontier(part: Part) -> Iterable[str]:
    rows = [
        [f"`{row['name']}`", _how(row), f"{row['parameters']:,}",
         f"{row['weights_bytes']:,}", str(row["num_runs"]), _percent(row["mean"]),
         "" if row["sd"] is None else _points(row["sd"]),
         *("" if row[name] is None else _interval(row[name]) for name in ("interval", "interval_with_images")),
         f"{100 * row['minimum']:.2f}", f"{100 * row['maximum']:.2f}",
         "" if row["seconds"] is None else f"{row['seconds']:.3g}"]
        for row in _with_seconds(part)
    ]  # fmt: skip
    columns = ["point", "network, recipe", "parameters", "bytes", "n", "mean", "sd", "95 % interval, seeds",
               "95 % interval, seeds and images", "min", "max", "seconds of training"]  # fmt: skip
    yield from _table(columns, rows)
    if timed := part["timed"]:
        here = timed["machine"]
        yield ""
        yield _prose(
            f"Seconds of one training with two threads on a machine that did nothing else: {here['processor']}, "
            f"{here['cores']} cores, {timed['date']}. n counts networks, or ensembles with all their members."
        )
    yield from _provenance(part)


def _fresh(part: Part) -> Iterable[str]:
    from scipy.stats import ttest_ind_from_stats

    yield _prose(
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
            [f"`{row['name']}`", f"{_percent(before['mean'])} ({before['num_runs']})",
             f"{_percent(row['mean'])} ({row['num_runs']})", _interval(row["interval"]),
             "yes" if low <= before["mean"] <= high else "no", f"{p_value:.2f}"]
        )  # fmt: skip
    columns = ["point", "mean (n)", "mean of the fresh seeds (n)", "95 % interval, fresh seeds",
               "holds the mean", "p, Welch's t test"]  # fmt: skip
    yield from _table(columns, rows)
    yield from _provenance(part)


def _how(row: Part) -> str:
    names = f"`{row['architecture']}`, `{row['recipe']}`"
    return names if row["precision"] == "float32" else f"{names}, {row['precision']}"


def _chance(part: Part) -> Iterable[str]:
    if all(row["variation"] is None for row in part["rows"]):
        return
    from convscope.report.evidence.frontier import chance_finding, chance_table

    table = chance_table(part["rows"])
    yield _prose(chance_finding(part["rows"]).replace("\N{NO-BREAK SPACE}", " "))
    rows = [[f"`{name}`", *cells] for name, *cells in table.rows]
    formulas = "[The formulas](methods/experiments.md#how-much-of-a-difference-is-chance)."
    yield from ("", *_table(table.header, rows), "", _prose(f"{table.look} {formulas}"))


_PICTURES = {
    "scikit-learn's digits, 8 × 8": "scikit-learn's `load_digits`, 43 writers, 8 × 8 pixels, unchanged",
    "scikit-learn's digits, enlarged": "the same digits, enlarged first",
    "MNIST, as in the file": "MNIST test digits, as in the data set",
    "photos": "the same digits as photos of paper: perspective, texture, shadow, noise, JPEG",
    "numbers, read whole": "photographed numbers of five MNIST test digits, all five correct",
    "numbers, none touching": "those of them in which no digits touch",
}


def _pictures(part: Part) -> Iterable[str]:
    found = {row["name"]: row for row in part["rows"]}
    rows = [
        [text, f"{one['num_images']:,}", _percent(one["accuracy"], 2), _interval(one["interval"])]
        for one, text in ((found[name], text) for name, text in _PICTURES.items())
    ]
    yield from _table(["pictures", "n", "classified correctly", "95 % interval"], rows)
    yield from _provenance(part)


def _speed(part: Part) -> Iterable[str]:
    rows = []
    for row in part["rows"]:
        ours, best = [*row["samples"], None, None][:2]
        value = None if row["value"] is None else f"{row['value']:.2f}"
        unit = {"x": " times", "s": " s", "%": ""}[row["unit"]]
        if value and row["unit"] == "%":
            value = f"{100 * row['value']:.0f} %"
        rows.append([row["title"], f"{value}{unit}" if value else "not measured", _sample(ours), _sample(best)])
    yield from _table(["what", "result", "convscope", "best peer"], rows)
    yield from ("", _prose(f"Medians with [min, max] (n), {part['turns']} turns per peer. {_peers(part)}"))
    yield from _provenance(part)


# What each ratio compares, and the two figures: (side, figure).
_RATIOS = {
    "first_page": ("time until the page of `convscope run` opens, over `convscope train`", "run first_page_seconds",
                   "train seconds"),
    "whole_cpu": ("processor time of the whole run, over `convscope train`", "run cpu_seconds", "train cpu_seconds"),
    "notebook_to_first_page": ("time of the notebook, over the time until the page of `convscope run` opens",
                               "notebook seconds", "classic_run first_page_seconds"),
    "notebook_to_whole": ("time of the notebook, over that of the whole run", "notebook seconds",
                          "classic_run seconds"),
}  # fmt: skip


def _main_job(part: Part) -> Iterable[str]:
    def sample(where: str) -> str:
        side, figure = where.split()
        one = part["sides"][side][figure]
        low, high = one["spread"]
        return f"{one['median']:.3g} s [{low:.3g}, {high:.3g}]"

    rows = [
        [text, f"{part['ratios'][name]:.2f}", sample(upper), sample(lower)]
        for name, (text, upper, lower) in _RATIOS.items()
    ]
    yield from _table(["what", "ratio", "first", "second"], rows)
    memory = part["sides"]["run"]["peak_memory_bytes"]["median"] / 1e6
    text = f"Medians with [min, max] of {part['times']} turns. Peak memory of the run with `fast`: {memory:.0f} MB."
    yield from ("", _prose(f"{text} {_peers(part)}"))
    yield from _provenance(part)


def _installation(part: Part) -> Iterable[str]:
    yield from _table(["what", "result"], install.rows(part))
    yield from ("", _prose(f"The ratios are medians of {part['times']} turns, in seconds of the processor."))
    yield from _provenance(part)


def _peers(part: Part) -> str:
    return f"Peers: {', '.join(f'{name} {number}' for name, number in part['peers'].items())}."


def _sample(sample: Part | None) -> str:
    if sample is None:
        return ""
    scale, unit = (2**20, "MiB") if sample["unit"] == "bytes" else (1, "s")
    middle, low, high = (f"{value / scale:.3g}" for value in (sample["median"], *sample["spread"]))
    return f"{sample['name']}: {middle} {unit} [{low}, {high}] ({sample['n']})"


_TABLES: dict[str, tuple[str, Callable[[Part], Iterable[str]]]] = {
    "accuracy-short": ("accuracy", _short_accuracy),
    "accuracy": ("accuracy", _accuracy),
    "fashion": ("fashion", _accuracy),
    "frontier-picture": ("frontier", _frontier_picture),
    "frontier-pictures": ("frontier", _frontier_pictures),
    "frontier": ("frontier", _frontier),
    "frontier-fresh": ("frontier-fresh", _fresh),
    "chance": ("frontier", _chance),
    "frontier-fashion": ("frontier-fashion", _frontier),
    "pictures": ("pictures", _pictures),
    "install": ("install", _installation),
    "main-job": ("main-job", _main_job),
    "speed": ("speed", _speed),
}


def _verdict(part: Part) -> str:
    return re.sub(r"\b(cnn|ann)\b", r"`\1`", part["comparison"]["verdict"]) + "."


def _provenance(part: Part) -> Iterable[str]:
    here, versions = part["machine"], part["versions"]
    text = (
        f"Measured on {part['date']} with the engine of commit `{part['commit'][:12]}`: {here['processor']}, "
        f"{here['cores']} cores, {', '.join(here['instruction_sets'])}; convscope {versions['convscope']}, "
        f"NumPy {versions['numpy']}, Python {versions['python']}."
    )
    if checked := {row["checked"] for row in part.get("rows", ()) if "checked" in row}:
        text += (
            f" The engine has changed since. On {max(checked)} one network of each row that this concerns was trained "
            "again, and its weights were the same bit for bit."
        )
    yield from ("", _prose(text))
    yield from ("", "```text", *part["commands"], "```")


def _prose(text: str) -> str:
    """Return text wrapped as docs/wrap.py wraps a page: code stays on one line."""
    glued = re.sub(r"`[^`]+`", lambda code: code[0].replace(" ", "\0"), text)
    return textwrap.fill(glued, 100, break_long_words=False, break_on_hyphens=False).replace("\0", " ")


def _seeds(seeds: Sequence[int]) -> str:
    return f"{len(seeds)} ({min(seeds)} to {max(seeds)})"


def _percent(fraction: float, digits: int = 3) -> str:
    return f"{100 * fraction:.{digits}f} %"


def _points(fraction: float) -> str:
    return f"{100 * fraction:.3f}"


def _interval(interval: Sequence[float]) -> str:
    low, high = (f"{100 * value:.2f}" for value in interval)
    return f"[{low}, {high}]"


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    return [f"| {' | '.join(cells)} |" for cells in (columns, ["---"] * len(columns), *rows)]
