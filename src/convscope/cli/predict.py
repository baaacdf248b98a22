"""`convscope predict`: your own pictures classified, as a table, JSON or CSV, and explained on a page."""

from collections.abc import Sequence
from pathlib import Path

import click

from convscope.base.errors import ImageFileError
from convscope.base.files import check_free
from convscope.base.tables import printable
from convscope.cli.hints import Choice
from convscope.cli.options import PATH, json_option, run_argument
from convscope.cli.output import echo, format_command
from convscope.cli.predictions import (
    print_outcomes_csv,
    print_outcomes_json,
    print_predictions,
    print_score,
    print_strings,
)
from convscope.data.handwriting import STEPS, Step
from convscope.data.image_files import find_pictures
from convscope.runs.labelling import check_new_folder, choose_next, copy_by_class, describe_next_step
from convscope.runs.predicting import STDIN, Reader, choose_steps, format_path, make_explaining_reader, read_image_table
from convscope.runs.scoring import Score, read_true_classes
from convscope.runs.submitting import KAGGLE, Columns, choose_ids, write_submission
from convscope.storage import load_model


def _parse_columns(value: str) -> Columns:
    names = [name.strip() for name in value.split(",")]
    if len(names) != 2 or not all(names):
        raise click.BadParameter(f"{value!r}: give two names, such as id,label")
    return Columns(*names)


@click.command()
@run_argument
@click.argument("images", metavar="IMAGE...", nargs=-1, required=True, type=PATH)
@click.option("--strings", is_flag=True, help="Read all characters in each picture, line by line.")
@click.option("--with", "also", multiple=True, type=Choice(STEPS), help="Preparation step to add; repeatable.")
@click.option(
    "--without", "without", multiple=True, type=Choice(STEPS), help="Preparation step to leave out; repeatable."
)
@click.option(
    "--explain",
    "page_path",
    metavar="PAGE.html",
    type=PATH,
    help="HTML file that shows each picture, each step, the prediction, and the pixels that contributed to it.",
)
@click.option(
    "--submission",
    metavar="FILE.csv",
    type=PATH,
    help="File of predictions for a competition, with the columns ImageId (from 1) and Label.",
)
@click.option(
    "--columns",
    metavar="ID,LABEL",
    type=_parse_columns,
    help="Names of the columns of --submission; the ids are then the names of the files without their endings.",
)
@click.option(
    "--next",
    "number",
    type=click.IntRange(min=1),
    metavar="N",
    help="Number of pictures to label next: those whose labels would teach the network most, and no others, are shown.",
)
@click.option(
    "--sort-into",
    "sorted_folder",
    metavar="FOLDER",
    type=PATH,
    help="New folder for copies of the pictures, in a folder for each predicted class.",
)
@click.option("--force", is_flag=True, help="Allow --explain and --submission to replace a file.")
@click.option("--csv", "as_csv", is_flag=True, help="Print comma-separated values and nothing else.")
@json_option
def predict(
    run_path: Path,
    images: tuple[Path, ...],
    strings: bool,
    also: tuple[Step, ...],
    without: tuple[Step, ...],
    page_path: Path | None,
    submission: Path | None,
    columns: Columns | None,
    number: int | None,
    sorted_folder: Path | None,
    force: bool,
    as_csv: bool,
    as_json: bool,
) -> None:
    """Classify your own pictures.

    RUN is a run folder or a model.safetensors. An IMAGE is a picture, a folder of pictures at any depth, a CSV table
    with a column for each pixel and no labels, or - for standard input. Each picture is converted to the format of the
    training images. Photos of handwriting are converted in several steps; --with and --without change the list. A
    picture that already has this format stays as it is. With --strings, a picture may contain several characters, such
    as a number or a form. They are found, separated and read in order. If pictures are in folders named after classes,
    the accuracy and the mistakes follow. --next chooses pictures that the network is unsure about, each for another
    reason. A file that cannot be read is listed with its error. The other files are still classified, and the exit
    status is 1.
    """
    if as_csv and as_json:
        raise click.UsageError("--csv and --json: choose one")
    if strings and (also or without):
        raise click.UsageError("--strings: uses its own steps; remove --with and --without")
    if images.count(STDIN) > 1:
        raise click.UsageError("-: standard input can be read only once")
    if submission is not None and (strings or as_csv or as_json):
        raise click.UsageError("--submission: remove --strings, --csv and --json")
    if columns is not None and submission is None:
        raise click.UsageError("--columns: needs --submission FILE.csv")
    if (number or sorted_folder) and (strings or submission):
        raise click.UsageError("--next and --sort-into: remove --strings and --submission")
    if sorted_folder is not None:
        check_new_folder(sorted_folder, images)
    for path in (page_path, submission):
        if path is not None:
            check_free(path, force=force)  # before pictures are classified, which may take long
    if contradictory := [step for step in also if step in without]:
        raise click.UsageError(f"--with {contradictory[0]} --without {contradictory[0]}: choose one")
    # `outcomes` is an iterator, and nothing is classified yet: a picture is when its outcome is printed. So the first
    # is shown at once, and thousands need little memory.
    model = load_model(run_path)
    steps = choose_steps(model, also, without)
    table = read_image_table(images, model)
    if table is not None and (strings or number or sorted_folder):
        raise click.UsageError("--strings, --next and --sort-into: need pictures in files, not tables of images")
    paths = all_paths = find_pictures(images) if table is None else []
    if number is not None:
        paths = choose_next(model, all_paths, number, steps)
    # The pictures to label next have no classes yet.
    true_classes = {} if strings or number else read_true_classes(images, paths, model.class_names)
    score = Score(model.class_names, true_classes)
    # Only a page needs attributions, which take longer than predictions.
    reader = Reader(model, None, score) if page_path is None else make_explaining_reader(model, run_path, score)
    if table is not None:
        outcomes = reader.classify_table(table, images[0], steps)
    else:
        outcomes = reader.classify_strings(paths) if strings else reader.classify(paths, steps)
    if submission is not None:
        ids = choose_ids(paths, table, columns)
        write_submission(submission, outcomes, ids.values, columns)
        name, label = columns or KAGGLE
        echo(f"Wrote {len(ids.values):,} predictions to {format_path(submission)}")
        echo(f"{name}: {ids.meaning}; {label}: the predicted class")
    elif as_json:
        print_outcomes_json(outcomes)
    elif as_csv:
        print_outcomes_csv(outcomes, strings, bool(true_classes))
    elif strings:
        print_strings(outcomes, len(paths), run_path)
    else:
        names = [format_path(path) for path in paths]
        if table is not None:  # as long as any of its names
            names = [f"{format_path(images[0])}, image {len(table.images)}"] * len(table.images)
        if number is not None:
            echo(f"What to label next, of {len(all_paths):,} pictures:\n")
        print_predictions(outcomes, names, model.class_names, run_path)
        print_score(score, images, run_path, page_path is not None)
    if sorted_folder is not None:
        num_copied = copy_by_class(paths, reader.suggestions, model.class_names, sorted_folder)
        if num_copied and not as_json and not as_csv:
            echo("\n" + describe_next_step(sorted_folder, num_copied, run_path))
    elif number is not None and not as_json and not as_csv:
        echo("\nTo copy these pictures into a folder for each predicted class, add --sort-into FOLDER")
    if page_path is not None:
        has_page = reader.write_page(page_path, format_command())
        if has_page and not as_json and not as_csv:
            echo("\n" + printable(f"The page is {format_path(page_path)}"))
    _raise_errors(reader.errors, len(paths))  # complete, since all outcomes are printed


def _raise_errors(errors: Sequence[str], num_pictures: int) -> None:
    """End the command with an error if there are any: with that of a single picture, else with their number."""
    if num_pictures == 1 and errors:
        raise ImageFileError(errors[0])
    if errors:
        raise ImageFileError(
            f"{len(errors):,} of {num_pictures:,} pictures could not be read; the reasons are in their lines"
        )
