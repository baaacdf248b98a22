"""`convscope data`: which data sets there are, what is in one, and one image number by number."""

import os
from pathlib import Path
from typing import Any

import click
from numpy.typing import NDArray

from convscope.cli.options import json_option, print_json
from convscope.datasets import DATASETS, Splits, load_dataset
from convscope.datasets.pictures import image_png
from convscope.errors import ConvscopeError
from convscope.files import write_bytes
from convscope.tables import clip, printable, text_table

_NAME_WIDTH = 40
_COLOURS = ("red", "green", "blue")  # as the picture shows three channels

_dataset_argument = click.argument("dataset", metavar="NAME_OR_PATH")


@click.group()
def data() -> None:
    """List data sets, tell what is in one, or show an image as its matrix."""


@data.command("list")
@json_option
def list_datasets(as_json: bool) -> None:
    """List the data sets that have a name."""
    if as_json:
        print_json([entry.to_dict() for entry in DATASETS.values()])
        return
    for entry in DATASETS.values():
        click.echo(f"{entry.name}: {entry.title}\n  licence: {entry.licence}\n  source:  {entry.source}")


@data.command()
@_dataset_argument
@json_option
def info(dataset: str, as_json: bool) -> None:
    """Print what is in both splits: sizes, shapes, types, range, class counts, digests.

    NAME_OR_PATH is a name that `list` prints, a folder with four IDX files, or an .npz archive.
    """
    splits = load_dataset(dataset)
    entry = DATASETS.get(dataset)
    if as_json:
        known = entry.to_dict() if entry else {"title": None, "licence": None, "source": None}
        about = {key: known[key] for key in ("title", "licence", "source")}
        print_json({"name": splits.name, **about, **splits.to_dict()})
        return
    click.echo(printable(f"{splits.name}: {entry.title if entry else dataset}"))
    click.echo(f"licence: {entry.licence if entry else 'not known here; ask where the files come from'}")
    if entry:
        click.echo(f"source:  {entry.source}")
    click.echo(f"\n{_sizes(splits)}\n\n{_class_counts(splits)}\n\n{_digests(splits)}")


@data.command()
@_dataset_argument
@click.option("--split", type=click.Choice(["train", "test"]), default="train", show_default=True)
@click.option("--index", type=int, default=0, show_default=True, help="Which image, counted from 0.")
@click.option("--png", "png_path", type=click.Path(path_type=Path), help="Write the image to this file as a picture.")
@click.option("--force", is_flag=True, help="Let --png replace a file.")
@json_option
def show(dataset: str, split: str, index: int, png_path: Path | None, force: bool, as_json: bool) -> None:
    """Print an image as its matrix of numbers, in full, with its label."""
    splits = load_dataset(dataset)
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
    click.echo(printable(f"{chosen.name}, {split}, image {index} of {len(chosen):,}"))
    click.echo(printable(f"label {label}, class {chosen.class_names[label]}"))
    click.echo(f"{height} × {width} pixels, {channels} {'channel' if channels == 1 else 'channels'}")
    for channel in range(channels):
        name = f", {_COLOURS[channel]}" if channels == 3 else ""
        title = f"\nchannel {channel}{name}" if channels > 1 else ""
        click.echo(f"{title}\n{_matrix(image[:, :, channel])}")
    if png_path is not None:
        click.echo(f"\n{printable(f'picture: {png_path}')}")


def _matrix(values: NDArray[Any]) -> str:
    """Return all of (H, W) as text, a line a row, the columns aligned."""
    places = len(str(values.max()))
    return "\n".join(" ".join(f"{value:{places}d}" for value in row) for row in values.tolist())


def _sizes(splits: Splits) -> str:
    halves = (splits.train, splits.test)
    rows: list[tuple[str, ...]] = [
        ("images", *(f"{len(half):,}" for half in halves)),
        ("shape of the images", *(str(half.images.shape) for half in halves)),
        ("type of the images", *(str(half.images.dtype) for half in halves)),
        ("range of the pixels", *("{} to {}".format(*half.pixel_range) for half in halves)),
        ("shape of the labels", *(str(half.labels.shape) for half in halves)),
        ("type of the labels", *(str(half.labels.dtype) for half in halves)),
        ("classes", *(str(half.num_classes) for half in halves)),
    ]
    return text_table(("", "train", "test"), rows)


def _class_counts(splits: Splits) -> str:
    counts = zip(splits.class_names, splits.train.class_counts, splits.test.class_counts, strict=True)
    rows = [(clip(name, _NAME_WIDTH), f"{train:,}", f"{test:,}") for name, train, test in counts]
    return text_table(("class", "train", "test"), rows)


def _digests(splits: Splits) -> str:
    """The files, each once, and the two splits as such, which are equal whatever files they came in."""
    files = dict.fromkeys((*splits.train.source, *splits.test.source))
    rows = [(file.name, file.sha256) for file in files]
    rows += [(f"the {half.split} split", half.sha256) for half in (splits.train, splits.test)]
    return text_table(("digest of", "SHA-256"), rows, left=2)
