"""The part "speed" of docs/results.json: rows that compare.py measured, and the chart of an epoch in README."""

from typing import Any

from matplotlib.figure import Figure
from rows import ROWS
from style import ACCENT, INK, MUTED, add_axes, format_svg, house_style, new_figure

PATH = "docs/epoch.svg"
_WIDTH, _ROW = 720, 34
_LEFT, _RIGHT, _TOP, _BOTTOM = 104, 140, 8, 8


def add_rows(part: dict[str, Any], comparison: dict[str, Any], names: list[str], date: str) -> dict[str, Any]:
    """Add to `part` what compare.py wrote about the rows of these names; the others stay as they were."""
    rows = {row["name"]: row for row in part.get("rows", ())}
    for row, result in zip((row for row in ROWS if row.name in names), comparison["results"], strict=True):
        samples = [{**sample, "n": len(sample["values"]), "values": None} for sample in result["samples"]]
        rows[row.name] = {
            "name": row.name,
            "value": result["value"],
            "unit": result["bound"]["unit"],
            "note": result["note"],
            "samples": samples,
            "turns": comparison["repeat"],
            "date": date,
            "processor": comparison["machine"]["processor"],
        }
    peers = part.get("peers", {}) | comparison["versions"]
    return {"rows": [rows[row.name] for row in ROWS if row.name in rows], "peers": peers}


def collect_epochs(part: dict[str, Any]) -> list[tuple[str, float]]:
    """Collect the name and the median seconds of each side, the fastest first.

    Args:
        part: the part "speed" of docs/results.json; its first two rows are an epoch by Keras and by written loops.
    """
    samples = {sample["name"]: sample for row in part["rows"][:2] for sample in row["samples"]}
    epochs = [(name, sample["median"]) for name, sample in samples.items()]
    return sorted(epochs, key=lambda epoch: epoch[1])


def draw_epochs(part: dict[str, Any]) -> str:
    """Draw a bar for each side as an SVG file."""
    epochs = collect_epochs(part)
    own = dict(epochs)["convscope"]
    with house_style():
        figure: Figure = new_figure(_WIDTH, _TOP + _ROW * len(epochs) + _BOTTOM)
        axes = add_axes(figure, _LEFT, _TOP, _WIDTH - _LEFT - _RIGHT, _ROW * len(epochs))
        axes.set(xlim=(0, epochs[-1][1]), ylim=(len(epochs) - 0.5, -0.5))
        axes.axis("off")
        for row, (name, median) in enumerate(epochs):
            is_own = name == "convscope"
            axes.barh(row, median, height=0.62, color=ACCENT if is_own else MUTED, alpha=1 if is_own else 0.45)
            seconds = f"{median:.2f} s" if is_own else f"{median:.2f} s, {median / own:.1f} times"
            style = {"va": "center", "color": INK, "fontweight": "bold" if is_own else "normal"}
            axes.annotate(name, (0, row), (-10, 0), textcoords="offset pixels", ha="right", **style)
            axes.annotate(seconds, (median, row), (8, 0), textcoords="offset pixels", ha="left", **style)
    return format_svg(figure)
