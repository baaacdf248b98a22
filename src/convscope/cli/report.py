"""`convscope report`: the figures and the page of a trained run."""

from collections.abc import Sequence
from pathlib import Path
from time import perf_counter
from typing import Any

import click

from convscope.base.errors import RunError
from convscope.cli import job
from convscope.cli.evidence import QUICK, Subject, measure_topics
from convscope.cli.job import Trained
from convscope.cli.options import index_option, json_option, print_json, run_argument
from convscope.cli.output import echo
from convscope.data.datasets import Splits
from convscope.evidence.comparison import Comparison
from convscope.evidence.evaluation import Evaluation
from convscope.evidence.explanation import explain
from convscope.report import report_payload, write_figures, write_report
from convscope.report.evidence import TOPICS, RenderedSection, render_evidence
from convscope.storage import RunFolder


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
    if payload:
        trained, evaluation, comparison, baseline = _load(folder, splits)
        subject = Subject(folder, splits, trained.model, quiet=True)
        found = _evidence(subject, timings)
        rendered = render_evidence(found)
        print_json(_payload(trained, subject, evaluation, comparison, baseline, index, timings, found, rendered))
        return
    path = report_of(folder, splits, index, timings)
    timings["total"] = perf_counter() - start
    if as_json:
        print_json({"run": str(folder.path), "report": str(path), "timings": timings})
    else:
        echo(f"{timings['total']:.1f} s; the report is {path}")
    if open_report:
        click.launch(str(path))


def report_of(folder: RunFolder, splits: Splits, index: int, timings: dict[str, float]) -> Path:
    """Write the report of the run in `folder` again from what is there, and return the page's path."""
    trained, evaluation, comparison, baseline = _load(folder, splits)
    return write_run_report(trained, splits, evaluation, comparison, baseline, index, timings)


def _load(folder: RunFolder, splits: Splits) -> tuple[Trained, Evaluation, Comparison | None, Trained | None]:
    trained = Trained(folder, folder.load_model(), folder.load_history())
    evaluation = job.evaluate_run(folder, trained.model, splits.test)
    return trained, evaluation, *_baseline(trained, splits, evaluation)


def write_run_report(
    trained: Trained,
    splits: Splits,
    evaluation: Evaluation,
    comparison: Comparison | None,
    baseline: Trained | None,
    index: int,
    timings: dict[str, float],
) -> Path:
    """Measure what is quickly measured of the model, draw the figures and write the page; return its path."""
    folder = trained.folder
    subject = Subject(folder, splits, trained.model, quiet=True)
    evidence = _evidence(subject, timings)
    with job.timed(timings, "report"):
        rendered = render_evidence(evidence)
    payload = _payload(trained, subject, evaluation, comparison, baseline, index, timings, evidence, rendered)
    folder.write("explanation.json", payload["explanation"])
    with job.timed(timings, "report"):
        write_figures(folder.place("figures"), payload, rendered)
        return write_report(folder.path, payload, rendered)


def _evidence(subject: Subject, timings: dict[str, float]) -> dict[str, dict[str, Any]]:
    """Return what is kept of the run by topic, after measuring what is quickly measured and not there yet."""
    known = subject.folder.read_evidence(TOPICS, subject.model)
    return known | measure_topics(subject, [topic for topic in QUICK if topic not in known], timings)


def _payload(
    trained: Trained,
    subject: Subject,
    evaluation: Evaluation,
    comparison: Comparison | None,
    baseline: Trained | None,
    index: int,
    timings: dict[str, float],
    evidence: dict[str, dict[str, Any]],
    rendered: Sequence[RenderedSection],
) -> dict[str, object]:
    with job.timed(timings, "explain"):
        explanation = explain(trained.model, subject.splits.test, index)
    with job.timed(timings, "report"):
        return report_payload(
            model=trained.model,
            splits=subject.splits,
            recipe=trained.folder.recipe,
            history=trained.history,
            evaluation=evaluation,
            explanation=explanation,
            means=subject.means,
            comparison=comparison,
            baseline=baseline.model if baseline else None,
            baseline_history=baseline.history if baseline else None,
            snapshots=trained.folder.load_snapshots(),
            baseline_snapshots=baseline.folder.load_snapshots() if baseline else None,
            evidence=evidence,
            rendered=rendered,
            record={**trained.folder.read("run.json"), "timings": dict(timings)},
        )


def _baseline(trained: Trained, splits: Splits, evaluation: Evaluation) -> tuple[Comparison | None, Trained | None]:
    """Return the comparison with the run in baseline/, where there is a finished one."""
    folder = trained.folder
    if not folder.has("baseline/DONE"):
        return None, None
    other = job.baseline_folder(folder, splits)
    if other is None:
        raise RunError(f"{folder.path / 'baseline'}: no run.json there; remove the folder or run again")
    baseline = Trained(other, other.load_model(), other.load_history())
    evaluations = (evaluation, job.evaluate_run(other, baseline.model, splits.test))
    models, histories = (trained.model, baseline.model), (trained.history, baseline.history)
    return job.compare_runs(models, histories, evaluations, splits.test.images), baseline
