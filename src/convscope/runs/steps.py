"""The steps of a job, each from and into the run folder: train, evaluate, and compare with the baseline."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
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
from convscope.runs.start import unseen_by
from convscope.storage import NOTHING, RunFolder, open_run, save_trained_on
from convscope.training import History, TrainingState, describe_choice, train
from convscope.training.memory import Memory, measure_memory
from convscope.training.model import Model


@dataclass(frozen=True, eq=False)
class Trained:
    """A run that has been trained to its end."""

    folder: RunFolder
    model: Model
    history: History


@dataclass(frozen=True, eq=False)
class Measured(Trained):
    """A trained run and its predictions for the test images."""

    evaluation: Evaluation


@contextmanager
def timed(timings: dict[str, float], step: str) -> Iterator[None]:
    """Add the seconds that the block takes to `timings[step]`."""
    start = perf_counter()
    try:
        yield
    finally:
        timings[step] = timings.get(step, 0.0) + perf_counter() - start


def train_run(job: Job, timings: dict[str, float], step: str, listeners: Listeners) -> Trained:
    """Train for the remaining epochs, and keep the model in the folder.

    `timings[step]` grows by the seconds that this takes, and by those of the epochs that earlier calls trained.
    """
    folder = job.folder
    if folder.record.imported:
        raise RunError(
            f"{folder.path}: its network was trained elsewhere; train it on as a new run, with `start` {folder.path}"
        )
    if folder.record.members:
        raise RunError(f"{folder.path}: is an ensemble; train one of its members on, as a new run, with `start`")
    with timed(timings, step):
        state = folder.load_state()
        model, history = _train_from(state, job, listeners)
        folder.write_model(model, history)
    if state is not None:
        timings[step] += sum(state.history.seconds)
    return Trained(folder, model, history)


def _train_from(state: TrainingState | None, job: Job, listeners: Listeners) -> tuple[Model, History]:
    folder, splits, start = job.folder, job.splits, job.start
    recipe, record, trained_on = folder.recipe, folder.record, job.trained_on
    listeners.on_training(folder.architecture.name, recipe.epochs, len(trained_on))

    def on_epoch(state: TrainingState) -> None:
        folder.save_epoch(state, splits.class_names)
        listeners.on_epoch(state)

    try:
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
            unseen=unseen_by(start, folder, splits),
            on_progress=listeners.on_progress,
            on_epoch=on_epoch,
        )
    except DivergedError as error:
        kept = len(folder.load_history())
        epochs = f"{kept} epoch{'' if kept == 1 else 's'} before it" if kept else "untrained weights"
        raise DivergedError(f"{folder.path}: {error}, and start a new run; the {epochs} are kept") from error
    listeners.on_trained(folder.architecture.name, describe_choice(history, recipe))
    if start is not None:
        model = replace(model, provenance={**model.provenance, "from": start.model.weights_sha256})
    known = NOTHING if start is None else start.known
    if known is not None:
        save_trained_on(folder.path / "model.safetensors", known.union(trained_on), model)
    return model, history


def memory_of(job: Job) -> Memory:
    """Measure the memory that this process, which has just trained the run, has taken so far."""
    folder, record, splits = job.folder, job.folder.record, job.splits
    return measure_memory(folder.architecture, folder.recipe, splits.train, splits.test, record.engine, record.threads)


def measure_run(trained: Trained, splits: Splits, on_progress: Callable[[int, int], None] | None = None) -> Measured:
    """Evaluate on the test images and keep the result; `on_progress` is that of `evaluate`."""
    evaluation = evaluate_run(trained.folder, trained.model, splits.test, on_progress)
    trained.folder.write_evaluation(evaluation)
    return Measured(trained.folder, trained.model, trained.history, evaluation)


def evaluate_run(
    folder: RunFolder, model: Model, dataset: Dataset, on_progress: Callable[[int, int], None] | None = None
) -> Evaluation:
    """Evaluate the model of a run; raises `RunError` if it gives numbers that are not finite."""
    try:
        return evaluate(model, dataset, on_progress=on_progress)
    except DivergedError as error:
        raise RunError(f"{folder.path}: {error}") from error


def load_measured(folder: RunFolder, splits: Splits) -> Measured:
    """Return a trained run with what it answered: as kept in a finished run, else evaluated now.

    Raises:
        RunError: if it has not been trained, a file of it is damaged, or its answers are to other test images.
    """
    model, history = folder.load_model(), folder.load_history()
    if folder.is_finished and folder.has("predictions.npz"):
        evaluation = folder.load_evaluation()
        test = splits.test
        if evaluation.class_names != test.class_names or not np.array_equal(evaluation.y_true, test.labels):
            raise RunError(f"{folder.path}: its answers are not to the test images of {splits.name}; run it again")
    else:
        evaluation = evaluate_run(folder, model, splits.test)
    return Measured(folder, model, history, evaluation)


def load_baseline(folder: RunFolder, splits: Splits) -> Measured | None:
    """Return the finished run in baseline/, or None where there is none."""
    if not folder.has("baseline/DONE"):
        return None
    if not folder.has("baseline/run.json"):
        raise RunError(f"{folder.path / 'baseline'}: no run.json there; remove the folder or run again")
    return load_measured(open_run(folder.place("baseline")), splits)


def compare_runs(run: Measured, baseline: Measured, splits: Splits) -> Comparison:
    """Compare the two on the test images.

    The time of an answer is measured once: where comparison.json of `run` has it, it is read from there.
    """
    kept = _kept_latencies(run.folder)
    if kept is None:
        kept = [measure_latency(side.model.network, splits.test.images) for side in (run, baseline)]
    try:
        a, b = (
            Candidate.from_model(
                side.model,
                side.evaluation,
                sum(side.history.seconds),
                None,
                *latencies,
                weight_bits=side.folder.recipe.weight_bits,
            )
            for side, latencies in zip((run, baseline), kept, strict=True)
        )
        return compare(a, b)
    except ValueError as error:  # the two were measured on other images
        raise RunError(f"{baseline.folder.path}: {error}; remove the folder and compare again") from error


def _kept_latencies(folder: RunFolder) -> list[tuple[float | None, float | None]] | None:
    """Return how long each network takes for one image and for a thousand, as comparison.json says; None without it."""
    if not folder.has("comparison.json"):
        return None
    kept = read(folder.place("comparison.json"), ComparisonRecord)
    return [(side.latency_seconds, side.latency_1000_seconds) for side in (kept.a, kept.b)]
