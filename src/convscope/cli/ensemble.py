"""`convscope ensemble`: trained runs joined into one network."""

from pathlib import Path

import click

from convscope.base.tables import printable
from convscope.cli.job import print_result
from convscope.cli.options import folders_argument, json_option, out_option, print_json
from convscope.cli.output import echo, format_command
from convscope.cli.progress import StepProgress
from convscope.cli.records import EnsembleOutput, MemberOfEnsemble
from convscope.runs.ensembling import ensemble_run


@click.command()
@folders_argument
@click.option("--group", help='Only the runs of this group, named as by `convscope compare`, such as "cnn, fast".')
@out_option
@json_option
def ensemble(folders: tuple[Path, ...], group: str | None, out: Path | None, as_json: bool) -> None:
    """Join trained runs into one network, evaluate it, explain it, and write a report.

    A FOLDER is a run, a folder of runs, or an experiment; its finished runs become members. They must have the
    same data, and their architectures may differ. The probabilities of the ensemble are the mean of its members'. It
    is compared with its members on the test images. The result is a run folder without a training history.
    """
    with StepProgress(quiet=as_json) as progress:
        result = ensemble_run(folders, group, out, format_command(), progress.listeners())
    evaluation, comparison = result.measured.evaluation, result.against_members
    if as_json:
        members = result.measured.folder.record.members or ()
        print_json(
            EnsembleOutput(
                run=str(result.measured.folder.path),
                members=tuple(MemberOfEnsemble(run=member.run, seed=member.seed) for member in members),
                evaluation=evaluation.to_record(),
                against_members=comparison.to_record(),
                left_out=tuple(result.left_out),
                timings={**result.timings},
            )
        )
    else:
        for line in result.left_out:
            echo(printable(f"Left out: {line}"))
        last = f"Finished in {result.timings['total']:.1f} s. The report is {result.report}"
        print_result([evaluation, comparison, last])
