"""Export a model to the formats of other programs, and compare each file with the model."""

import os
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from msgspec import UNSET, UnsetType
from msgspec.structs import replace

from convscope.base.errors import ConvscopeError, InterchangeError, MissingPackageError
from convscope.base.files import inside
from convscope.data.datasets import LoadOptions, Splits
from convscope.export.formats import (
    MAX_SELF_TEST_IMAGES,
    Dtype,
    ExportFormat,
    ExportOptions,
    check_options,
    export_model,
    sample_images,
)
from convscope.export.parity import Parity, ParityTable, measure_parity
from convscope.export.records import QuantizationLoss
from convscope.runs.data import load_data
from convscope.runs.jobs import open_with_data
from convscope.runs.listeners import Listeners
from convscope.storage import find_stored, load_model
from convscope.training import check_fit
from convscope.training.model import Model

_NUM_CALIBRATION_IMAGES = 1000  # evenly spaced training images, for the ranges of int8


@dataclass(frozen=True)
class ExportRequest:
    """The arguments of an export.

    Attributes:
        files: the format and the type of each file.
        out: a folder, or the path of a single file; by default exports/ next to the model.
        dataset: other images for the comparison, whose table is not kept; by default those of the run.
        leave_out: if true, leave out formats whose packages are missing.
        force: if true, replace existing files.
        prefix: before every name in a C header; by default the name of the architecture.
        float_layers: layers whose weights stay float in the int8 files.
    """

    files: Sequence[tuple[ExportFormat, Dtype]]
    out: Path | None = None
    dataset: str | None = None
    leave_out: bool = False
    force: bool = False
    prefix: str | None = None
    float_layers: tuple[str, ...] = ()


@dataclass(frozen=True)
class Exported:
    """The result of an export: the comparisons, and the missing package of each format that was left out."""

    table: ParityTable
    missing: dict[str, str]


def export_run(path: Path, request: ExportRequest, listeners: Listeners) -> Exported:
    """Write the model of a run folder or model file, compare each file with it, and keep the table with the run.

    Raises:
        ConvscopeError: if there is no model, the images do not fit it, a package is missing, or a file exists already
            or cannot be written.
    """
    keeps_table = request.dataset is None
    with ExitStack() as stack:
        folder, splits = None, None
        if path.is_dir() or find_stored(path) is not None:
            # Locked if something is written in it: the files, or the table that compares them.
            folder, splits = stack.enter_context(
                open_with_data(path, None, listeners, writes=request.out is None or keeps_table)
            )
        if request.dataset is not None:
            splits = load_data(request.dataset, LoadOptions(), listeners.on_download)[1]
        model = load_model(path) if folder is None else folder.load_model()
        if splits is not None:
            _check_images(model, splits, path)
        paths = [_choose_path(request, path, form, dtype) for form, dtype in request.files]
        # Before the first file is written.
        if not request.force and (existing := next(filter(os.path.lexists, paths), None)):
            raise ConvscopeError(f"{existing}: already exists; choose another `out`, or add `force` to replace it")
        rows, missing = list[Parity](), dict[str, str]()
        options_by_file = _make_options(request, splits, path)
        for (form, _), options in zip(request.files, options_by_file, strict=True):
            check_options(model, form, options)
        for file, (form, dtype), options in zip(paths, request.files, options_by_file, strict=True):
            try:
                export_model(model, file, form.name, options)
                # A model file without a data set is exported, but not compared.
                if splits is not None:
                    on_progress, runner = partial(listeners.on_step, f"verifying {file.name}"), form.open(file)
                    row = measure_parity(model, runner, file, form.name, dtype, splits.test, on_progress)
                    rows.append(replace(row, quantization=_measure_layers(model, form.name, options, splits)))
            except MissingPackageError as error:  # a package to write the format, or to run its file
                if not request.leave_out:
                    raise
                missing[form.name] = str(error)
            else:
                listeners.on_file(file)
        if folder is not None and rows and keeps_table:
            earlier_table = folder.read_evidence("exports", ParityTable, model) or ParityTable(rows=())
            folder.write_evidence("exports", earlier_table.merge(rows), model)
    return Exported(ParityTable(rows=tuple(rows)), missing)


def _check_images(model: Model, splits: Splits, path: Path) -> None:
    try:
        check_fit(model.architecture, splits.test)
        model.check_classes(splits.test)
    except ValueError as error:
        raise InterchangeError(f"{path}: {error}; name the model's data with `dataset`") from error


def _make_options(request: ExportRequest, splits: Splits | None, path: Path) -> list[ExportOptions]:
    """Choose the options of each file."""
    if splits is None and any(dtype == "int8" for _, dtype in request.files):
        raise InterchangeError(f"{path}: int8 needs images for choosing its ranges; name some with `dataset`")
    calibration = None if splits is None else sample_images(splits.train, _NUM_CALIBRATION_IMAGES)
    tested = None if splits is None else sample_images(splits.test, MAX_SELF_TEST_IMAGES)
    shared = (calibration, None, tested, request.prefix, request.float_layers)
    return [ExportOptions(dtype, *shared) for _, dtype in request.files]


def _measure_layers(model: Model, format: str, options: ExportOptions, splits: Splits) -> QuantizationLoss | UnsetType:
    """Measure the effect of 8 bits in each layer, for an int8 file of layers that have 8 bits in all formats."""
    kinds = {layer.kind for layer in model.architecture.layers}
    is_measured = not kinds & {"SoftVoting", "LayerNormalization", "GroupNormalization"}
    if options.dtype != "int8" or options.calibration_images is None or not is_measured:
        return UNSET
    from convscope.export.quantization_loss import measure_layers_in_int8  # imports SciPy

    tested = sample_images(splits.test, _NUM_CALIBRATION_IMAGES)
    return measure_layers_in_int8(model, options.calibration_images, tested, format, options.float_layers)


def _choose_path(request: ExportRequest, path: Path, form: ExportFormat, dtype: Dtype) -> Path:
    """Choose the path of a file: `out` itself if it has the format's suffix, else the default name in this folder."""
    out = request.out
    if out is None:
        out = inside(path if path.is_dir() else path.parent, "exports")
    elif is_file(out, form):
        return out
    if out.exists() and not out.is_dir():
        raise ConvscopeError(
            f"{out}: is a file but not a {form.suffix} file; name a folder, or a file ending in {form.suffix}"
        )
    return out / form.file_name(dtype)


def is_file(out: Path, form: ExportFormat) -> bool:
    """True if `out` names a file of the format, not a folder for it."""
    return out.suffix == form.suffix and not out.is_dir()
