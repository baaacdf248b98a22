"""`convscope evidence`: what a run's answers are worth, topic by topic, each into a file of the run folder."""

from dataclasses import replace
from pathlib import Path
from typing import get_args

import click

from convscope.cli.job import in_options, run_of
from convscope.cli.options import index_option, json_option, print_json, run_argument
from convscope.cli.output import echo
from convscope.cli.progress import JobProgress
from convscope.evidence.explanation import EmbeddingMethod
from convscope.runs.pipeline import EvidenceRequest, evidence_job
from convscope.runs.topics import TOPICS


@click.command()
@run_argument
@click.argument("topics", metavar="[TOPIC]...", nargs=-1, type=click.Choice(TOPICS))
@click.option(
    "--embedding",
    type=click.Choice(get_args(EmbeddingMethod)),
    default="pca",
    show_default=True,
    help="How the last hidden layer comes into the plane; the others need convscope[embedding].",
)
@index_option
@json_option
def evidence(run_path: Path, topics: tuple[str, ...], embedding: EmbeddingMethod, index: int, as_json: bool) -> None:
    """Measure what a run's answers are worth, and put it on its page.

    RUN is a run folder. A TOPIC is one of calibration, rejection, filters, attributions, embedding, ablation,
    robustness, attacks and audit; those named are measured anew, and with none named all that were not measured yet.
    Calibration and rejection need images that the network did not train on, and the audit an answer to each training
    image from a network that did not see it: for these, networks like it are trained on four fifths of the images each,
    unless the run held images out itself. Where a run started from another network (--from), they start from it too; so
    what needs unseen images cannot be measured if that network was trained on some of them. Nor can it be of an
    imported network, whose training nobody here knows. Each topic goes to its own JSON file. Nothing is chosen by the
    test images.
    """
    timings = dict[str, float]()
    with run_of(run_path, quiet=as_json) as (folder, splits), JobProgress(quiet=as_json) as progress:
        listeners = replace(progress.listeners(), on_left_out=_left_out)
        try:
            request = EvidenceRequest(topics, embedding, index)
            measured, path = evidence_job(folder, splits, request, timings, listeners)
        except KeyboardInterrupt:
            raise click.ClickException(
                f"interrupted; what was measured is kept; go on with: convscope evidence {folder.path}"
            ) from None
    if as_json:
        print_json({"run": str(folder.path), "evidence": measured, "timings": timings, "report": str(path)})
    else:
        echo(f"{sum(timings.values()):.1f} s; the report is {path}")


def _left_out(sentence: str) -> None:
    echo(in_options(f"Left out: {sentence}"), err=True)
