"""`convscope evidence`: how far a run's predictions can be trusted, one file in the run folder per topic."""

import shlex
from dataclasses import replace
from pathlib import Path

import click

from convscope.cli.hints import Choice
from convscope.cli.job import in_options, run_of
from convscope.cli.options import index_option, json_option, print_json, run_argument
from convscope.cli.output import echo
from convscope.cli.progress import JobProgress
from convscope.cli.records import EvidenceOutput
from convscope.runs.pipeline import EvidenceRequest, evidence_job
from convscope.runs.topics import TOPICS


@click.command()
@run_argument
@click.argument("topics", metavar="[TOPIC]...", nargs=-1, type=Choice(TOPICS))
@index_option
@json_option
def evidence(run_path: Path, topics: tuple[str, ...], index: int, as_json: bool) -> None:
    """Measure how far a run's predictions can be trusted, and add the results to its report.

    RUN is a run folder. A TOPIC is one of calibration, rejection, filters, attributions, embedding, ablation,
    robustness, attacks and audit. Named topics are measured again; without a TOPIC, all that are missing are measured.
    Each topic has its own JSON file. The test images choose nothing.

    Calibration and rejection need images that the network was not trained on, and the audit needs out-of-fold
    predictions. Unless the run held images out, five networks like it are trained for this, each on four fifths of the
    images. If the run started from another network (--from), they start from it too. These topics are left out if that
    network was trained on the same images, or if the network was imported and its training images are unknown.
    """
    timings = dict[str, float]()
    with run_of(run_path, quiet=as_json) as (folder, splits), JobProgress(quiet=as_json) as progress:
        listeners = replace(progress.listeners(), on_left_out=_left_out)
        try:
            request = EvidenceRequest(topics, index)
            measured, path = evidence_job(folder, splits, request, timings, listeners)
        except KeyboardInterrupt:
            raise click.ClickException(
                "interrupted; finished topics are kept; to continue, run: "
                + shlex.join(["convscope", "evidence", str(folder.path)])
            ) from None
    if as_json:
        print_json(EvidenceOutput(run=str(folder.path), evidence=measured, timings={**timings}, report=str(path)))
    else:
        echo(f"Finished in {sum(timings.values()):.1f} s. The report is {path}")


def _left_out(sentence: str) -> None:
    echo(in_options(f"Left out: {sentence}"), err=True)
