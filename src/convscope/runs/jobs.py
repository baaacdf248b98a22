"""Open jobs: resolve all choices of a training once, and lock its run folder."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path

from msgspec import UNSET, UnsetType, structs

from convscope.architecture import Architecture
from convscope.base.errors import DatasetError, RecipeError, RunError
from convscope.data.datasets import Dataset, LoadOptions, Splits
from convscope.engine import EngineName, check_engine, check_precision, check_weight_bits
from convscope.experiment import RunSpec
from convscope.experiment.machine import count_cores
from convscope.experiment.start import Start, open_start
from convscope.recipes import AUTO, RECIPES, Recipe, thorough
from convscope.runs.automatic import describe_trials, is_automatic
from convscope.runs.choices import PRESET, ArchitectureChoice, RecipeChanges, RecipeChoice, architecture_for, recipe_for
from convscope.runs.data import DataChoice, load_again, load_data
from convscope.runs.listeners import SILENT, Listeners
from convscope.runs.run_record import make_run_record
from convscope.runs.start import load_run_start, split_held_out
from convscope.storage import RunFolder, check_new, create_run, open_run, writing
from convscope.storage.records import JobOptions
from convscope.training import check_classes, check_fit, check_recipe, hold_out
from convscope.training.automatic import BUDGET, MAX_TRIALS, choose_training
from convscope.training.records import SearchRecord

BASELINE = "ann"
"""The architecture that a run is compared with."""


@dataclass(frozen=True)
class Request:
    """The arguments of a new run, not yet checked.

    Attributes:
        loading: the options for loading the data.
        architecture: by default `PRESET`, or that of `start`.
        width: the factor for the filters and units of `architecture`.
        start: a run folder or model file whose weights training starts from; None for random weights.
        new_output: if true, the weights of the outputs are random nevertheless.
        recipe: by default the preset's own; then `classic` for MNIST, and `auto` for other data (see `is_automatic`).
        budget: multiply-adds of `auto`, which it implies; None for as many as half a minute allows.
        changes: the changes of the recipe.
        threads: by default one for each core.
        out: the folder; by default a new one under runs/.
        options: those of the main job; None only trains and evaluates.
        command: the command line or call that makes the run.
    """

    data: DataChoice = "mnist"
    loading: LoadOptions = field(default_factory=LoadOptions)
    architecture: ArchitectureChoice | None = None
    width: float = 1.0
    start: Path | None = None
    new_output: bool = False
    recipe: RecipeChoice | None = None
    budget: float | None = None
    changes: RecipeChanges = field(default_factory=RecipeChanges)
    seed: int = 0
    engine: EngineName = "native"
    threads: int | None = None
    out: Path | None = None
    options: JobOptions | None = None
    command: str = ""


@dataclass(frozen=True, eq=False)
class Job:
    """A training with every choice made.

    Attributes:
        folder: holds the architecture, the recipe, the seed, the engine and the number of threads.
        start: the network that training starts from; None for random weights.
        options: those of the main job; None only trains and evaluates.
    """

    folder: RunFolder
    splits: Splits
    start: Start | None = None
    options: JobOptions | None = None

    @property
    def training_images(self) -> Dataset:
        """The training images without those that are held out for validation."""
        # They are drawn again by the seed, as nothing stores them.
        return split_held_out(self.folder, self.splits, self.start)[0]


@contextmanager
def new_job(request: Request, listeners: Listeners = SILENT) -> Iterator[Job]:
    """Check all arguments, and only then create the run's folder and lock it until the block ends.

    Raises:
        ConvscopeError: if the data, the architecture, the recipe or the start cannot be read or do not fit together, or
            the folder is not empty.
        ValueError: if arguments exclude each other.
    """
    check_engine(request.engine)  # first, since loading a data set may take minutes
    argument, splits = load_data(request.data, request.loading, listeners.on_download)
    if request.options is not None:
        check_index(request.options.index, splits)
    check_classes(splits.train)
    start = _open_start(request, splits)
    network, recipe, search = _resolve_training(request, splits, start, listeners)
    check_precision(recipe.precision, request.engine)
    check_weight_bits(recipe.weight_bits, request.engine)
    if start is not None:
        start.check(splits, recipe.validation_fraction)
    try:
        check_recipe(recipe, network)
        hold_out(splits, recipe, request.seed, unseen=None if start is None else start.unseen(splits.train))
    except RecipeError as error:
        # The checks do not know a recipe's file, so it is added to the error here.
        is_file = isinstance(request.recipe, str | Path) and request.recipe not in RECIPES
        raise RecipeError(f"{request.recipe}: {error}" if is_file else str(error)) from error
    record = make_run_record(
        RunSpec(argument, network, recipe, request.seed, request.engine),
        splits,
        request.threads or count_cores(),
        request.command,
        UNSET if start is None else start.to_record(splits),
        request.options,
        search,
    )
    # All is checked by now, so that a request that is refused leaves no folder behind.
    path = request.out or create_free_folder(f"{splits.name}-{network.name}")
    with writing(path):
        folder = create_run(path, record)
        # A copy in the run's folder: `resume` and further seeds need it after the original was moved or deleted.
        if start is not None:
            start.save(folder.start_path)
        yield Job(folder, splits, start, request.options)


def _open_start(request: Request, splits: Splits) -> Start | None:
    """Open the network that training starts from, if there is one."""
    if request.start is None:
        if request.new_output:
            raise ValueError("new_output says what to take from a run; give one as start")
        return None
    if request.architecture is not None:
        raise ValueError("start takes the architecture of the run; leave out architecture")
    if request.recipe == AUTO or request.budget is not None:
        raise RecipeError("recipe auto starts from random weights; leave out `start`, or name another recipe")
    return open_start(request.start, splits, request.seed, new_output=request.new_output)


def _resolve_training(
    request: Request, splits: Splits, start: Start | None, listeners: Listeners
) -> tuple[Architecture, Recipe, SearchRecord | UnsetType]:
    """Choose the network and the recipe, and check that they fit the data; with `auto` also list the trials."""
    network = None if start is None else start.transfer.architecture
    if start is None and (request.architecture is not None or request.width != 1):
        choice = request.architecture or PRESET
        network = architecture_for(choice, splits.image_shape, splits.num_classes, request.width)
    recipe = AUTO if request.budget is not None and request.recipe is None else request.recipe
    if start is not None or not is_automatic(recipe, request.changes, network, splits):
        if request.budget is not None:
            raise RecipeError("`budget` is for the recipe auto; leave it out, or name that recipe")
        network = network or architecture_for(PRESET, splits.image_shape, splits.num_classes)
        for part in (splits.train, splits.test):
            check_fit(network, part)
        return network, recipe_for(recipe, network, request.changes), UNSET
    if network is not None:
        check_fit(network, splits.train)
    # Errors are found before the trials, which take half a minute.
    hold_out(splits, request.changes.apply(thorough), request.seed)
    if request.out is not None and request.out.exists():
        with writing(request.out):
            check_new(request.out)

    def on_trial(done: int) -> None:
        listeners.on_step("trying networks and augmentations", done, MAX_TRIALS)

    on_trial(0)
    chosen = choose_training(
        splits.train,
        network,
        budget=request.budget or BUDGET,
        seed=request.seed,
        threads=request.threads,
        on_trial=on_trial,
    )
    on_trial(MAX_TRIALS)  # some have no need of so many
    listeners.on_plan(describe_trials(chosen, len(splits.train)))
    return chosen.architecture, request.changes.apply(chosen.recipe), chosen.search


def resume_job(folder: RunFolder, splits: Splits, options: JobOptions | None, threads: int | None = None) -> Job:
    """Continue the training in `folder` with its original choices, except for `options` and `threads`.

    Args:
        threads: by default as many as before; any number gives the same bits.
    """
    record = structs.replace(folder.record, threads=threads or folder.record.threads)
    if options is not None:
        check_index(options.index, splits)
        record = structs.replace(record, job=options)
    if record != folder.record:
        folder.write_record(record)
        folder = replace(folder, record=record)
    return Job(folder, splits, load_run_start(folder, splits), options)


def baseline_job(folder: RunFolder, splits: Splits) -> Job | None:
    """Open or create the training of the dense baseline for a run; None for a run of the dense network itself."""
    if folder.has("baseline/run.json"):  # a main job was stopped after it trained the baseline
        return Job(open_run(folder.locate("baseline")), splits)
    network = architecture_for(BASELINE, splits.image_shape, splits.num_classes)
    if network == folder.architecture:
        return None
    record = folder.record
    # The same data, recipe, seed and engine as the run, so that the two differ only in the network.
    spec = RunSpec(record.dataset.argument, network, folder.recipe, folder.seed, record.engine)
    baseline = make_run_record(spec, splits, record.threads, record.command)
    return Job(create_run(folder.locate("baseline"), baseline), splits)


def read_options(folder: RunFolder) -> JobOptions | None:
    """Read the options of a run's main job; None for a run that is only trained."""
    return folder.record.job or None


@contextmanager
def open_with_data(
    path: Path, data: DataChoice | None = None, listeners: Listeners = SILENT, *, writes: bool = True
) -> Iterator[tuple[RunFolder, Splits]]:
    """Open a run folder with the data that it was made from.

    Args:
        data: the data, if they were arrays in memory.
        writes: if true, lock the folder against other writers until the block ends.

    Raises:
        RunError: if there is no run, another process is writing to it, or the data have changed.
    """
    if not writes:
        yield _open(path, data, listeners)
        return
    open_run(path)  # before locking: it creates the folder of a stored run, and raises if there is no run
    with writing(path):
        yield _open(path, data, listeners)


def _open(path: Path, data: DataChoice | None, listeners: Listeners) -> tuple[RunFolder, Splits]:
    folder = open_run(path)
    return folder, load_again(folder.record.dataset, path, data, listeners.on_download)


def check_index(index: int, splits: Splits) -> None:
    """Raise `DatasetError` unless there is a test image `index`."""
    if not 0 <= index < len(splits.test):
        raise DatasetError(f"`index` {index}: {splits.name} has test images 0 to {len(splits.test) - 1}")


def create_free_folder(name: str) -> Path:
    """Create a new numbered folder under runs/ and return it."""
    for number in count(1):
        path = Path("runs") / f"{name}-{number:03}"
        try:
            path.mkdir(parents=True)  # fails if it exists, so two processes never get the same folder
        except FileExistsError:
            continue
        except OSError as error:
            raise RunError(f"{path}: cannot be created ({error.strerror}); choose another `out`") from error
        return path
    raise AssertionError("numbers never end")
