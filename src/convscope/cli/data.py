"""`convscope data`: which data sets there are, what is in one, and one image number by number."""

import os
import shlex
from pathlib import Path
from tempfile import mkdtemp

import click

from convscope.base.errors import ConvscopeError
from convscope.base.files import write_bytes
from convscope.base.tables import printable, text_table
from convscope.cli.loading import load, loading_options
from convscope.cli.options import json_option, print_json
from convscope.cli.output import echo
from convscope.cli.progress import DownloadProgress
from convscope.data.datasets import DATASETS, LoadOptions, Splits
from convscope.data.datasets.named.sources import located
from convscope.data.datasets.pictures import image_png, matrix_text
from convscope.experiment.run_json import loading_words
from convscope.runs.inspecting import inspect_named
from convscope.runs.listeners import Listeners

_COLOURS = ("red", "green", "blue")  # as the picture shows three channels

_dataset_argument = click.argument("dataset", metavar="NAME_OR_PATH")


@click.group()
def data() -> None:
    """List data sets, tell what a person would check first in one, or show an image as its matrix."""


@data.command("list")
@json_option
def list_datasets(as_json: bool) -> None:
    """List the data sets that have a name, and where their files are."""
    places = {name: located(entry) for name, entry in DATASETS.items()}
    if as_json:
        print_json([entry.to_dict() | {"located": places[name]} for name, entry in DATASETS.items()])
        return
    for name, entry in DATASETS.items():
        place = places[name]
        echo(printable(f"{name}: {entry.title}"))
        echo(printable(f"  files:   {'not here; they are fetched when asked for' if place is None else place}"))
        echo(printable(f"  licence: {entry.licence}"))
        echo(printable(f"  source:  {entry.source}"))


@data.command()
@_dataset_argument
@loading_options
@click.option("--page", "page_path", type=click.Path(path_type=Path), help="Write all of it to this HTML file.")
@click.option("--force", is_flag=True, help="Let --page replace a file.")
@click.option("--open", "open_page", is_flag=True, help="Open the page when it is written; without --page a new one.")
@json_option
def info(
    dataset: str,
    test_fraction: float | None,
    split_seed: int,
    image_size: tuple[int, int] | None,
    page_path: Path | None,
    force: bool,
    open_page: bool,
    as_json: bool,
) -> None:
    """Tell what a person would check first in a data set: counts, balance, duplicates, range, orientation and more.

    NAME_OR_PATH is a name that `list` prints, or a file or folder. Nothing is trained and nothing changed. What needs a
    person's eye comes first, faults before warnings before notes, each with what to do about it.
    """
    if page_path is None and open_page:
        page_path = _new_page(dataset)
    if page_path is not None and os.path.lexists(page_path) and not force:
        raise ConvscopeError(f"{page_path}: is there already; choose another file, or replace it with --force")
    with DownloadProgress(quiet=as_json) as progress:
        listeners = Listeners(on_download=progress.on_progress)
        found = inspect_named(dataset, LoadOptions(test_fraction, split_seed, image_size), listeners)
    if page_path is not None:
        found.write_page(page_path, _command(click.get_current_context()))
    if as_json:
        page = None if page_path is None else os.fsencode(page_path).decode(errors="replace")
        print_json({**found.to_dict(), "page": page})
    else:
        about = found.about
        echo(printable(f"{found.splits.name}: {about['title'] or dataset}"))
        echo(printable(f"licence: {about['licence'] or 'not known here; ask where the files come from'}"))
        for name, key in (("source: ", "source"), ("reached:", "accuracy"), ("note:   ", "notes")):
            if about[key]:
                echo(printable(f"{name} {about[key]}"))
        echo(f"\n{found.inspection}\n\n{_sizes(found.splits)}\n\n{_digests(found.splits)}")
        if page_path is not None:
            echo(f"\n{printable(f'The page is {page_path}')}")
    if open_page:
        click.launch(str(page_path))


@data.command()
@_dataset_argument
@loading_options
@click.option("--split", type=click.Choice(["train", "test"]), default="train", show_default=True)
@click.option("--index", type=int, default=0, show_default=True, help="Which image, counted from 0.")
@click.option("--png", "png_path", type=click.Path(path_type=Path), help="Write the image to this file as a picture.")
@click.option("--force", is_flag=True, help="Let --png replace a file.")
@json_option
def show(
    dataset: str,
    test_fraction: float | None,
    split_seed: int,
    image_size: tuple[int, int] | None,
    split: str,
    index: int,
    png_path: Path | None,
    force: bool,
    as_json: bool,
) -> None:
    """Print an image as its matrix of numbers, in full, with its label."""
    splits = load(dataset, test_fraction, split_seed, image_size, quiet=as_json)
    chosen = splits.train if split == "train" else splits.test
    if not 0 <= index < len(chosen):
        raise ConvscopeError(
            f"--index {index}: the {split} split of {chosen.name} has images 0 to {len(chosen) - 1}; choose one of them"
        )
    image = chosen.images[index]
    label = int(chosen.labels[index])
    if png_path is not None:
        if os.path.lexists(png_path) and not force:
            raise ConvscopeError(f"{png_path}: is there already; choose another file, or replace it with --force")
        write_bytes(png_path, image_png(image))
    if as_json:
        print_json(
            {
                "name": chosen.name,
                "split": split,
                "index": index,
                "label": label,
                "class_name": chosen.class_names[label],
                "image": image.tolist(),
                "png": None if png_path is None else os.fsencode(png_path).decode(errors="replace"),
            }
        )
        return
    height, width, channels = chosen.image_shape
    echo(printable(f"{chosen.name}, {split}, image {index} of {len(chosen):,}"))
    echo(printable(f"label {label}, class {chosen.class_names[label]}"))
    echo(f"{height} × {width} pixels, {channels} {'channel' if channels == 1 else 'channels'}")
    for channel in range(channels):
        name = f", {_COLOURS[channel]}" if channels == 3 else ""
        title = f"\nchannel {channel}{name}" if channels > 1 else ""
        echo(f"{title}\n{matrix_text(image[:, :, channel])}")
    if png_path is not None:
        echo(f"\n{printable(f'picture: {png_path}')}")


def _command(context: click.Context) -> str:
    """Return the command that makes the page again."""
    asked = (context.params[name] for name in ("test_fraction", "split_seed", "image_size"))
    words = ["convscope", "data", "info", context.params["dataset"], *loading_words(LoadOptions(*asked))]
    if page := context.params["page_path"]:
        words += ["--page", str(page), "--force"]
    return shlex.join(words)


def _new_page(dataset: str) -> Path:
    """Return a file for a page that nothing is said about: a new one in the folder of temporary files."""
    words = "".join(letter if letter.isalnum() else "-" for letter in Path(dataset).name)[:40] or "data"
    return Path(mkdtemp(prefix="convscope-")) / f"{words}.html"


def _sizes(splits: Splits) -> str:
    halves = (splits.train, splits.test)
    rows: list[tuple[str, ...]] = [
        ("shape of the images", *(str(half.images.shape) for half in halves)),
        ("type of the images", *(str(half.images.dtype) for half in halves)),
        ("shape of the labels", *(str(half.labels.shape) for half in halves)),
        ("type of the labels", *(str(half.labels.dtype) for half in halves)),
    ]
    return text_table(("", "training", "test"), rows)


def _digests(splits: Splits) -> str:
    """The files, each once, and the two splits as such, which are equal whatever files they came in."""
    files = dict.fromkeys((*splits.train.source, *splits.test.source))
    rows = [(file.name, file.sha256) for file in files]
    rows += [(f"the {half.split} split", half.sha256) for half in (splits.train, splits.test)]
    return text_table(("digest of", "SHA-256"), rows, left=2)
