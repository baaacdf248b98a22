"""The steps of a job, which read and write the run folder: train, evaluate, and compare with the baseline."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from time import perf_counter

import numpy as np

from convscope.base.errors import DivergedError, RunError
from convscope.base.records import read
from convscope.data.datasets import Dataset, Splits
from convscope.evidence.comparison import Candidate, Comparison, compare
from convscope.evidence.comparison.records import ComparisonRecord
from convscope.evidence.evaluating import evaluate
from convscope.evidence.evaluation import Evaluation
from convscope.evidence.latency import measure_latency
from convscope.runs.jobs import Job
from convscope.runs.listeners import Listeners
from convscope.runs.start import find_unseen
from convscope.storage import NOTHING, RunFolder, open_run, save_trained_on
from convscope.training import History, TrainingState, describe_choice, train
from convscope.training.memory import Memory, measure_memory
from convscope.training.model import Model


@dataclass(frozen=True, eq=False)
class TrainedRun:
    """A run that has been trained to its end."""

    folder: RunFolder
    model: Model
    history: History


@dataclass(frozen=True, eq=False)
class EvaluatedRun(TrainedRun):
    """A trained run and its predictions for the test images."""

    evaluation: Evaluation


@contextmanager
def measure_time(timings: dict[str, float], step: str) -> Iterator[None]:
    """Add the seconds that the block takes to `timings[step]`."""
    start = perf_counter()
    try:
        yield
    finally:
        timings[step] = timings.get(step, 0.0) + perf_counter() - start


def train_run(job: Job, timings: dict[str, float], step: str, listeners: Listeners) -> TrainedRun:
    """Train for the remaining epochs, and write the model to the folder.

    `timings[step]` grows by the seconds of all epochs, also of those that earlier calls trained.
    """
    folder = job.folder
    if folder.record.imported:
        raise RunError(
            f"{folder.path}: its network was trained elsewhere; train it on as a new run, with `start` {folder.path}"
        )
    if folder.record.members:
        raise RunError(f"{folder.path}: is an ensemble; train one of its members on, as a new run, with `start`")
    with measure_time(timings, step):
        state = folder.load_state()  # after the last epoch of an earlier call; None if there was none
        model, history = _train_from(state, job, listeners)
        folder.write_model(model, history)
    if state is not None:
        timings[step] += sum(state.history.seconds)
    return TrainedRun(folder, model, history)


def _train_from(state: TrainingState | None, job: Job, listeners: Listeners) -> tuple[Model, History]:
    """Train from `state`, from the job's start or from random weights, and save each checkpoint and epoch.

    Raises:
        DivergedError: with the folder, and with what it keeps.
    """
    folder, splits, start = job.folder, job.splits, job.start
    recipe, record, trained_on = folder.recipe, folder.record, job.training_images
    listeners.on_training(folder.architecture.name, recipe.epochs, len(trained_on))

    def on_epoch(state: TrainingState) -> None:
        folder.save_epoch(state)  # first, so that an error of the listener loses no epoch
        listeners.on_epoch(state)

    try:
        # `train` calls `on_epoch` with random weights before the first epoch, but not with a state that it is given.
        if state is None and start is not None:
            state = start.transfer.state
            on_epoch(state)
        model, history = train(
            folder.architecture,
            splits,
            recipe,
            seed=folder.seed,
            engine=record.engine,
            threads=record.threads,
            state=state,
            unseen=find_unseen(start, folder, splits),
            on_progress=listeners.on_progress,
            on_epoch=on_epoch,
            on_checkpoint=partial(folder.save_checkpoint, class_names=splits.class_names),
        )
    except DivergedError as error:
        num_epochs = len(folder.load_history())
        epochs = f"{num_epochs} epoch{'' if num_epochs == 1 else 's'} before it" if num_epochs else "untrained weights"
        raise DivergedError(f"{folder.path}: {error}, and start a new run; the {epochs} are kept") from error
    listeners.on_trained(folder.architecture.name, describe_choice(history, recipe))
    if start is not None:
        model = replace(model, provenance={**model.provenance, "from": start.model.weights_sha256})
    # The training images of the start and of this training together; unknown if those of the start are.
    known = NOTHING if start is None else start.known
    if known is not None:
        save_trained_on(folder.path / "model.safetensors", known.union(trained_on), model)
    return model, history


def measure_job_memory(job: Job) -> Memory:
    """Measure the memory that this process has used so far; call it right after the training."""
    folder, record, splits = job.folder, job.folder.record, job.splits
    return measure_memory(folder.architecture, folder.recipe, splits.train, splits.test, record.engine, record.threads)


def measure_run(run: TrainedRun, splits: Splits, on_progress: Callable[[int, int], None] | None = None) -> EvaluatedRun:
    """Evaluate on the test images and write the result; `on_progress` is that of `evaluate`."""
    evaluation = evaluate_run(run.folder, run.model, splits.test, on_progress)
    run.folder.write_evaluation(evaluation)
    return EvaluatedRun(run.folder, run.model, run.history, evaluation)


def evaluate_run(
    folder: RunFolder, model: Model, dataset: Dataset, on_progress: Callable[[int, int], None] | None = None
) -> Evaluation:
    """Evaluate the model of a run; raises `RunError` if it gives numbers that are not finite."""
    try:
        return evaluate(model, dataset, on_progress=on_progress)
    except DivergedError as error:
        raise RunError(f"{folder.path}: {error}") from error


def load_run(folder: RunFolder, splits: Splits) -> EvaluatedRun:
    """Load a trained run with its predictions; those of an unfinished run are computed.

    Raises:
        RunError: if it is not trained, a file of it is damaged, or its predictions are for other test images.
    """
    model, history = folder.load_model(), folder.load_history()
    if folder.is_finished and folder.has("predictions.npz"):
        evaluation = folder.load_evaluation()
        test = splits.test
        # The file of predictions has its own labels.
        if evaluation.class_names != test.class_names or not np.array_equal(evaluation.y_true, test.labels):
            raise RunError(f"{folder.path}: its predictions are not for the test images of {splits.name}; run it again")
    else:
        evaluation = evaluate_run(folder, model, splits.test)
    return EvaluatedRun(folder, model, history, evaluation)


def load_baseline(folder: RunFolder, splits: Splits) -> EvaluatedRun | None:
    """Load the finished run in baseline/; None if there is none."""
    if not folder.has("baseline/DONE"):
        return None
    if not folder.has("baseline/run.json"):
        raise RunError(f"{folder.path / 'baseline'}: no run.json there; remove the folder or run again")
    return load_run(open_run(folder.locate("baseline")), splits)


def compare_runs(run: EvaluatedRun, baseline: EvaluatedRun, splits: Splits) -> Comparison:
    """Compare two runs on the test images."""
    # Times differ between measurements, so they are measured once and then read from comparison.json.
    latencies = _read_latencies(run.folder)
    if latencies is None:
        latencies = [measure_latency(side.model.network, splits.test.images) for side in (run, baseline)]
    try:
        a, b = (
            Candidate.from_model(
                side.model,
                side.evaluation,
                sum(side.history.seconds),
                None,
                *latency,  # seconds for one image, and for a thousand
                weight_bits=side.folder.recipe.weight_bits,
            )
            for side, latency in zip((run, baseline), latencies, strict=True)
        )
        return compare(a, b)
    except ValueError as error:  # the two were measured on different images
        raise RunError(f"{baseline.folder.path}: {error}; remove the folder and compare again") from error


def _read_latencies(folder: RunFolder) -> list[tuple[float | None, float | None]] | None:
    """Read each network's seconds for one image and for a thousand from comparison.json; None without that."""
    if not folder.has("comparison.json"):
        return None
    record = read(folder.locate("comparison.json"), ComparisonRecord)
    return [(side.latency_seconds, side.latency_1000_seconds) for side in (record.a, record.b)]
