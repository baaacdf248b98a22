"""`convscope data`: the data sets, what to check in one, a corrected copy, and a single image as numbers."""

import os
from pathlib import Path
from typing import Literal

import click

from convscope.base.errors import ConvscopeError
from convscope.base.files import check_free, write_bytes
from convscope.base.records import to_tuple
from convscope.base.tables import csv_line, printable, text_table
from convscope.cli.hints import Choice, HintingGroup
from convscope.cli.loading import loading_options
from convscope.cli.options import json_option, print_json
from convscope.cli.output import echo, format_command
from convscope.cli.progress import StepProgress
from convscope.cli.records import DataShowOutput
from convscope.data.datasets import DATASETS, LoadOptions, Splits
from convscope.data.datasets.named.sources import locate
from convscope.data.datasets.pictures import image_png, matrix_text
from convscope.runs.data import load_data
from convscope.runs.fixing import fix_labels
from convscope.runs.inspecting import inspect_named, list_doubtful_images

_COLOURS = ("red", "green", "blue")  # the channels of an image that has three

_dataset_argument = click.argument("dataset", metavar="NAME_OR_PATH")


@click.group(cls=HintingGroup)
def data() -> None:
    """List, check, correct or show data sets."""


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
@click.argument("corrections", type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), required=True, help="New folder or .npz file for the copy.")
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


@data.command()
@_dataset_argument
@loading_options
@click.option(
    "--split", type=Choice(["train", "test"]), default="train", show_default=True, help="Split that the image is in."
)
@click.option("--index", type=int, default=0, show_default=True, help="Index of the image, from 0.")
@click.option("--png", "png_path", type=click.Path(path_type=Path), help="PNG file for the image.")
@click.option("--force", is_flag=True, help="Allow --png to replace a file.")
@json_option
def show(
    dataset: str,
    loading: LoadOptions,
    split: Literal["train", "test"],
    index: int,
    png_path: Path | None,
    force: bool,
    as_json: bool,
) -> None:
    """Print an image as a matrix of numbers, with its label."""
    with StepProgress(quiet=as_json) as progress:
        _, splits = load_data(dataset, loading, progress.on_download)
    part = splits.train if split == "train" else splits.test
    # Checked here, since a negative index would count from the end.
    if not 0 <= index < len(part):
        raise ConvscopeError(f"--index {index}: the {split} split of {part.name} has images 0 to {len(part) - 1}")
    image = part.images[index]
    label = int(part.labels[index])
    if png_path is not None:
        check_free(png_path, force=force)
        write_bytes(png_path, image_png(image))
    if as_json:
        print_json(
            DataShowOutput(
                name=part.name,
                split=split,
                index=index,
                label=label,
                class_name=part.class_names[label],
                image=to_tuple(image),
                # A file name may hold bytes that are no text, which JSON cannot hold.
                png=None if png_path is None else os.fsencode(png_path).decode(errors="replace"),
            )
        )
        return
    height, width, channels = part.image_shape
    echo(printable(f"{part.name}, {split}, image {index} of {len(part):,}"))
    echo(printable(f"label {label}, class {part.class_names[label]}"))
    echo(f"{height} × {width} pixels (height × width), {channels} {'channel' if channels == 1 else 'channels'}")
    for channel in range(channels):
        name = f", {_COLOURS[channel]}" if channels == 3 else ""
        title = f"\nchannel {channel}{name}" if channels > 1 else ""
        echo(f"{title}\n{matrix_text(image[:, :, channel])}")
    if png_path is not None:
        echo(f"\n{printable(f'picture: {png_path}')}")


def _format_digests(splits: Splits) -> str:
    """Make the table of digests: of each file, and of each split, whose digest does not depend on the file format."""
    # Both splits may come from one file, which is listed once.
    files = dict.fromkeys((*splits.train.source, *splits.test.source))
    rows = [(file.name, file.sha256) for file in files]
    rows += [(f"the {split.split} split", split.sha256) for split in (splits.train, splits.test)]
    return text_table(("digest of", "SHA-256"), rows, left=2)
