"""`convscope export`: a model in the formats of other programs, each with the proof that it answers the same."""

from collections.abc import Sequence
from pathlib import Path

import click

from convscope.base.errors import ConvscopeError, InterchangeError, MissingPackageError
from convscope.base.files import inside
from convscope.base.tables import printable
from convscope.cli.job import run_of
from convscope.cli.loading import load
from convscope.cli.options import json_option, print_json, run_argument
from convscope.cli.output import echo
from convscope.data.datasets import Dataset, Splits
from convscope.interchange.formats import DTYPES, FORMATS, Dtype, ExportFormat, ExportOptions, export_model
from convscope.interchange.formats import calibration_images as choose_images
from convscope.interchange.parity import Parity, ParityTable, joined_exports, measure_parity
from convscope.storage import RunFolder, load_model
from convscope.training import check_fit
from convscope.training.model import Model

_ALL = "all"


@click.command()
@run_argument
@click.option(
    "--format",
    "formats",
    multiple=True,
    required=True,
    type=click.Choice([*FORMATS, _ALL]),
    help="May be repeated; all: every one whose packages are installed.",
)
@click.option(
    "--dtype",
    "dtypes",
    multiple=True,
    type=click.Choice([*DTYPES, _ALL]),
    help="Of weights and arithmetic, may be repeated; by default float32.",
)
@click.option("--fold/--no-fold", default=True, show_default=True, help="ONNX: make normalisations part of weights.")
@click.option("--layer-outputs", is_flag=True, help="ONNX: give every layer's output too.")
@click.option("--opset", type=click.IntRange(min=1), help="ONNX: by default one that current runtimes accept.")
@click.option(
    "--calibration-images",
    type=click.IntRange(min=1),
    default=1000,
    show_default=True,
    help="Training images, evenly taken, by which int8 chooses its ranges.",
)
@click.option("--out", type=click.Path(path_type=Path), help="A folder, by default exports/ in the run; or a file.")
@click.option("--dataset", help="Prove it on these images, and keep no table; by default on those of the run.")
@json_option
def export(
    run_path: Path,
    formats: tuple[str, ...],
    dtypes: tuple[str, ...],
    fold: bool,
    layer_outputs: bool,
    opset: int | None,
    calibration_images: int,
    out: Path | None,
    dataset: str | None,
    as_json: bool,
) -> None:
    """Write a model in the formats of other programs, and prove that it answers the same there.

    RUN is a run folder or a model.safetensors. Every file takes images as they are in the data set, 0 to 255, and gives
    logits and probabilities. It is opened in its own program, which answers the test images beside the model: the table
    says how far apart they are at most. A run keeps the table, and `convscope report` shows it.
    """
    folder, splits = _data_of(run_path, dataset, writes=out is None or dataset is None, quiet=as_json)
    model = load_model(run_path) if folder is None else folder.load_model()
    if splits is not None:
        try:
            check_fit(model.architecture, splits.test)
            model.check_classes(splits.test)
        except ValueError as error:
            raise InterchangeError(f"{run_path}: {error}; name data like the model's with --dataset") from error
    asked = _asked(formats, dtypes)
    for_onnx = any(one.name == "onnx" for one, _ in asked)
    if not for_onnx and (layer_outputs or not fold or opset is not None):
        raise click.UsageError("--no-fold, --layer-outputs and --opset are of ONNX; add --format onnx")
    rows, missing = list[Parity](), dict[str, str]()
    for form, dtype in asked:
        path = _path_of(out, run_path, form, dtype, single=len(asked) == 1)
        images = None
        if dtype == "int8":
            if splits is None:
                raise InterchangeError(
                    f"{run_path}: int8 needs images to choose its ranges by; name some with --dataset"
                )
            images = choose_images(splits.train, calibration_images)
        options = ExportOptions(dtype, images)
        if form.name == "onnx":
            options = ExportOptions(dtype, images, fold, layer_outputs, opset)
        try:
            export_model(model, path, form.name, options)
            rows += _proofs(model, form, dtype, path, None if splits is None else splits.test)
        except MissingPackageError as error:
            if _ALL not in formats:
                raise
            missing[form.name] = str(error)
            continue
        if not as_json:
            echo(printable(str(path)))
    if folder is not None and rows and dataset is None:
        known = folder.read_evidence(["exports"], model).get("exports", {"exports": []})
        folder.write_evidence("exports", {"exports": joined_exports(known.get("exports"), rows)}, model)
    table = ParityTable(tuple(rows))
    if as_json:
        print_json({**table.to_dict(), "missing": missing})
        return
    if rows:
        echo(f"\n{table}\n\n{table.sentence}.")
    for text in missing.values():
        echo(f"Left out: {text}")


def _data_of(path: Path, dataset: str | None, *, writes: bool, quiet: bool) -> tuple[RunFolder | None, Splits | None]:
    """Return the run at `path`, if it is one, and the images to prove a file on, if there are any."""
    if not path.is_dir():
        return None, None if dataset is None else load(dataset, quiet=quiet)
    context = click.get_current_context()  # which holds the folder until the command ends
    folder, splits = context.with_resource(run_of(path, quiet=quiet, writes=writes))
    return folder, splits if dataset is None else load(dataset, quiet=quiet)


def _asked(formats: Sequence[str], dtypes: Sequence[str]) -> list[tuple[ExportFormat, Dtype]]:
    """Return what is to be written; a format that is named must have every type that is named."""
    chosen = list(FORMATS) if _ALL in formats else list(dict.fromkeys(formats))
    types: list[Dtype] = [one for one in DTYPES if one in dtypes or _ALL in dtypes] or ["float32"]
    asked = []
    for name in chosen:
        form = FORMATS[name]
        if _ALL not in formats and _ALL not in dtypes:
            for dtype in types:
                if dtype not in form.dtypes:
                    raise click.UsageError(f"--format {name} has no {dtype}; it has {', '.join(form.dtypes)}")
        asked += [(form, dtype) for dtype in types if dtype in form.dtypes]
    if not asked:
        raise click.UsageError(f"no format has {' or '.join(types)}; take another --dtype")
    return asked


def _path_of(out: Path | None, run_path: Path, form: ExportFormat, dtype: Dtype, *, single: bool) -> Path:
    """Return where a file goes: `out` itself if it has the format's suffix, else a file of the usual name in it."""
    if out is not None and out.suffix == form.suffix and not out.is_dir():
        if not single:
            raise click.UsageError(f"--out {out}: several files are asked for; give a folder")
        return out
    if out is None:
        out = inside(run_path if run_path.is_dir() else run_path.parent, "exports")
    if out.exists() and not out.is_dir():
        raise ConvscopeError(
            f"{out}: is a file, and no {form.suffix}; give a folder, or a name ending in {form.suffix}"
        )
    return out / form.file_name(dtype)


def _proofs(model: Model, form: ExportFormat, dtype: Dtype, path: Path, test: Dataset | None) -> list[Parity]:
    return [] if test is None else [measure_parity(model, form.open(path), path, form.name, dtype, test)]
