"""`convscope import`: a network of another program as a run."""

from pathlib import Path

import click

from convscope.cli.job import in_options, print_result
from convscope.cli.loading import loading_options
from convscope.cli.options import RECIPE_NAMES, index_option, json_option, print_json
from convscope.cli.output import echo
from convscope.cli.progress import DownloadProgress
from convscope.data.datasets import LoadOptions
from convscope.interchange.imported import Imported
from convscope.recipes.presets import DEFAULT_RECIPE
from convscope.runs.importing import ImportRequest, import_alone, import_run
from convscope.runs.listeners import Listeners
from convscope.training.model import Model

_SUFFIX = ".safetensors"


def _number(value: str) -> float:
    """Return a number that may be written as a fraction such as 1/255."""
    above, _, below = value.partition("/")
    try:
        return float(above) / float(below or 1)
    except (ValueError, ZeroDivisionError) as error:
        raise click.BadParameter(f"{value!r}: use a number, or a fraction such as 1/255") from error


@click.command("import")
@click.argument("path", metavar="FILE", type=click.Path(path_type=Path))
@click.option(
    "--dataset", default="mnist", show_default=True, help="Data set of the network: name, or path of a file or folder."
)
@loading_options
@click.option(
    "--architecture",
    type=click.Path(path_type=Path),
    help="JSON file of convscope or Keras, for a file with weights only.",
)
@click.option(
    "--scale",
    type=_number,
    metavar="NUMBER",
    help="Factor for each pixel byte, if the network has no scaling of its own; by default 1/255.",
)
@click.option(
    "--offset",
    type=_number,
    metavar="NUMBER",
    help="Number added to each scaled pixel, if the network adds none itself; by default 0.",
)
@click.option(
    "--recipe",
    default=DEFAULT_RECIPE,
    show_default=True,
    help=f"Recipe for networks that `convscope evidence` trains: {RECIPE_NAMES}.",
)
@index_option
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    help=f"Folder for the results, or {_SUFFIX} file for the model only; by default a new folder under runs/.",
)
@click.option("--open", "open_report", is_flag=True, help="Open the report in the browser.")
@json_option
def import_model(
    path: Path,
    dataset: str,
    test_fraction: float | None,
    split_seed: int,
    image_size: tuple[int, int] | None,
    skip_damaged: bool,
    architecture: Path | None,
    scale: float | None,
    offset: float | None,
    recipe: str,
    index: int,
    out: Path | None,
    open_report: bool,
    as_json: bool,
) -> None:
    """Import a network from Keras, PyTorch or ONNX, evaluate and explain it, and write a report.

    FILE is a .keras, .h5, .weights.h5, .pt2 or .onnx file. No code in the file is run. Layers that convscope does not
    support are listed. The result is a run folder without a training history.
    """
    request = ImportRequest(
        path,
        dataset,
        LoadOptions(test_fraction, split_seed, image_size, skip_damaged),
        architecture=architecture,
        scale=scale,
        offset=offset,
        recipe=recipe,
        index=index,
        out=out,
    )
    if out is not None and out.suffix == _SUFFIX and not out.is_dir():
        found, alone = import_alone(request, out)
        if as_json:
            print_json({"model": str(out), "imported": dict(alone.provenance["imported"])})
        else:
            _describe(found, alone)
            echo(f"\nThe model is {out}")
        return
    with DownloadProgress(quiet=as_json) as progress:
        done = import_run(request, Listeners(on_download=progress.on_progress))
    evaluation, model = done.measured.evaluation, done.measured.model
    if as_json:
        imported = done.folder.record["imported"]
        print_json(
            {
                "run": str(done.folder.path),
                "imported": imported,
                "evaluation": evaluation.to_dict(),
                "timings": done.timings,
            }
        )
    else:
        _describe(done.found, model)
        last = f"Finished in {done.timings['total']:.1f} s. The report is {done.report}"
        print_result([*filter(None, (evaluation, in_options(done.advice))), last])
    if open_report:
        click.launch(str(done.report))


def _describe(found: Imported, model: Model) -> None:
    echo(model.architecture.summary())
    for note in found.notes:
        echo(f"- {note}")
