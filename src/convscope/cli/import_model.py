"""`convscope import`: a network of another program as a run, to see through it."""

import shlex
import shutil
from dataclasses import replace
from pathlib import Path

import click

from convscope.base.errors import ArchitectureError, ConvscopeError
from convscope.cli import job
from convscope.cli.loading import load, loading_options
from convscope.cli.options import index_option, json_option, print_json, recipe_for
from convscope.cli.output import echo
from convscope.cli.record import run_record
from convscope.experiment import argument_of
from convscope.experiment.record import available_cores, loading_words
from convscope.interchange.imported import Imported
from convscope.interchange.importing import model_of, read_network
from convscope.recipes import RECIPES
from convscope.storage import create_run, save_model
from convscope.training import History, check_fit
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
    "--recipe", default="classic", show_default=True, help="By which evidence trains networks like it, where it must."
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
    timings = dict[str, float]()
    with job.timed(timings, "load"):
        splits = load(dataset, test_fraction, split_seed, image_size, quiet=as_json)
        job.check_index(index, splits)
        shape = splits.image_shape
        found = read_network(path, architecture=architecture, image_shape=shape, scale=scale, offset=offset)
        chosen = recipe_for(recipe)
        try:
            for part in (splits.train, splits.test):
                check_fit(found.architecture, part)
            model = model_of(found, path, None if found.class_names else splits.class_names)
            model.check_classes(splits.test)
            model = replace(model, handwriting=splits.train.handwriting)
        except ValueError as error:
            raise ArchitectureError(f"{path}: {error}; name the data that it is for with --dataset") from error
    record = run_record(
        dataset=argument_of(dataset),
        splits=splits,
        architecture=model.architecture,
        recipe=chosen,
        seed=0,
        engine="native",
        threads=available_cores(),
    )
    place = job.hold(out or job.free_folder(f"{splits.name}-imported"))
    words = ["convscope", "import", str(path.resolve()), "--dataset", argument_of(dataset)]
    words += loading_words(splits.options)
    words += (
        [] if recipe == "classic" else ["--recipe", recipe if recipe in RECIPES else str(place.resolve() / "run.json")]
    )
    network = None if architecture is None else architecture.resolve()
    for option, value in (("--architecture", network), ("--scale", scale), ("--offset", offset)):
        words += [] if value is None else [option, str(value)]
    words += ["--index", str(index)] if index else []
    record |= {"imported": model.provenance["imported"], "command": shlex.join(words)}
    folder = create_run(place, record)
    history = History()
    try:
        folder.write_history(history)
        folder.write_model(model, history)
        if not as_json:
            _describe(found, model)
        with job.timed(timings, "evaluate"):
            evaluation = job.measure_run(folder, model, splits)
        with job.timed(timings, "report"):
            from convscope.cli.report import write_run_report

        report = write_run_report(job.Trained(folder, model, history), splits, evaluation, None, None, index, timings)
        timings["total"] = sum(timings.values())
        folder.write("timings.json", timings)
    except KeyboardInterrupt:  # half an import is worth nothing, and its folder would be in the way of the next try
        shutil.rmtree(folder.path, ignore_errors=True)
        raise
    folder.finish()
    if as_json:
        imported = folder.record["imported"]
        print_json(
            {"run": str(folder.path), "imported": imported, "evaluation": evaluation.to_dict(), "timings": timings}
        )
    else:
        advice = []
        if evaluation.accuracy_interval[0] <= 2 / model.architecture.num_classes:
            advice = [
                "That is little better than guessing. If it was better where it was trained, it was trained on other "
                "numbers than --scale and --offset give, on inverted or turned images, or on labels in another order."
            ]
        last = f"{timings['total']:.1f} s in all; the report is {report}"
        job.print_result([evaluation, *advice, last])
    if open_report:
        click.launch(str(report))


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
