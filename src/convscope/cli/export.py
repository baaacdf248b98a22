"""`convscope export`: a model in the formats of other programs, each file verified against the model."""

from collections.abc import Sequence
from pathlib import Path

import click

from convscope.cli.hints import Choice
from convscope.cli.job import in_options
from convscope.cli.options import PATH, json_option, print_json, run_argument
from convscope.cli.output import echo
from convscope.cli.progress import JobProgress
from convscope.cli.records import ExportOutput
from convscope.export.formats import DTYPES, FORMATS, Dtype, ExportFormat
from convscope.runs.card import write_card
from convscope.runs.exporting import ExportRequest, export_run, is_file

_ALL, _CARD = "all", "card"


@click.command()
@run_argument
@click.option(
    "--format",
    "formats",
    multiple=True,
    required=True,
    type=Choice([*FORMATS, _CARD, _ALL]),
    help="Format to write; repeatable. all: every format whose packages are installed. card: a model card.",
)
@click.option(
    "--dtype",
    "dtypes",
    multiple=True,
    type=Choice([*DTYPES, _ALL]),
    help="Number format of weights and arithmetic; repeatable; by default float32.",
)
@click.option("--out", type=PATH, help="Folder or file for the export; by default exports/ in the run.")
@click.option("--dataset", help="Data set for the verification, without a stored table; by default that of the run.")
@click.option("--licence", metavar="ID", help="Card: licence of the model, as the hub calls it, such as apache-2.0.")
@click.option("--prefix", metavar="NAME", help="C: prefix of all names; by default the architecture's name.")
@click.option("--float-layers", metavar="NAMES", help="int8 of ONNX and C: layers that stay float, as in a,b,c.")
@click.option("--force", is_flag=True, help="Allow existing files to be replaced.")
@json_option
def export(
    run_path: Path,
    formats: tuple[str, ...],
    dtypes: tuple[str, ...],
    out: Path | None,
    dataset: str | None,
    licence: str | None,
    prefix: str | None,
    float_layers: str | None,
    force: bool,
    as_json: bool,
) -> None:
    """Export a model to the formats of other programs, and verify its predictions there.

    RUN is a run folder or a model.safetensors. Every exported file takes images as they are in the data set, 0 to 255,
    and gives logits and probabilities. Each file is opened in its own program and classifies the test images. The table
    shows the largest difference from the model. A run keeps the table, and `convscope report` shows it.

    The card is a README.md for model hubs, with the metadata that they read: data, recipe, accuracy with intervals,
    limits, and how to load and reproduce the model. Everything in it was measured before. A card that you edited is not
    replaced without --force.
    """
    if _CARD in formats:
        if len(formats) > 1:
            raise click.UsageError("--format card goes alone; write the model in another command")
        _write_card(run_path, out, licence, force=force, as_json=as_json)
        return
    files = _choose_files(formats, dtypes)
    if out is not None and len(files) > 1 and any(is_file(out, form) for form, _ in files):
        raise click.UsageError(f"--out {out}: several files would be written; name a folder")
    layers = tuple(name.strip() for name in float_layers.split(",")) if float_layers is not None else ()
    request = ExportRequest(files, out, dataset, _ALL in formats, force, prefix, layers)
    with JobProgress(quiet=as_json) as progress:
        result = export_run(run_path, request, progress.listeners())
    if as_json:
        print_json(ExportOutput(exports=result.table.rows, card=None, missing=result.missing))
        return
    if result.table.rows:  # none without images to compare by
        echo(f"\n{in_options(str(result.table))}\n\n{result.table.sentence}.")
    for text in result.missing.values():
        echo(f"Left out: {text}")


def _write_card(run_path: Path, out: Path | None, licence: str | None, *, force: bool, as_json: bool) -> None:
    try:
        path = write_card(run_path, out, licence, force=force)
    except ValueError as error:
        raise click.UsageError(in_options(str(error))) from error
    if as_json:
        print_json(ExportOutput(exports=(), card=str(path), missing={}))
    else:
        echo(path)


def _choose_files(formats: Sequence[str], dtypes: Sequence[str]) -> list[tuple[ExportFormat, Dtype]]:
    """List the formats and number types to write; each named format must have each named type."""
    names = list(FORMATS) if _ALL in formats else list(dict.fromkeys(formats))
    # In the order of DTYPES, not in that of the command line.
    types: list[Dtype] = [dtype for dtype in DTYPES if dtype in dtypes or _ALL in dtypes] or ["float32"]
    files = []
    for name in names:
        form = FORMATS[name]
        for dtype in types:
            if dtype in form.dtypes:
                files.append((form, dtype))
            elif _ALL not in formats and _ALL not in dtypes:  # both were named; with "all", the pair is left out
                raise click.UsageError(f"--format {name} has no {dtype}; it has {', '.join(form.dtypes)}")
    if not files:  # "all" left out every format
        raise click.UsageError(f"no format has {' or '.join(types)}; choose another --dtype")
    return files
