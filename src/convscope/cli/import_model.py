"""`convscope import`: a network of another program as a run, to see through it."""

from pathlib import Path

import click

from convscope.base.errors import ConvscopeError
from convscope.cli.job import print_result
from convscope.cli.loading import loading_options
from convscope.cli.options import index_option, json_option, print_json
from convscope.cli.output import echo
from convscope.cli.progress import DownloadProgress
from convscope.data.datasets import LoadOptions
from convscope.interchange.imported import Imported
from convscope.interchange.importing import model_of, read_network
from convscope.recipes.presets import DEFAULT_RECIPE
from convscope.runs.importing import ImportRequest, import_run
from convscope.runs.listeners import Listeners
from convscope.storage import save_model
from convscope.training.model import Model

_SUFFIX = ".safetensors"


def _number(value: str) -> float:
    """Return a number that may be written as a fraction such as 1/255."""
    above, _, below = value.partition("/")
    try:
        return float(above) / float(below or 1)
    except (ValueError, ZeroDivisionError) as error:
        raise click.BadParameter(f"{value!r}: give a number, or a fraction such as 1/255") from error


@click.command("import")
@click.argument("path", metavar="FILE", type=click.Path(path_type=Path))
@click.option(
    "--dataset", default="mnist", show_default=True, help="What it was trained for: a name, a file or folder."
)
@loading_options
@click.option(
    "--architecture",
    type=click.Path(path_type=Path),
    help="JSON of convscope or Keras, for a file that holds weights alone.",
)
@click.option(
    "--scale",
    type=_number,
    metavar="NUMBER",
    help="What a byte is multiplied by, where the network does not; or 1/255.",
)
@click.option("--offset", type=_number, metavar="NUMBER", help="What is added then, where the network does not; or 0.")
@click.option(
    "--recipe",
    default=DEFAULT_RECIPE,
    show_default=True,
    help="By which evidence trains networks like it, where it must.",
)
@index_option
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    help=f"Folder for the results, by default a new one under runs/; or a {_SUFFIX} file, for the model alone.",
)
@click.option("--open", "open_report", is_flag=True, help="Open the report when it is written.")
@json_option
def import_model(
    path: Path,
    dataset: str,
    test_fraction: float | None,
    split_seed: int,
    image_size: tuple[int, int] | None,
    architecture: Path | None,
    scale: float | None,
    offset: float | None,
    recipe: str,
    index: int,
    out: Path | None,
    open_report: bool,
    as_json: bool,
) -> None:
    """Bring a network of Keras or ONNX, measure it, look inside, and write the report.

    FILE is a .keras, .h5, .weights.h5 or .onnx file. Nothing in it is run: its numbers are read, and layers that
    convscope does not have are named. The folder is a run like any other, but for the training, which was elsewhere.
    """
    if out is not None and out.suffix == _SUFFIX and not out.is_dir():
        shape = None if image_size is None else (*image_size, 1)
        found = read_network(path, architecture=architecture, image_shape=shape, scale=scale, offset=offset)
        _write_alone(model_of(found, path), found, out, as_json=as_json)
        return
    request = ImportRequest(
        path,
        dataset,
        LoadOptions(test_fraction, split_seed, image_size),
        architecture=architecture,
        scale=scale,
        offset=offset,
        recipe=recipe,
        index=index,
        out=out,
    )
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
        advice = []
        if evaluation.accuracy_interval[0] <= 2 / model.architecture.num_classes:
            advice = [
                "That is little better than guessing. If it was better where it was trained, it was trained on other "
                "numbers than --scale and --offset give, on inverted or turned images, or on labels in another order."
            ]
        last = f"{done.timings['total']:.1f} s in all; the report is {done.report}"
        print_result([evaluation, *advice, last])
    if open_report:
        click.launch(str(done.report))


def _write_alone(model: Model, found: Imported, out: Path, *, as_json: bool) -> None:
    if out.exists():
        raise ConvscopeError(f"{out}: is there already; choose another --out")
    save_model(model, out)
    if as_json:
        print_json({"model": str(out), "imported": dict(model.provenance["imported"])})
    else:
        _describe(found, model)
        echo(f"\nThe model is {out}")


def _describe(found: Imported, model: Model) -> None:
    echo(model.architecture.summary())
    for note in found.notes:
        echo(f"- {note}")
