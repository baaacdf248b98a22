"""Write the tables of README.md and docs/results.md from docs/results.json; benchmarks/measure.py fills that file.

A table stands between `<!-- results: NAME -->` and `<!-- end -->`. One that was measured with other sources of the
engine, or with another network or recipe of the same name, says so in its first line. The pictures of the frontier are
drawn from the same file; before it is measured there are none.
"""

import json
import re
from collections.abc import Callable, Iterable

import atlas.tables as atlas
import engine_state
import frontier.boards as boards
import frontier.pages as frontier_pages
import frontier.points as points
import install
import many_runs
import own_pictures.pages as own_pictures
import plans
import speed
import tables
from rows import ROWS

FILE = engine_state.PROJECT / "docs" / "results.json"
PAGES = ("README.md", "docs/results.md", "docs/leaderboard.md")

# Tables of parts that may be missing; a page shows nothing in their place.
_OPTIONAL_TABLES = (
    "frontier-picture",
    "frontier-pictures",
    "frontier-fresh",
    "chance",
    "plans",
    "atlas",
    "crossed",
)

Part = tables.Part


def load() -> dict[str, Part]:
    """Read the parts that were measured, by name."""
    parts: dict[str, Part] = json.loads(FILE.read_text(encoding="utf-8")) if FILE.exists() else {}
    return parts


def save(parts: dict[str, Part]) -> None:
    FILE.write_text(json.dumps(parts, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def write_pages(parts: dict[str, Part]) -> None:
    for name in PAGES:
        path = engine_state.PROJECT / name
        path.write_text(page(path.read_text(encoding="utf-8"), parts), encoding="utf-8")
    for cost in frontier_pages.COSTS if "frontier" in parts else ():
        if svg := frontier_pages.picture(parts, cost):
            (engine_state.PROJECT / frontier_pages.name_picture(cost)).write_text(svg, encoding="utf-8")
    if "speed" in parts:
        picture = speed.draw_epochs(parts["speed"])
        (engine_state.PROJECT / speed.PATH).write_text(picture, encoding="utf-8")
    if {"atlas", "crossed"} <= parts.keys():
        atlas.write_files(parts["atlas"], parts["crossed"])


def page(text: str, parts: dict[str, Part]) -> str:
    """Write every table of a page again, and return the page.

    Raises:
        ValueError: if a marker names no table, or has no end.
    """

    def table(match: re.Match[str]) -> str:
        name = match[1]
        if name not in _TABLES:
            raise ValueError(f"results: {name}: the tables are {', '.join(_TABLES)}")
        written = _write_table(name, parts)
        return (
            f"<!-- results: {name} -->\n\n{written}\n\n<!-- end -->"
            if written
            else f"<!-- results: {name} -->\n<!-- end -->"
        )

    if len(re.findall(r"<!-- results: ", text)) != len(re.findall(r"<!-- end -->", text)):
        raise ValueError("a marker of a table has no end")
    return re.sub(r"<!-- results: ([\w-]+) -->.*?<!-- end -->", table, text, flags=re.DOTALL)


def strip_tables(text: str) -> str:
    """Return the text of a page without the tables that are written here."""
    return re.sub(r"<!-- results: [\w-]+ -->.*?<!-- end -->", "", text, flags=re.DOTALL)


def _write_table(name: str, parts: dict[str, Part]) -> str:
    part, write = _TABLES[name]
    again = f'`make results ARGS="{part}"`'
    if part not in parts:
        if name in _OPTIONAL_TABLES:
            return ""
        return tables.prose(f"Not measured with this version. Run {again} on a machine that does nothing else.")
    measured = parts[part]
    beside = {
        "timed": parts.get(f"{part}-seconds"),
        "before": parts.get(part.removesuffix("-fresh")),
        "fashion": parts.get("frontier-fashion"),
        **{name: parts.get(name) for name in ("atlas", "integers")},
    }
    lines = list(write(measured | beside))
    if what := _out_of_date(measured):
        stale = f"**Out of date: the engine or the recipe has changed since {what} measured. Run {again}.**"
        lines = [tables.prose(stale), "", *lines]
    return "\n".join(lines)


def _out_of_date(part: Part) -> str:
    """Name the rows of `part` that belong to another engine, network or recipe, or say that all do; "" for none."""
    rows = [row for row in part["rows"] if "choice_sha256" in row] if "rows" in part else []
    if not rows:
        return "" if engine_state.is_current(part["engine_sha256"]) else "this was"
    stale = [row.get("name") or row["recipe"] for row in rows if not is_current(row, part)]
    names = [f"`{name}`" for name in dict.fromkeys(stale)]  # two networks may share a recipe
    return f"{', '.join(names)} {'was' if len(names) == 1 else 'were'}" if names else ""


def is_current(row: Part, part: Part) -> bool:
    """True if a row of `part` was measured, or checked, with this engine, network and recipe."""
    if row["choice_sha256"] is None:  # trained elsewhere
        return True
    is_of_engine = engine_state.is_current(row.get("engine_sha256", part["engine_sha256"]))
    return is_of_engine and row["choice_sha256"] == compute_choice_digest(row["architecture"], row["recipe"])


def compute_choice_digest(architecture: str, recipe: str) -> str:
    """Compute the SHA-256 over a network and a recipe, both by the names of presets or of an entry."""
    return points.compute_choice_digest(points.find_network(architecture), points.find_recipe(recipe))


def _short_accuracy(part: Part) -> Iterable[str]:
    rows = [
        [f"`{row['architecture']}`", f"`{row['recipe']}`", str(row["epochs"]), str(row["num_runs"]),
         f"{tables.percent(row['mean'])} ± {tables.points(row['sd'])}", tables.interval(row["interval_with_images"])]
        for row in part["rows"]
    ]  # fmt: skip
    columns = ["network", "recipe", "epochs", "seeds", "mean ± sd", "95 % interval"]
    yield from (*tables.table(columns, rows), "", tables.prose(f"{_verdict(part)} Measured on {part['date']}."))


def _accuracy(part: Part) -> Iterable[str]:
    rows = [
        [f"`{row['architecture']}`", f"{row['parameters']:,}", f"`{row['recipe']}`", str(row["epochs"]),
         tables.seeds(row["seeds"]), tables.percent(row["mean"]), tables.points(row["sd"]),
         tables.interval(row["interval"]), tables.interval(row["interval_with_images"]),
         f"{100 * row['minimum']:.2f}", f"{100 * row['maximum']:.2f}"]
        for row in part["rows"]
    ]  # fmt: skip
    columns = ["network", "parameters", "recipe", "epochs", "seeds", "mean", "sd", "95 % interval, seeds",
               "95 % interval, seeds and images", "min", "max"]  # fmt: skip
    comparison = part["comparison"]
    low, high = (100 * value for value in comparison["accuracy_difference_interval"])
    difference = 100 * comparison["accuracy_difference"]
    yield from (*tables.table(columns, rows), "")
    yield tables.prose(
        f"{_verdict(part)} "
        f"The accuracies differ by {difference:.2f} points [{low:.2f}, {high:.2f}], p = {comparison['p_value']:.1e}. "
        f"{frontier_pages.answers_remark(part)}"
    )
    yield from tables.provenance(part)


_PICTURES = {
    "scikit-learn's digits, 8 × 8": "scikit-learn's `load_digits`, 43 writers, 8 × 8 pixels, unchanged",
    "scikit-learn's digits, enlarged": "the same digits, enlarged first",
    "MNIST, as in the file": "MNIST test digits, as in the data set",
    "photos": "the same digits as photos of paper: perspective, texture, shadow, noise, JPEG",
    "numbers, read whole": "photographed numbers of five MNIST test digits, all five correct",
    "numbers, none touching": "those of them in which no digits touch",
}


def _pictures(part: Part) -> Iterable[str]:
    by_name = {row["name"]: row for row in part["rows"]}
    rows = [
        [text, f"{row['num_images']:,}", tables.percent(row["accuracy"], 2), tables.interval(row["interval"])]
        for row, text in ((by_name[name], text) for name, text in _PICTURES.items())
    ]
    yield from tables.table(["pictures", "n", "classified correctly", "95 % interval"], rows)
    yield from tables.provenance(part)


def _speed(part: Part) -> Iterable[str]:
    cells = []
    titles = {row.name: row.title for row in ROWS}
    for row in part["rows"]:
        ours, best = [*row["samples"], None, None][:2]
        cells.append([titles[row["name"]], _format_speed(row), _sample(ours), _sample(best)])
    yield from tables.table(["what", "result", "convscope", "best peer"], cells)
    text = (
        f"Medians with [min, max] (n), {part['rows'][0]['turns']} turns per peer. n counts repetitions; those of one "
        "turn share a process, so only turns are independent."
    )
    last = (part["date"], part["machine"]["processor"])
    for date, processor in sorted({(row["date"], row["processor"]) for row in part["rows"]} - {last}):
        names = (titles[row["name"]] for row in part["rows"] if (row["date"], row["processor"]) == (date, processor))
        text += f" Measured on {date} on {processor}: {'; '.join(names)}."
    if part["atlas"]:
        reached = part["atlas"]["spread"]["reached"]
        interval = tables.interval((reached["low"], reached["high"]))
        share = f"{tables.percent(reached['value'], 2)} {interval}"
        text += f" Of {part['atlas']['num_runs']:,} runs of `fast`, 95 % reach {share}."
    yield from ("", tables.prose(f"{text} {_peers(part)}"))
    yield from tables.provenance(part)


def _epoch(part: Part) -> Iterable[str]:
    """Show the chart of an epoch, with what it compares in a sentence."""
    yield from ("![Seconds of an epoch of the same network by each library](docs/epoch.svg)", "")
    yield tables.prose(
        f"Seconds of an epoch of `cnn` on the 60,000 images of MNIST, in turns on {part['machine']['cores']} cores of "
        f"{part['rows'][0]['processor']}, medians, {part['rows'][0]['date']} ([spread, versions and other networks]"
        "(docs/results.md#speed)). Of loops in TensorFlow, PyTorch and JAX, the fastest that we found."
    )


def _format_speed(row: Part) -> str:
    if row["value"] is None:
        return "not measured"
    if row["unit"] == "%":
        return f"{100 * row['value']:.0f} %"
    turns = f", {row['note']}" if row.get("note", "").startswith("by turn") else ""
    return f"{row['value']:.2f} {'times' if row['unit'] == 'x' else 's'}{turns}"


# What each ratio compares, and the two figures: (side, figure).
_RATIOS = {
    "first_page": ("time until the page of `convscope run` opens, over `convscope train`", "run first_page_seconds",
                   "train seconds"),
    "whole_cpu": ("processor time of the whole run, over `convscope train`", "run cpu_seconds", "train cpu_seconds"),
    "notebook_to_first_page": ("time of the notebook, over the time until the page of `convscope run` opens",
                               "notebook seconds", "classic_run first_page_seconds"),
}  # fmt: skip


def _main_job(part: Part) -> Iterable[str]:
    def sample(where: str) -> str:
        side, figure = where.split()
        figures = part["sides"][side][figure]
        low, high = figures["spread"]
        return f"{figures['median']:.3g} s [{low:.3g}, {high:.3g}]"

    rows = [
        [text, f"{part['ratios'][name]:.2f}", sample(upper), sample(lower)]
        for name, (text, upper, lower) in _RATIOS.items()
    ]
    yield from tables.table(["what", "ratio", "first", "second"], rows)
    memory = part["sides"]["run"]["peak_memory_bytes"]["median"] / 1e6
    text = f"Medians with [min, max] of {part['times']} turns. Peak memory of the run with `fast`: {memory:.0f} MB."
    yield from ("", tables.prose(f"{text} {_peers(part)}"))
    yield from tables.provenance(part)


def _installation(part: Part) -> Iterable[str]:
    yield from tables.table(["what", "result"], install.rows(part))
    yield from ("", tables.prose(f"The ratios are medians of {part['times']} turns, in seconds of the processor."))
    yield from tables.provenance(part)


def _table_of_stored_runs(part: Part) -> Iterable[str]:
    header = ["what", *(f"{int(count):,} runs" for count in part["seconds"])]
    yield from tables.table(header, many_runs.rows(part))
    times = "once" if part["repeats"] == 1 else f"{part['repeats']} times; medians"
    text = (
        "Comparing, logging and adding a run read all runs, so they take the time of the first row and that of what "
        f"they do with each. Measured {times}."
    )
    yield from ("", tables.prose(text))
    yield from tables.provenance(part)


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
    "frontier-picture": ("frontier", frontier_pages.readme_picture),
    "frontier-pictures": ("frontier", frontier_pages.pictures),
    "frontier": ("frontier", frontier_pages.mnist_rows),
    "frontier-fresh": ("frontier-fresh", frontier_pages.fresh),
    "leaderboard": ("frontier", boards.rows),
    "chance": ("frontier", frontier_pages.chance),
    "plans": ("plans", plans.rows),
    "frontier-fashion": ("frontier-fashion", frontier_pages.fashion_rows),
    "atlas": ("atlas", atlas.rows),
    "crossed": ("crossed", atlas.format_crossed_rows),
    "pictures": ("pictures", _pictures),
    "own-pictures": ("own-pictures", own_pictures.make_choices_table),
    "next": ("own-pictures", own_pictures.make_next_table),
    "stored-runs": ("stored-runs", _table_of_stored_runs),
    "install": ("install", _installation),
    "main-job": ("main-job", _main_job),
    "epoch": ("speed", _epoch),
    "speed": ("speed", _speed),
}


def _verdict(part: Part) -> str:
    verdict = re.sub(r"\b(cnn|ann)\b", r"`\1`", part["comparison"]["verdict"])
    return f"With `classic`, Keras's defaults, which were tuned for neither, {verdict}."
