"""`convscope predict`: answers to pictures of one's own, as a table, JSON or CSV, and a page that explains them."""

import os
import shlex
import sys
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import click

from convscope.base.errors import ConvscopeError, ImageFileError
from convscope.base.tables import printable
from convscope.cli.answers import Outcome, print_answers, print_outcomes_csv, print_outcomes_json, print_strings
from convscope.cli.options import json_option, run_argument
from convscope.cli.output import echo
from convscope.data.handwriting import STEPS, Step
from convscope.data.image_files import MAX_FILE_BYTES, Picture, find_pictures, read_picture
from convscope.prediction import Prediction, answer_maps, preparation_of, read_strings
from convscope.prediction import predict as predict_pictures
from convscope.storage import load_model
from convscope.training.model import Model

if TYPE_CHECKING:
    from convscope.report.prediction_page import PredictionPage

_BATCH = 32  # pictures that are answered together
_BATCH_PIXELS = 20_000_000  # and that are held at once
_STDIN = Path("-")


@click.command()
@run_argument
@click.argument("images", metavar="IMAGE...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--strings", is_flag=True, help="Find all that is written in each picture, and read it line by line.")
@click.option("--with", "also", multiple=True, type=click.Choice(STEPS), help="Take this step too; may be repeated.")
@click.option(
    "--without", "without", multiple=True, type=click.Choice(STEPS), help="Leave this step out; may be repeated."
)
@click.option(
    "--explain",
    "page_path",
    metavar="PAGE.html",
    type=click.Path(path_type=Path),
    help="Write a page: each picture, each step, the answer, and the pixels it rests on.",
)
@click.option("--force", is_flag=True, help="Let --explain replace a file.")
@click.option("--csv", "as_csv", is_flag=True, help="Print one table of comma-separated values and nothing else.")
@json_option
def predict(
    run_path: Path,
    images: tuple[Path, ...],
    strings: bool,
    also: tuple[Step, ...],
    without: tuple[Step, ...],
    page_path: Path | None,
    force: bool,
    as_csv: bool,
    as_json: bool,
) -> None:
    """Answer pictures of your own.

    RUN is a run folder or a model.safetensors. An IMAGE is a PNG, JPEG, WebP, BMP, TIFF or GIF file, a folder, which
    stands for all pictures in it at any depth, or - for standard input. Each is made into an image as those that the
    model learnt from were made: a photo of handwriting by steps, for which --with and --without name others; a picture
    that is such an image already is left as it is. With --strings a picture holds several, such as the digits of a
    number or a form, which are found, parted and read in their order. A file that cannot be read has its line in the
    result, the others are answered, and the exit status is 1.
    """
    if as_csv and as_json:
        raise click.UsageError("--csv and --json: choose one")
    if strings and (also or without):
        raise click.UsageError("--strings: takes its own steps; leave --with and --without out")
    if images.count(_STDIN) > 1:
        raise click.UsageError("-: standard input can be read once")
    if page_path is not None and os.path.lexists(page_path) and not force:
        raise ConvscopeError(f"{page_path}: is there already; choose another file, or replace it with --force")
    model = load_model(run_path)
    steps = _steps(model, also, without)
    paths = find_pictures(images)
    page = _new_page(model, run_path) if page_path is not None else None
    errors = list[str]()
    read = _strings(model, paths, page, errors) if strings else _answers(model, paths, steps, page, errors)
    if as_json:
        print_outcomes_json(read)
    elif as_csv:
        print_outcomes_csv(read, strings)
    elif strings:
        print_strings(read, len(paths))
    else:
        print_answers(read, [_text(path) for path in paths], model.class_names)
    if page is not None and page_path is not None and page.num_pictures:
        from convscope.report.prediction_page import write_prediction_page

        write_prediction_page(page_path, page, _command(page_path))
        if not as_json and not as_csv:
            echo("\n" + printable(f"The page is {_text(page_path)}"))
    if len(errors) == 1 == len(paths):
        raise ImageFileError(errors[0])
    if errors:
        raise ImageFileError(f"{len(errors):,} of {len(paths):,} pictures could not be read; their lines say why")


def _steps(model: Model, also: Sequence[Step], without: Sequence[Step]) -> tuple[Step, ...] | None:
    """Return the steps that are asked for, or None if all is left to the model."""
    if both := [step for step in also if step in without]:
        raise click.UsageError(f"--with {both[0]} --without {both[0]}: choose one")
    if not also and not without:
        return None
    usual = preparation_of(model).handwriting.steps
    return tuple(step for step in STEPS if (step in usual or step in also) and step not in without)


def _answers(
    model: Model,
    paths: Sequence[Path],
    steps: tuple[Step, ...] | None,
    page: "PredictionPage | None",
    errors: list[str],
) -> Iterator[Outcome]:
    """Yield what becomes of each of `paths`, in their order, and put each error into `errors`."""
    for batch in _batches(paths):
        read = [(name, content) for name, content in batch if not isinstance(content, str)]
        pictures = [picture for _, picture in read]
        predictions = predict_pictures(model, pictures, names=[name for name, _ in read], steps=steps)
        if page is not None:
            _explain(model, predictions, pictures, page)
        answered = iter(predictions)
        for name, content in batch:
            if isinstance(content, str):
                errors.append(content)
                yield Outcome(name, None, content.removeprefix(f"{name}: "))
            else:
                yield Outcome(name, next(answered))


def _strings(
    model: Model, paths: Sequence[Path], page: "PredictionPage | None", errors: list[str]
) -> Iterator[Outcome]:
    """Yield what is read in each of `paths`, in their order, and put each error into `errors`."""
    for path in paths:
        name, picture = _read(path)
        if isinstance(picture, str):
            errors.append(picture)
            yield Outcome(name, None, picture.removeprefix(f"{name}: "))
            continue
        reading = read_strings(model, picture, name=name)
        if page is not None:
            digits = [digit.prediction for digit in reading.digits]
            page.add_strings(
                reading, picture, answer_maps(model, digits[: 0 if page.is_full else page.num_digits_left])
            )
        yield Outcome(name, reading)


def _batches(paths: Sequence[Path]) -> Iterator[list[tuple[str, Picture | str]]]:
    """Yield names with pictures, or with the error in place of one, a few at a time."""
    batch, num_pixels = list[tuple[str, Picture | str]](), 0
    for path in paths:
        name, content = _read(path)
        num_pixels += 0 if isinstance(content, str) else content.size
        batch.append((name, content))
        if len(batch) == _BATCH or num_pixels > _BATCH_PIXELS:
            yield batch
            batch, num_pixels = [], 0
    if batch:
        yield batch


def _read(path: Path) -> tuple[str, Picture | str]:
    """Return what a picture is called, and the picture, or in its place what is wrong with it."""
    name = _text(path)
    try:
        return name, read_picture(sys.stdin.buffer.read(MAX_FILE_BYTES + 1) if path == _STDIN else path, name)
    except ImageFileError as error:
        return name, str(error)


def _text(path: Path) -> str:
    """Return a path as text, also one whose bytes are none."""
    return os.fsencode(path).decode(errors="replace")


def _new_page(model: Model, run_path: Path) -> "PredictionPage":
    from convscope.report.prediction_page import PredictionPage  # matplotlib takes its time to load

    return PredictionPage(_text(run_path), model.class_names)


def _explain(
    model: Model, predictions: Sequence[Prediction], pictures: Sequence[Picture], page: "PredictionPage"
) -> None:
    shown = [] if page.is_full else predictions
    maps = answer_maps(model, shown) if shown else ()
    for prediction, picture, one in zip(shown, pictures, maps, strict=False):
        page.add(prediction, picture, one)
    for prediction in islice(predictions, len(shown), None):
        page.count(prediction)


def _command(page_path: Path) -> str:
    """Return the command that makes the page again."""
    given = click.get_current_context().params
    words = ["convscope", "predict", _text(given["run_path"]), *map(_text, given["images"])]
    words += ["--strings"] if given["strings"] else []
    words += [
        word
        for name in ("with", "without")
        for step in given["also" if name == "with" else name]
        for word in (f"--{name}", step)
    ]
    return shlex.join([*words, "--explain", _text(page_path)])
