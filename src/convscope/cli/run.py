"""`convscope run`: the main job, from the data to the report."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from convscope.cli import job
from convscope.cli.cautions import cautions_of, show_cautions
from convscope.cli.options import index_option, json_option, open_trackers, print_json, training_options
from convscope.cli.output import echo
from convscope.cli.record import JobOptions, job_record
from convscope.cli.resume import begin
from convscope.cli.seeds import train_seeds
from convscope.evidence.comparison import Comparison


@click.command()
@training_options
@click.option("--baseline/--no-baseline", default=True, show_default=True, help="Compare with a dense network.")
@click.option(
    "--seeds",
    type=click.IntRange(min=1),
    help="Runs of each network, from --seed on; by default 5, or as many as half a minute more allows.",
)
@index_option
@click.option("--open", "open_report", is_flag=True, help="Open the report when it is written.")
@json_option
def run(
    resume: Path | None,
    baseline: bool,
    seeds: int | None,
    index: int,
    open_report: bool,
    trackers: tuple[str, ...],
    as_json: bool,
    **asked: Any,
) -> None:
    """Train, measure, look inside, compare with a dense network, and write the report.

    All of it lands in one folder under runs/, the report as report.html. The network that the report looks into is that
    of --seed; further seeds say how far its accuracy is luck.
    """
    timings = dict[str, float]()
    tracking = open_trackers(trackers)
    with job.timed(timings, "load"):
        folder, splits, options = begin(resume, asked, JobOptions(baseline, seeds, index))
    job.follow(folder, tracking)
    cautions = cautions_of(folder, splits)
    if not as_json:
        echo(job.describe(folder.architecture, splits, folder))
        show_cautions(cautions)
    comparison: Comparison | None = None
    trained_other: job.Trained | None = None
    try:
        model, history = job.train_run(folder, splits, timings, "train", tracking, quiet=as_json)
        memory = job.memory_of(folder, splits)
        with job.timed(timings, "evaluate"):
            evaluation = job.measure_run(folder, model, splits)
        trained = job.Trained(folder, model, history)
        measured = [(trained, evaluation)]
        other = job.baseline_folder(folder, splits) if options.baseline else None
        if other is not None:
            other_model, other_history = job.train_run(other, splits, timings, "baseline", tracking, quiet=as_json)
            with job.timed(timings, "baseline"):
                other_evaluation = job.measure_run(other, other_model, splits)
                other.finish()
            comparison = job.compare_runs(
                (model, other_model), (history, other_history), (evaluation, other_evaluation), splits.test.images
            )
            folder.write("comparison.json", comparison.to_dict())
            trained_other = job.Trained(other, other_model, other_history)
            measured.append((trained_other, other_evaluation))
        seed_runs = train_seeds(measured, splits, options.seeds, timings, quiet=as_json)
        if seed_runs is not None:
            folder.write_evidence("seeds", seed_runs.to_dict(), model)
        count = 1 if seed_runs is None else len({one.seed for one in seed_runs.experiment.runs})
        record = folder.read("run.json")  # another machine would find time for another number
        command = job_record(folder.path, record, replace(options, seeds=count))["command"]
        folder.write("run.json", {**record, "command": command})
        with job.timed(timings, "report"):  # matplotlib takes its time to load
            from convscope.cli.report import write_run_report

        report = write_run_report(trained, splits, evaluation, comparison, trained_other, options.index, timings)
    except KeyboardInterrupt:
        raise job.interrupted(folder, "run") from None
    timings["total"] = sum(timings.values())
    seconds = {**timings, "memory": memory.to_dict()}
    folder.write("timings.json", seconds)
    folder.finish()
    if as_json:
        print_json(
            {
                "run": str(folder.path),
                "evaluation": evaluation.to_dict(),
                "warnings": cautions,
                "comparison": None if comparison is None else comparison.to_dict(),
                "seeds": None if seed_runs is None else seed_runs.to_dict(),
                "timings": seconds,
            }
        )
    else:
        values = [evaluation, comparison, seed_runs]
        last = (
            f"What its answers are worth beyond that: convscope evidence {folder.path}\n"
            f"{timings['total']:.1f} s in all; the report is {report}"
        )
        job.print_result([*filter(None, values), last])
    if open_report:
        click.launch(str(report))
