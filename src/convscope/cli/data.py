"""`convscope data`: the data sets, what to check in one, and a corrected copy."""

from pathlib import Path

import click

from convscope.base.tables import csv_line, printable, text_table
from convscope.cli.hints import HintingGroup
from convscope.cli.loading import loading_options
from convscope.cli.options import PATH, json_option, print_json
from convscope.cli.output import echo, format_command
from convscope.cli.progress import StepProgress
from convscope.data.datasets import DATASETS, LoadOptions, Splits
from convscope.data.datasets.named.sources import locate
from convscope.runs.fixing import fix_labels
from convscope.runs.inspecting import inspect_named, list_doubtful_images

_dataset_argument = click.argument("dataset", metavar="NAME_OR_PATH")


@click.group(cls=HintingGroup)
def data() -> None:
    """List, check or correct data sets."""


@data.command("list")
@json_option
def list_datasets(as_json: bool) -> None:
    """List the named data sets and the place of their files."""
    paths = {name: locate(entry) for name, entry in DATASETS.items()}  # None if not on this machine
    if as_json:
        print_json([entry.to_record(paths[name]) for name, entry in DATASETS.items()])
        return
    for name, entry in DATASETS.items():
        path = paths[name]
        echo(printable(f"{name}: {entry.title}"))
        echo(printable(f"  files:   {'not on this machine; downloaded at first use' if path is None else path}"))
        echo(printable(f"  licence: {entry.licence}"))
        echo(printable(f"  source:  {entry.source}"))


@data.command("info")
@_dataset_argument
@loading_options
@click.option("--csv", "as_csv", is_flag=True, help="Print the copies, blank and damaged pictures as CSV, with files.")
@json_option
def inspect_data(dataset: str, loading: LoadOptions, as_csv: bool, as_json: bool) -> None:
    """Check a data set for common problems: counts, balance, duplicates, range, polarity and more.

    NAME_OR_PATH is a name from `convscope data list`, or a file or folder. Nothing is trained or changed. Faults come
    first, then warnings, then notes, each with advice.
    """
    if as_csv and as_json:
        raise click.UsageError("--csv and --json: choose one")
    if as_csv:
        for row in list_doubtful_images(dataset, loading):
            echo(csv_line(row), nl=False)
        return
    with StepProgress(quiet=as_json) as progress:
        splits, info = inspect_named(dataset, loading, progress.listeners())
    if as_json:
        print_json(info)
    else:
        echo(printable(f"{splits.name}: {info.title or dataset}"))
        echo(printable(f"licence: {info.licence or 'unknown; ask the source of the files'}"))
        echo("images:  {} × {} × {} (height × width × channels)".format(*splits.image_shape))
        for name, fact in (("source: ", info.source), ("reached:", info.accuracy), ("note:   ", info.notes)):
            if fact:
                echo(printable(f"{name} {fact}"))
        echo(f"\n{info.inspection}\n\n{_format_digests(splits)}")
        if damaged := splits.num_damaged:
            echo(f"\n{damaged:,} damaged {'picture was' if damaged == 1 else 'pictures were'} left out.")
        if damaged or any(finding.topic in ("duplicates", "blank") for finding in info.inspection.findings):
            echo("\nAdd --csv to list every copy, blank and damaged picture.")
        echo(f"\nTo train on these images, run: {format_command().replace('data info', 'run --dataset', 1)}")


@data.command("fix")
@_dataset_argument
@click.argument("corrections", type=PATH)
@click.option("--out", type=PATH, required=True, help="New folder or .npz file for the copy.")
@loading_options
@json_option
def fix(dataset: str, corrections: Path, out: Path, loading: LoadOptions, as_json: bool) -> None:
    """Write a copy of a data set with corrected labels.

    NAME_OR_PATH is the data set of the run, and CORRECTIONS the list that its page clean.html saved. Give the same
    options as to the run. The copy has both splits: a folder of pictures, or an .npz file if the images have no files
    of their own. The original is not changed. To undo a correction, remove its line and write another copy.
    """
    with StepProgress(quiet=as_json) as progress:
        result = fix_labels(dataset, corrections, out, loading, progress.on_download)
    if as_json:
        print_json(result)
    else:
        echo(printable(f"Wrote {out}"))
        echo(f"\n{result}")


def _format_digests(splits: Splits) -> str:
    """Make the table of digests: of each file, and of each split, whose digest does not depend on the file format."""
    # Both splits may come from one file, which is listed once.
    files = dict.fromkeys((*splits.train.source, *splits.test.source))
    rows = [(file.name, file.sha256) for file in files]
    rows += [(f"the {split.split} split", split.sha256) for split in (splits.train, splits.test)]
    return text_table(("digest of", "SHA-256"), rows, left=2)
