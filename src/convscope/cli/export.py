"""`convscope export`: a model in the formats of other programs, each with the proof that it answers the same."""

from collections.abc import Sequence
from pathlib import Path

import click

from convscope.cli.options import json_option, print_json, run_argument
from convscope.cli.output import echo
from convscope.cli.progress import JobProgress
from convscope.interchange.formats import DTYPES, FORMATS, Dtype, ExportFormat, ExportOptions
from convscope.runs.exporting import ExportRequest, export_run, is_file

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
    files = _files(formats, dtypes)
    for_onnx = any(form.name == "onnx" for form, _ in files)
    if not for_onnx and (layer_outputs or not fold or opset is not None):
        raise click.UsageError("--no-fold, --layer-outputs and --opset are of ONNX; add --format onnx")
    if out is not None and len(files) > 1 and any(is_file(out, form) for form, _ in files):
        raise click.UsageError(f"--out {out}: several files are asked for; give a folder")
    onnx = ExportOptions(fold=fold, layer_outputs=layer_outputs, opset=opset)
    request = ExportRequest(files, onnx, calibration_images, out, dataset, leave_out=_ALL in formats)
    with JobProgress(quiet=as_json) as progress:
        done = export_run(run_path, request, progress.listeners())
    if as_json:
        print_json({**done.table.to_dict(), "missing": done.missing})
        return
    if done.table.rows:
        echo(f"\n{done.table}\n\n{done.table.sentence}.")
    for text in done.missing.values():
        echo(f"Left out: {text}")


def _files(formats: Sequence[str], dtypes: Sequence[str]) -> list[tuple[ExportFormat, Dtype]]:
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
