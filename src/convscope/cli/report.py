"""`convscope report`: the figures and the page of a trained run."""

from pathlib import Path
from time import perf_counter

import click

from convscope.checkpoint import RunFolder
from convscope.cli import job
from convscope.cli.options import index_option, json_option, print_json, run_argument
from convscope.comparison import Comparison
from convscope.datasets import Splits
from convscope.errors import RunError
from convscope.evaluation import Evaluation, evaluate
from convscope.explanation import explain
from convscope.model import Model
from convscope.report import report_payload, write_figures, write_report
from convscope.training import History


@click.command()
@run_argument
@index_option
@click.option("--payload", is_flag=True, help="Print all that the page shows as one JSON document; write nothing.")
@click.option("--open", "open_report", is_flag=True, help="Open the report when it is written.")
@json_option
def report(run_path: Path, index: int, payload: bool, open_report: bool, as_json: bool) -> None:
    """Write the figures and the report of a trained run again.

    RUN is a run folder. The report is report.html in it, one file that needs no network.
    """
    start, timings = perf_counter(), dict[str, float]()
    folder, splits = job.resume_run(run_path)
    job.check_index(index, splits)
    model, history = folder.load_model(), folder.load_history()
    evaluation = evaluate(model, splits.test)
    comparison, baseline_history = _baseline(folder, splits, model, history, evaluation)
    results = (model, history, evaluation, comparison, baseline_history)
    if payload:
        print_json(_payload(folder, splits, *results, index, timings))
        return
    path = write_run_report(folder, splits, *results, index, timings)
    timings["total"] = perf_counter() - start
    if as_json:
        print_json({"run": str(folder.path), "report": str(path), "timings": timings})
    else:
        click.echo(f"{timings['total']:.1f} s; the report is {path}")
    if open_report:
        click.launch(str(path))


def write_run_report(
    folder: RunFolder,
    splits: Splits,
    model: Model,
    history: History,
    evaluation: Evaluation,
    comparison: Comparison | None,
    baseline_history: History | None,
    index: int,
    timings: dict[str, float],
) -> Path:
    """Look inside the model, draw the figures and write the page; return the page's path."""
    results = (model, history, evaluation, comparison, baseline_history)
    payload = _payload(folder, splits, *results, index, timings)
    folder.write("explanation.json", payload["explanation"])
    with job.timed(timings, "report"):
        write_figures(folder.path / "figures", payload)
        return write_report(folder.path, payload)


def _payload(
    folder: RunFolder,
    splits: Splits,
    model: Model,
    history: History,
    evaluation: Evaluation,
    comparison: Comparison | None,
    baseline_history: History | None,
    index: int,
    timings: dict[str, float],
) -> dict[str, object]:
    with job.timed(timings, "explain"):
        explanation = explain(model, splits.test, index)
    return report_payload(
        model=model,
        splits=splits,
        recipe=folder.recipe,
        history=history,
        evaluation=evaluation,
        explanation=explanation,
        comparison=comparison,
        baseline_history=baseline_history,
        record={**folder.read("run.json"), "timings": dict(timings)},
    )


def _baseline(
    folder: RunFolder, splits: Splits, model: Model, history: History, evaluation: Evaluation
) -> tuple[Comparison | None, History | None]:
    """Return the comparison with the run in baseline/, where there is a finished one."""
    if not (folder.path / "baseline" / "DONE").exists():
        return None, None
    other = job.baseline_folder(folder, splits)
    if other is None:
        raise RunError(f"{folder.path / 'baseline'}: no run.json there; remove the folder or run again")
    other_model, other_history = other.load_model(), other.load_history()
    evaluations = (evaluation, evaluate(other_model, splits.test))
    return job.compare_runs((model, other_model), (history, other_history), evaluations), other_history
