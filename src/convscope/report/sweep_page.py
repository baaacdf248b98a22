"""A sweep as one HTML file, without a script: from its record to text."""

from collections.abc import Sequence

from convscope.base.sharing import without_folders
from convscope.base.tables import printable, value_text
from convscope.evidence.comparison.words import SIGNIFICANCE
from convscope.experiment.sweep import Trial
from convscope.experiment.sweep.records import SweepRecord
from convscope.report.document import render_document
from convscope.report.evidence import render_section
from convscope.report.evidence.section import Chart, Section, Table
from convscope.report.evidence.seeds import divergence_table
from convscope.report.findings import format_interval, percent
from convscope.report.sweep_charts import MAX_DOTS, draw_sweep

_MAX_ROWS = 50


def render_sweep(sweep: SweepRecord, command: str = "", next_step: str = "") -> str:
    """Write the page of a sweep as one HTML document that works from a disk with no network.

    Args:
        command: the command line that makes the sweep again.
        next_step: the command that measures the best trial on the test images.
    """
    section = _trials(sweep)
    return render_document(
        "sweep.html.jinja",
        sweep=_view(sweep),
        sections=[(section.anchor, section.name, render_section(section))],
        command=printable(without_folders(command)),
        next_step=printable(without_folders(next_step)),
    )


def _view(sweep: SweepRecord) -> dict[str, object]:
    trials = sweep.trials
    cards = [{"title": name, "value": value_text(value), "note": ""} for name, value in trials[0].values.items()]
    # Other seeds of the best trial and of the network as it was, on images that did not choose it.
    for title, runs in (("accuracy", sweep.best), ("default", sweep.default)):
        if runs is not None:
            cards.append({"title": title, "value": percent(runs.accuracy), "note": format_interval(runs.interval)})
    return {
        "dataset": printable(sweep.dataset),
        "num_trials": f"{len(trials):,}",
        "finding": _finding(sweep),
        "plan": (
            f"Trained on {trials[0].num_images:,} training images and chosen by {sweep.num_choice:,} others. The "
            f"accuracies are those of other seeds on {sweep.num_check:,} more. The test images were not used."
        ),
        "cards": [{name: printable(text) for name, text in card.items()} for card in cards],
        "limits": (f"{sweep.conclusion} The best of these trials is not the best there is."),
    }


def _finding(sweep: SweepRecord) -> str:
    count = len(sweep.trials)
    which = "The only trial" if count == 1 else f"The best of {count:,} trials"
    # All further seeds diverged.
    if sweep.best is None:
        return f"{which} diverges with other seeds"
    if sweep.default is None or sweep.p_value is None:
        return f"{which} reaches {percent(sweep.best.accuracy)} on held-out images that did not choose it"
    if sweep.p_value >= SIGNIFICANCE:
        return f"{which} is not shown to be better than the default"
    better = sweep.best.accuracy > sweep.default.accuracy
    return f"{which} is {'better' if better else 'worse'} than the default on held-out images that did not choose it"


def _trials(sweep: SweepRecord) -> Section:
    trials = sweep.trials
    winner = ", ".join(f"{name} {value_text(value)}" for name, value in trials[0].values.items())
    title = printable(f"Best on the images that choose: {winner}")
    look = (
        "Each dot is a trial; the large one is the best. The vertical axis is logarithmic in errors. Dots of one value "
        "lie side by side."
    )
    if len(trials) > MAX_DOTS:
        look += f" Of {len(trials):,} trials the best {MAX_DOTS:,} are drawn."
    chart = Chart("sweep-trials", title, look, draw_sweep(trials, sweep.num_choice, title), is_wide=True)
    return Section(
        "trials",
        "Trials",
        f"Every trial: its values, and its accuracy on the {sweep.num_choice:,} images that choose.",
        "A field may matter only together with another one, which no single panel shows.",
        [chart, _table(trials, sweep.chance), *([divergence_table(sweep.diverged)] if sweep.diverged else [])],
    )


def _table(trials: Sequence[Trial], chance: float) -> Table:
    names = list(trials[0].values)
    rows = [
        [
            f"{trial.number:,}",
            *(value_text(trial.values[name]) for name in names),
            trial.format_choice(chance, percent),
            f"{trial.parameters:,}",
            f"{trial.seconds:.2f}",
        ]
        for trial in trials[:_MAX_ROWS]
    ]
    header = ("Trial", *names, "Accuracy", "Parameters", "Seconds")
    title = "Trials" if len(trials) <= _MAX_ROWS else f"The best {_MAX_ROWS} trials"
    return Table(title, "The best one first. sweep.json has all of them.", header, rows, left=0)
