"""Import a network of another program as a run: measure it and write its page, without a training."""

import shutil
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import numpy as np
from msgspec import convert, structs

from convscope.architecture import Architecture
from convscope.base.errors import ArchitectureError, InterchangeError, RunError
from convscope.base.metrics import wilson_interval
from convscope.data.datasets import Dataset, LoadOptions, Splits, evenly, make_portable
from convscope.experiment import RunSpec
from convscope.experiment.machine import count_cores
from convscope.interchange.imported import Imported
from convscope.interchange.importing import make_model, read_network
from convscope.interchange.scaling import Scaling
from convscope.interchange.scaling_search import with_scaling
from convscope.recipes.presets import DEFAULT_RECIPE
from convscope.runs.choices import recipe_for
from convscope.runs.data import load_data
from convscope.runs.jobs import create_free_folder
from convscope.runs.listeners import Listeners
from convscope.runs.run_record import make_run_record
from convscope.runs.steps import EvaluatedRun, TrainedRun, measure_run, measure_time
from convscope.storage import create_run, save_model, writing
from convscope.storage.records import ImportRecord, RunFile
from convscope.training import History
from convscope.training.model import Model


@dataclass(frozen=True)
class ImportRequest:
    """The arguments of an import, not yet checked.

    Attributes:
        path: the file of the network.
        data: a name or path, as `load_dataset` takes it.
        architecture: JSON of convscope or Keras, for a file that holds weights alone.
        image_shape: (H, W, C) of the network, if its file leaves it open; by default that of the data.
        output: the name of the output with a number for each class, if the network has several.
        scaling: from a byte to the number that the network reads; by default the file's, or else the best of several on
            training images.
        recipe: for further networks of this architecture, which some evidence needs.
        out: the folder; by default a new one under runs/.
        command: the command line.
    """

    path: Path
    data: str = "mnist"
    loading: LoadOptions = field(default_factory=LoadOptions)
    architecture: Path | None = None
    image_shape: tuple[int, int, int] | None = None
    output: str | None = None
    scaling: Scaling | None = None
    recipe: str = DEFAULT_RECIPE
    out: Path | None = None
    command: str = ""


@dataclass(frozen=True, eq=False)
class ImportedRun:
    """A finished run of an imported network: the network, its measurements, seconds by step, and its page."""

    imported: Imported
    measured: EvaluatedRun
    timings: Mapping[str, float]
    report: Path

    @property
    def advice(self) -> str:
        """Possible causes if the network is hardly better than guessing; "" otherwise."""
        if _is_better_than_chance(self.measured.evaluation.accuracy_interval[0], self.measured.model):
            return ""
        return (
            "This is little better than guessing. If the network did better where it was trained, its pixels had "
            "another `scaling`, its images were inverted or rotated, or its labels were in another order."
        )


def import_run(request: ImportRequest, listeners: Listeners) -> ImportedRun:
    """Read a network from a file, measure it, and write the page.

    Raises:
        ConvscopeError: if the file or the data cannot be read or do not fit together, or the folder is not empty.
    """
    timings = dict[str, float]()
    with measure_time(timings, "load"):
        _, splits = load_data(request.data, request.loading, listeners.on_download)
        imported, model = _read_for_data(request, splits, listeners)
        if request.scaling is None and imported.scalings is None and not _knows_classes(model, splits):
            raise InterchangeError(
                f"{request.path}: is little better than guessing on training images of {splits.name}: it seems to be "
                "for other images, or its classes are in another order; name its own data with `dataset`, or state its "
                "`scaling` (1 for bytes as they are) to import it all the same"
            )
        recipe = recipe_for(request.recipe, model.architecture)
    spec = RunSpec(make_portable(request.data), model.architecture, recipe, seed=0)
    record = structs.replace(
        make_run_record(spec, splits, count_cores(), request.command), imported=import_record(model)
    )
    path = request.out or create_free_folder(f"{splits.name}-imported")
    measured, report = write_finished_run(path, record, model, splits, timings, listeners)
    return ImportedRun(imported, measured, timings, report)


def _is_better_than_chance(lowest_accuracy: float, model: Model) -> bool:
    """True for an accuracy surely above 20 % with 10 classes, or above 60 % with 2."""
    chance = 1 / model.architecture.num_classes
    return lowest_accuracy > min(2 * chance, chance + 0.1)


def _knows_classes(model: Model, splits: Splits) -> bool:
    """True if the network is better than guessing on some training images."""
    sample = splits.train.take(evenly(len(splits.train), 1000))
    correct = int((model.predict(np.ascontiguousarray(sample.images)) == sample.labels).sum())
    return _is_better_than_chance(wilson_interval(correct, len(sample))[0], model)


def import_record(model: Model) -> ImportRecord:
    """Describe the file of an imported model."""
    return convert(model.provenance["imported"], ImportRecord)


def import_alone(request: ImportRequest, out: Path) -> tuple[Imported, Model]:
    """Read a network from a file, and only write the model to `out`; raises `ConvscopeError` if that exists."""
    if out.exists():
        raise RunError(f"{out}: already exists; choose another `out`")
    # Without data, only `image_size` tells the shape of images, of which grey ones are assumed.
    size = request.loading.image_size
    imported = _apply_scaling(_read_network(request, None if size is None else (*size, 1)), request)
    model = _make_model(imported, request)
    save_model(model, out)
    return imported, model


def _read_for_data(request: ImportRequest, splits: Splits, listeners: Listeners) -> tuple[Imported, Model]:
    """Read the network in the file, and make a model for `splits`."""
    path = request.path
    try:
        imported = _read_network(request, splits.image_shape)
    except InterchangeError:
        # Without the shape of the data, a file that states its own can be read: then these are not its data.
        own = None
        if not request.image_shape:
            with suppress(InterchangeError):
                own = _read_network(request, None)
        if own is None or own.architecture.input.shape == splits.image_shape:
            raise
        raise InterchangeError(_describe_misfit(request, own.architecture, splits)) from None
    names = None if imported.class_names else splits.class_names  # the data name the classes if the file does not
    # Data that do not fit are refused here, before the search for a scaling classifies the training images many times.
    # The model of this check is made before the scaling is known.
    architecture = imported.architecture
    if (architecture.input.shape, architecture.num_classes) != (splits.image_shape, splits.num_classes):
        raise ArchitectureError(_describe_misfit(request, architecture, splits))
    try:
        _make_model(imported, request, names).check_classes(splits.test)
    except ValueError as error:
        raise ArchitectureError(f"{path}: {error}; name the data that it is for with `dataset`") from error
    imported = _apply_scaling(imported, request, splits.train, partial(listeners.on_step, "trying scalings"))
    return imported, replace(_make_model(imported, request, names), handwriting=splits.train.handwriting)


def _describe_misfit(request: ImportRequest, architecture: Architecture, splits: Splits) -> str:
    """Say how a network and the data differ, and what would help."""
    shape, image = architecture.input.shape, splits.image_shape
    network, data = (" × ".join(map(str, sizes)) for sizes in (shape, image))
    steps = ["name its own data with `dataset`"]
    if shape != image and shape[2] == image[2] and architecture.num_classes == splits.num_classes:
        steps.append(f"resize these with `image_size` {shape[0]}x{shape[1]}")
    steps.append("keep the model alone with `out` model.safetensors, which needs no data")
    default = ", which is only the default," if request.data == "mnist" else ""
    return (
        f"{request.path}: reads images of {network} (height × width × channels) and has {architecture.num_classes} "
        f"outputs, but {splits.name}{default} has images of {data} and {splits.num_classes} classes; "
        + ", or ".join(steps)
    )


def _read_network(request: ImportRequest, image_shape: tuple[int, int, int] | None) -> Imported:
    return read_network(
        request.path,
        architecture=request.architecture,
        image_shape=request.image_shape or image_shape,
        output=request.output,
    )


def _make_model(imported: Imported, request: ImportRequest, class_names: Sequence[str] | None = None) -> Model:
    return make_model(imported, request.path, class_names, image_shape=request.image_shape, output=request.output)


def _apply_scaling(
    imported: Imported,
    request: ImportRequest,
    training: Dataset | None = None,
    on_progress: Callable[[int, int], None] | None = None,
) -> Imported:
    try:
        return with_scaling(imported, request.scaling, training, str(request.path), on_progress)
    except ValueError as error:
        raise InterchangeError(f"{request.path}: {error}") from error


def write_finished_run(
    path: Path, record: RunFile, model: Model, splits: Splits, timings: dict[str, float], listeners: Listeners
) -> tuple[EvaluatedRun, Path]:
    """Create the folder of a run whose model was not trained in it, measure it, and write the page."""
    history = History()  # no epoch
    with writing(path):
        folder = create_run(path, record)
        try:
            folder.write_history(history)
            folder.write_model(model, history)
            with measure_time(timings, "evaluate"):
                on_progress = partial(listeners.on_step, "evaluating")
                measured = measure_run(TrainedRun(folder, model, history), splits, on_progress)
            with measure_time(timings, "report"):  # matplotlib takes its time to load
                from convscope.runs.page import MeasuredRun, complete_page

            # The page shows the feature maps of test image 0.
            report = complete_page(MeasuredRun(measured), splits, 0, timings, listeners).write()
            timings["total"] = sum(timings.values())
            folder.write("timings.json", timings)
            folder.finish()
        except BaseException:  # a half-finished import cannot continue, and its folder would block the next attempt
            shutil.rmtree(folder.path, ignore_errors=True)
            raise
    return measured, report
