"""The steps of the main job, each into the run folder, shared by the commands."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path
from time import perf_counter
from typing import Any

import click
import numpy as np
from numpy.typing import NDArray

from convscope.architecture import Architecture
from convscope.base.errors import DatasetError, DivergedError, RecipeError, RunError
from convscope.cli.loading import load, load_again
from convscope.cli.options import PRESET, architecture_for, recipe_for
from convscope.cli.output import echo
from convscope.cli.progress import TrainingProgress
from convscope.cli.record import JobOptions, job_record, run_record
from convscope.cli.start import held_out_by, open_start, start_of, unseen_by
from convscope.data.datasets import Dataset, Splits
from convscope.engine import EngineName, check_engine, check_precision
from convscope.evidence.benchmark import measure_latency
from convscope.evidence.comparison import Candidate, Comparison, compare
from convscope.evidence.evaluation import Evaluation, evaluate
from convscope.experiment import argument_of
from convscope.experiment.record import available_cores
from convscope.recipes import RECIPES, Precision
from convscope.runs.tracking import Trackers
from convscope.storage import NOTHING, RunFolder, create_run, open_run, save_trained_on, writing
from convscope.training import (
    History,
    TrainingState,
    check_classes,
    check_fit,
    check_recipe,
    describe_choice,
    hold_out,
    train,
)
from convscope.training.memory import Memory, measure_memory
from convscope.training.model import Model

BASELINE = "ann"
"""The architecture that a run is compared with."""


@dataclass(frozen=True)
class Trained:
    """A run that has been trained to its end."""

    folder: RunFolder
    model: Model
    history: History


@contextmanager
def timed(timings: dict[str, float], step: str) -> Iterator[None]:
    """Add the seconds that the block takes to `timings[step]`."""
    start = perf_counter()
    try:
        yield
    finally:
        timings[step] = timings.get(step, 0.0) + perf_counter() - start


def start_run(
    *,
    dataset: str,
    test_fraction: float | None,
    split_seed: int,
    image_size: tuple[int, int] | None,
    architecture: str | None,
    start: Path | None,
    new_output: bool,
    recipe: str,
    epochs: int | None,
    precision: Precision | None,
    class_weights: str | None,
    validation_fraction: float | None,
    patience: int | None,
    seed: int,
    engine: EngineName,
    threads: int | None,
    out: Path | None,
    job: JobOptions | None = None,
) -> tuple[RunFolder, Splits]:
    """Check all that was asked for, and only then make the run's folder; `job` is of `convscope run`."""
    check_engine(engine)
    splits = load(dataset, test_fraction, split_seed, image_size)
    if job is not None:
        check_index(job.index, splits)
    if new_output and start is None:
        raise click.UsageError("--new-output says what to take from a run; give one with --from")
    begin = None if start is None else open_start(start, splits, seed, new_output=new_output)
    if begin is None:
        network = architecture_for(architecture or PRESET, splits.image_shape, splits.num_classes)
    elif architecture is None:
        network = begin.transfer.architecture
    else:
        raise click.UsageError("--from takes the architecture of the run; leave out --architecture")
    check_classes(splits.train)
    for part in (splits.train, splits.test):
        check_fit(network, part)
    chosen = recipe_for(recipe, epochs, validation_fraction, patience, precision, class_weights)
    check_precision(chosen.precision, engine)
    unseen = None
    if begin is not None:
        begin.check(splits, chosen.validation_fraction)
        unseen = begin.unseen(splits.train)
    try:
        check_recipe(chosen, network)
        hold_out(splits, chosen, seed, unseen=unseen)
    except RecipeError as error:
        raise RecipeError(str(error) if recipe in RECIPES else f"{recipe}: {error}") from error
    record = run_record(
        dataset=argument_of(dataset),
        splits=splits,
        architecture=network,
        recipe=chosen,
        seed=seed,
        engine=engine,
        threads=threads or available_cores(),
        start=None if begin is None else {**begin.to_dict(splits), "new_output": new_output},
    )
    place = hold(out or free_folder(f"{splits.name}-{network.name}"))
    folder = create_run(place, {**record, **job_record(place, record, job)})
    if begin is not None:
        begin.save(folder)
    return folder, splits


def hold(path: Path) -> Path:
    """Be the only process that writes to the folder at `path` until the command ends, and return it.

    Raises:
        RunError: if another process is writing to it, or it cannot be written to.
    """
    click.get_current_context().with_resource(writing(path))
    return path


def resume_run(path: Path, *, writes: bool = True) -> tuple[RunFolder, Splits]:
    """Open a run folder with the data that it was made from.

    Args:
        writes: whether the command writes to the folder; then no other process may, until it ends.

    Raises:
        RunError: if there is no run, another process is writing to it, or the data are others now.
    """
    if writes and path.is_dir():
        hold(path)
    folder = open_run(path)
    recorded = folder.record["dataset"]
    splits = load_again(recorded)
    for part in (splits.train, splits.test):
        if part.sha256 != recorded[part.split]["sha256"]:
            raise RunError(
                f"{recorded['argument']}: the {part.split} images are not those that {path} was made from; "
                "put those back or start a new run"
            )
    return folder, splits


def follow(folder: RunFolder, tracking: Trackers) -> None:
    """Log the run in `folder` from now on, and what it has come to when the command ends, however it ends."""
    click.get_current_context().with_resource(tracking.following(folder.path))


def check_index(index: int, splits: Splits) -> None:
    """Raise `DatasetError` unless there is a test image `index`."""
    if index >= len(splits.test):
        raise DatasetError(f"--index {index}: {splits.name} has test images 0 to {len(splits.test) - 1}")


def train_run(
    folder: RunFolder, splits: Splits, timings: dict[str, float], step: str, tracking: Trackers, *, quiet: bool
) -> tuple[Model, History]:
    """Train to the end of the recipe, from wherever the folder stands, and keep the model there; tell `tracking`.

    `timings[step]` grows by the seconds that this takes, and by those of the epochs that earlier commands trained.
    """
    if "imported" in folder.record:
        raise RunError(
            f"{folder.path}: its network was trained elsewhere; train it on as a new run, with --from {folder.path}"
        )
    with timed(timings, step):
        state = folder.load_state()
        model, history = _train_from(state, folder, splits, tracking, quiet=quiet)
        folder.write_model(model, history)
    if state is not None:
        timings[step] += sum(state.history.seconds)
    return model, history


def _train_from(
    state: TrainingState | None, folder: RunFolder, splits: Splits, tracking: Trackers, *, quiet: bool
) -> tuple[Model, History]:
    recipe, record, start = folder.recipe, folder.record, start_of(folder, splits)
    trained_on, _ = held_out_by(folder, splits, start)
    progress = TrainingProgress(folder.architecture.name, recipe.epochs, len(trained_on), quiet=quiet)

    def on_epoch(state: TrainingState) -> None:
        folder.save_epoch(state, splits.class_names)
        progress.on_epoch(state)
        tracking.update(folder.path)

    try:
        if state is None and start is not None:
            state = start.transfer.state
            on_epoch(state)
        model, history = train(
            folder.architecture,
            splits,
            recipe,
            seed=folder.seed,
            engine=record["engine"],
            threads=record["threads"],
            state=state,
            unseen=unseen_by(start, folder, splits),
            on_progress=progress.on_progress,
            on_epoch=on_epoch,
        )
    except DivergedError as error:
        kept = len(folder.load_history())
        epochs = f"{kept} epoch{'' if kept == 1 else 's'} before it" if kept else "untrained weights"
        raise DivergedError(f"{folder.path}: {error}, and start a new run; the {epochs} are kept") from error
    finally:
        progress.close()
    progress.on_end(describe_choice(history, recipe))
    if start is not None:
        model = replace(model, provenance={**model.provenance, "from": start.model.weights_sha256})
    known = NOTHING if start is None else start.known
    if known is not None:
        save_trained_on(folder.path / "model.safetensors", known.and_also(trained_on), model)
    return model, history


def memory_of(folder: RunFolder, splits: Splits) -> Memory:
    """Return the memory that this process, which has just trained the run, has taken so far."""
    record = folder.record
    return measure_memory(
        folder.architecture, folder.recipe, splits.train, splits.test, record["engine"], record["threads"]
    )


def measure_run(folder: RunFolder, model: Model, splits: Splits) -> Evaluation:
    """Evaluate on the test images and keep the result."""
    evaluation = evaluate_run(folder, model, splits.test)
    folder.write_evaluation(evaluation)
    return evaluation


def evaluate_run(folder: RunFolder, model: Model, dataset: Dataset) -> Evaluation:
    """Evaluate the model of a run; raises `RunError` if it gives numbers that are not finite."""
    try:
        return evaluate(model, dataset)
    except DivergedError as error:
        raise RunError(f"{folder.path}: {error}") from error


def baseline_folder(folder: RunFolder, splits: Splits) -> RunFolder | None:
    """Return the run of the dense network beside `folder`'s, made now if need be; None for a run that is one itself."""
    path = folder.place("baseline")
    if folder.has("baseline/run.json"):
        return open_run(path)
    network = architecture_for(BASELINE, splits.image_shape, splits.num_classes)
    if network == folder.architecture:
        return None
    record = run_record(
        dataset=folder.record["dataset"]["argument"],
        splits=splits,
        architecture=network,
        recipe=folder.recipe,
        seed=folder.seed,
        engine=folder.record["engine"],
        threads=folder.record["threads"],
    )
    return create_run(path, {**record, **job_record(path, record, None)})


def compare_runs(
    models: tuple[Model, Model],
    histories: tuple[History, History],
    evaluations: tuple[Evaluation, Evaluation],
    images: NDArray[np.uint8],
) -> Comparison:
    """Compare two runs on the same test images."""
    a, b = (
        Candidate.from_model(model, evaluation, sum(history.seconds), None, *measure_latency(model.network, images))
        for model, evaluation, history in zip(models, evaluations, histories, strict=True)
    )
    return compare(a, b)


def interrupted(folder: RunFolder, command: str) -> click.ClickException:
    """Return what a user who pressed Ctrl-C is told."""
    return click.ClickException(f"interrupted; go on with: convscope {command} --resume {folder.path}")


def print_result(values: list[Any]) -> None:
    """Print the text of each value, with a blank line before it."""
    for value in values:
        echo(f"\n{value}")


def describe(architecture: Architecture, splits: Splits, folder: RunFolder) -> str:
    """Return the line that a run begins with."""
    fraction = folder.recipe.validation_fraction
    held_out = f" ({100 * fraction:.4g} % of them held out)" if fraction else ""
    return (
        f"{splits.name}: {len(splits.train):,} training images{held_out} and {len(splits.test):,} test images; "
        f"{architecture.name}: {architecture.parameters:,} parameters; "
        f"recipe {folder.recipe.name}, seed {folder.seed}; in {folder.path}"
    )


def free_folder(name: str) -> Path:
    """Make a folder under runs/ that was not there yet, also where two processes look for one, and return it."""
    for number in count(1):
        path = Path("runs") / f"{name}-{number:03}"
        try:
            path.mkdir(parents=True)
        except FileExistsError:
            continue
        except OSError as error:
            raise RunError(f"{path}: cannot be made ({error.strerror}); choose another --out") from error
        return path
    raise AssertionError("numbers never end")
