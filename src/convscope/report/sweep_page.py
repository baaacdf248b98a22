"""A sweep as one HTML file, without a script: from `Sweep.to_dict()` to text, and to its folder."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from convscope.base.files import write_text
from convscope.base.sharing import without_folders
from convscope.base.tables import printable, value_text
from convscope.experiment.sweep.sweep import choice_text
from convscope.report.document import render_document
from convscope.report.evidence import render_section
from convscope.report.evidence.experiment import diverged_table
from convscope.report.evidence.section import Chart, Section, Table
from convscope.report.findings import percent
from convscope.report.sweep_charts import MOST_DOTS, draw_sweep

_MOST_ROWS = 50


def render_sweep(value: Mapping[str, Any], command: str = "", next_step: str = "") -> str:
    """Return the page of a sweep: one HTML document that works from a disk with no network.

    Args:
        value: what `Sweep.to_dict()` holds.
        command: that makes the sweep again.
        next_step: the command that measures the winner on the test images.
    """
    sections = [_trials(value)]
    return render_document(
        "sweep.html.jinja",
        sweep=_view(value),
        sections=[(section.anchor, section.name, render_section(section)) for section in sections],
        command=printable(without_folders(command)),
        next_step=printable(without_folders(next_step)),
    )


def write_sweep_page(folder: Path, value: Mapping[str, Any], command: str = "", next_step: str = "") -> Path:
    """Write the page as `sweep.html` into `folder`, whole or not at all, and return its path.

    Raises:
        ConvscopeError: if the folder cannot be written to or the disk is full.
    """
    path = folder / "sweep.html"
    write_text(path, render_sweep(value, command, next_step))
    return path


def _view(value: Mapping[str, Any]) -> dict[str, Any]:
    trials, check, optimism = value["trials"], value["check"], value["optimism"]
    cards = [{"title": name, "value": value_text(one), "note": ""} for name, one in trials[0]["values"].items()]
    cards.append({"title": "accuracy", "value": percent(check["value"]), "note": _interval(check)})
    flattery = ""
    if optimism is not None:
        flattery = "The optimism is the part of the winner's lead that it has only on the images that chose it. "
        points = {"value": f"{100 * optimism['value']:.2f} points", "note": _interval(optimism)}
        cards.append({"title": "optimism of the choice", **points})
    return {
        "dataset": printable(value["dataset"]),
        "num_trials": f"{len(trials):,}",
        "finding": _finding(value),
        "plan": (
            f"Trained on {trials[0]['num_images']:,} training images, chosen by {value['num_choice']:,} others and "
            f"checked on {value['num_check']:,} more. The test images were not used."
        ),
        "cards": [{name: printable(text) for name, text in card.items()} for card in cards],
        "limits": (
            f"The intervals cover other images of this kind, not other seeds. {flattery}The winner is the best of "
            "these trials, not the best there is."
        ),
    }


def _finding(value: Mapping[str, Any]) -> str:
    count = len(value["trials"])
    which = "The only trial" if count == 1 else f"The best of {count:,} trials"
    return f"{which} reaches {percent(value['check']['value'])} on held-out images that did not choose it"


def _interval(estimate: Mapping[str, Any]) -> str:
    low, high = estimate["interval"]
    return f"[{100 * low:.2f}, {100 * high:.2f}]"


def _trials(value: Mapping[str, Any]) -> Section:
    trials, diverged = value["trials"], value["diverged"]
    winner = ", ".join(f"{name} {value_text(one)}" for name, one in trials[0]["values"].items())
    title = printable(f"Best on the images that choose: {winner}")
    look = (
        "Each dot is a trial; the large one is the best. The vertical axis is logarithmic in errors. Dots of one value "
        "lie side by side."
    )
    if any(one["num_images"] < trials[0]["num_images"] for one in trials):
        look += " Pale ones were trained on fewer images and did not go on."
    if len(trials) > MOST_DOTS:
        look += f" Of {len(trials):,} trials the best {MOST_DOTS:,} are drawn."
    chart = Chart("sweep-trials", title, look, draw_sweep(trials, value["num_choice"], title), is_wide=True)
    return Section(
        "trials",
        "Trials",
        f"Every trial: its values, and its accuracy on {value['num_choice']:,} images that choose and "
        f"{value['num_check']:,} that check.",
        "A field may matter only together with another one, which no single panel shows.",
        [chart, _table(trials, value["chance"]), *([diverged_table(diverged)] if diverged else [])],
    )


def _table(trials: Sequence[Mapping[str, Any]], chance: float) -> Table:
    names = list(trials[0]["values"])
    rows = [
        [
            f"{one['number']:,}",
            *(value_text(one["values"][name]) for name in names),
            f"{one['num_images']:,}",
            choice_text(one, chance, percent),
            "" if one["check"] is None else percent(one["check"]),
            f"{one['parameters']:,}",
            f"{one['seconds']:.2f}",
        ]
        for one in trials[:_MOST_ROWS]
    ]
    header = ("Trial", *names, "Images", "Choice", "Check", "Parameters", "Seconds")
    title = "Trials" if len(trials) <= _MOST_ROWS else f"The best {_MOST_ROWS} trials"
    return Table(title, "The best one first. trials.csv has all of them.", header, rows, left=0)
