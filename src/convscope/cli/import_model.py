"""`convscope import`: a network of another program as a run."""

import re
from functools import reduce
from operator import truediv
from pathlib import Path
from typing import Any

import click

from convscope.cli.job import in_options, print_result
from convscope.cli.loading import loading_options
from convscope.cli.options import PATH, RECIPE_NAMES, json_option, print_json
from convscope.cli.output import echo, format_command
from convscope.cli.progress import StepProgress
from convscope.cli.records import ImportedModelOutput, ImportOutput
from convscope.interchange.imported import Imported
from convscope.interchange.scaling import Scaling
from convscope.interchange.scaling_search import UnclearScalingError
from convscope.recipes.presets import DEFAULT_RECIPE
from convscope.runs.importing import ImportRequest, import_alone, import_record, import_run
from convscope.training.model import Model

_SUFFIX = ".safetensors"


def _number(value: str) -> float:
    """Parse a number that may be written as a fraction such as 1/255 or 1/255/0.3081."""
    numerator, *divisors = value.split("/")
    try:
        # From left to right: 1/255/0.3081 is (1 / 255) / 0.3081.
        return reduce(truediv, map(float, divisors), float(numerator))
    except (ValueError, ZeroDivisionError) as error:
        raise click.BadParameter(f"{value!r}: use a number, or a fraction such as 1/255") from error


def _numbers(value: str) -> float | tuple[float, ...]:
    """Parse a number, or numbers for the channels, separated by commas."""
    numbers = tuple(map(_number, value.split(",")))
    # One number applies to every channel.
    return numbers if len(numbers) > 1 else numbers[0]


def _shape(value: str) -> tuple[int, int, int]:
    """Parse the height, width and channels of a text such as 28x28x1."""
    match = re.fullmatch(r"([1-9]\d{0,5})[x×]([1-9]\d{0,5})[x×]([1-9]\d{0,5})", value.strip())
    if not match:
        raise click.BadParameter(f"{value!r}: give height, width and channels, such as 28x28x1")
    return int(match[1]), int(match[2]), int(match[3])


@click.command("import")
@click.argument("path", metavar="FILE", type=PATH)
@click.option("--dataset", default="mnist", help="Data set of the network: name, or path of a file or folder.")
@loading_options
@click.option("--architecture", type=PATH, help="JSON file of convscope or Keras, for a file with weights only.")
@click.option(
    "--image-shape",
    type=_shape,
    metavar="HxWxC",
    help="Height, width and channels of an image, such as 28x28x1, for a file that leaves them open or reads rows of "
    "pixels; by default those of the data.",
)
@click.option("--output", metavar="NAME", help="Output with a number for each class, for a file with several.")
@click.option(
    "--scale",
    "scaling",
    type=_number,
    metavar="NUMBER",
    help="Factor for each pixel byte, such as 1/255 or 1/255/0.3081; without any of these five options, the scaling is "
    "found on training images, unless the file states it.",
)
@click.option("--mean", type=_numbers, metavar="NUMBERS", help="Mean subtracted then; one number, or one per channel.")
@click.option("--std", type=_numbers, metavar="NUMBERS", help="Divisor of the rest; one number, or one per channel.")
@click.option("--inverted", is_flag=True, help="255 - byte in place of each byte, before all else.")
@click.option("--bgr", is_flag=True, help="Channels in the order blue, green, red.")
@click.option(
    "--recipe",
    default=DEFAULT_RECIPE,
    help=f"Recipe for networks that `convscope report RUN all` trains: {RECIPE_NAMES}.",
)
@click.option(
    "--out",
    type=PATH,
    help=f"Folder for the results, or {_SUFFIX} file for the model only; by default a new folder under runs/.",
)
@json_option
def import_model(
    dataset: str,
    scaling: float | None,
    mean: float | tuple[float, ...] | None,
    std: float | tuple[float, ...] | None,
    inverted: bool,
    bgr: bool,
    out: Path | None,
    as_json: bool,
    **arguments: Any,
) -> None:
    """Import a network of another program, explain it, and write a report.

    FILE is a .keras, .h5, .weights.h5, .pt2, .onnx or .tflite file, or the model.json of TensorFlow.js. No code in it
    is run. Layers that convscope does not support are listed. The network is evaluated on the test images of --dataset.
    The result is a run folder without a training history.
    """
    request = ImportRequest(
        data=dataset,
        # A flag that is not set states nothing, as an option without a value.
        scaling=_make_scaling(scale=scaling, mean=mean, std=std, inverted=inverted or None, bgr=bgr or None),
        out=out,
        command=format_command(),
        **arguments,
    )
    # A file as target: the model alone, without evaluation and run folder.
    if out is not None and out.suffix == _SUFFIX and not out.is_dir():
        imported, model = import_alone(request, out)
        if as_json:
            print_json(ImportedModelOutput(model=str(out), imported=import_record(model)))
        else:
            _print_model(imported, model)
            echo(f"\nThe model is {out}")
        return
    try:
        with StepProgress(quiet=as_json) as progress:
            result = import_run(request, progress.listeners())
    # The table shows the accuracy with each scaling, from which the user can choose.
    except UnclearScalingError as error:
        echo(error.table, err=True)
        raise
    evaluation, model = result.measured.evaluation, result.measured.model
    if as_json:
        run, source, record = str(result.measured.folder.path), import_record(model), evaluation.to_record()
        print_json(ImportOutput(run=run, imported=source, evaluation=record, timings={**result.timings}))
    else:
        if result.imported.scalings is not None:  # they were tried on training images
            echo(f"{result.imported.scalings}\n")
        _print_model(result.imported, model)
        last = f"Finished in {result.timings['total']:.1f} s. The report is {result.report}"
        print_result([*filter(None, (evaluation, in_options(result.advice))), last])


def _make_scaling(**options: Any) -> Scaling | None:
    """Make the scaling that the options describe; None without options."""
    settings = {name: value for name, value in options.items() if value is not None}
    try:
        return Scaling(**settings) if settings else None
    except ValueError as error:
        raise click.UsageError(str(error)) from error


def _print_model(imported: Imported, model: Model) -> None:
    echo(model.architecture.summary())
    for note in imported.notes:
        echo(f"- {note}")
