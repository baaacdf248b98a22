"""A sweep: networks with varied fields, trained on a part of the training images and judged on the rest of them.

The test images are never looked at. The held-out images have two halves. One chooses the best trial; on the other half
further seeds of it are compared with those of the network and recipe as they were, so that nothing that took part in
the choice says how good it is.
"""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from convscope.architecture import Architecture
from convscope.architecture.presets import AnyArchitecture, network_for
from convscope.base.arguments import checked
from convscope.base.errors import ConvscopeError, DatasetError
from convscope.base.statistics import group_accuracy_interval, group_difference
from convscope.data.datasets import Splits
from convscope.evidence.calibration.intervals import Estimate
from convscope.experiment.records import DivergedRun
from convscope.experiment.result import RunResult
from convscope.experiment.runs import OnDiverged, OnResult, splits_and_argument, train_and_list_diverged
from convscope.experiment.spec import RunSpec, judged_on_held_out
from convscope.experiment.sweep.records import FreshRuns, Trial
from convscope.experiment.sweep.result import Sweep
from convscope.experiment.sweep.sampler import Sampler, Search
from convscope.experiment.sweep.space import Value, change, parse_dimension
from convscope.recipes import AnyRecipe, Recipe, recipe_named
from convscope.training import default_recipe

HELD_OUT = 1 / 6
"""Of the training images: as many as MNIST has test images."""

_HALVING = 3  # of the trials one in three goes on, with three times as many images
CHECK_SEEDS = 5
"""Further seeds of the best trial, and of the default."""

_FEWEST_IMAGES = 0.1  # of those to train on, in the first round
_BATCH = 4  # trials that are drawn before the first of them is judged, where that matters
OnRuns = Callable[[int], None]


@checked
def run_sweep(
    architecture: AnyArchitecture,
    data: Splits | str | Path,
    recipe: AnyRecipe | None = None,
    vary: Sequence[str] = (),
    *,
    dataset: str | None = None,
    trials: int = 20,
    search: Search = "random",
    halving: bool = False,
    seeds: int = 1,
    held_out: float = HELD_OUT,
    folder: Path | str | None = None,
    executor: Executor | None = None,
    threads: int | None = None,
    on_result: OnResult | None = None,
    on_diverged: OnDiverged | None = None,
    on_runs: OnRuns | None = None,
) -> Sweep:
    """Train networks with varied fields, and return which one held-out training images prefer.

    >>> import convscope as cs
    >>> data = cs.load_dataset("mnist")
    >>> tiny = cs.Splits(data.train.take(range(600)), data.test.take(range(200)))
    >>> found = cs.run_sweep("ann", tiny, cs.Recipe(epochs=1), ["learning_rate=0.001,0.01"], search="grid")
    >>> len(found.trials), found.best_trial.values["learning_rate"] in (0.001, 0.01)
    (2, True)

    Args:
        data: the data set, or what `load_dataset` takes; only its training images are used.
        recipe: to vary; None is the preset's own, or `classic`.
        vary: what differs, each as `parse_dimension` reads it.
        dataset: what `load_dataset` takes to give `data`, where that is in memory and an executor is to be used.
        trials: how many combinations are tried; of a grid at most so many.
        search: how they are drawn; `tpe` draws by what did well before.
        halving: whether all begin with a ninth of the images, and one in three goes on with three times as many.
        seeds: runs of each trial.
        held_out: the fraction of the training images that is not trained on.
        folder, executor, threads, on_result, on_diverged: as for `train_runs`.
        on_runs: called with how many runs are about to be trained.

    Raises:
        ConvscopeError: if a field or value is not right, Optuna is missing, every trial diverges, or as `train_runs`.
        ValueError: if a number is out of its range.
    """
    if not vary:
        raise ValueError("vary is empty; give at least one field, such as 'learning_rate=log:1e-4..1e-2'")
    if trials < 1 or seeds < 1:
        raise ValueError(f"trials is {trials} and seeds {seeds}; they must be at least 1")
    if halving and search == "tpe":
        raise ValueError("halving does not go with tpe, which has to know each trial to its end")
    splits, argument = splits_and_argument(data, dataset)
    network = network_for(architecture, splits.image_shape, splits.num_classes)
    first = default_recipe(network) if recipe is None else recipe_named(recipe)
    dimensions = [parse_dimension(text) for text in vary]
    judged, chooses = _hold_out(splits, held_out)
    diverged = list[DivergedRun]()

    def train(specs: list[RunSpec]) -> list[RunResult]:
        if on_runs is not None:
            on_runs(len(specs))
        options = {"folder": folder, "executor": executor, "threads": threads, "on_result": on_result}
        results, more = train_and_list_diverged(specs, judged, on_diverged=on_diverged, **options)
        diverged.extend(more)
        return results

    job = _Job(network, first, judged, chooses, argument, held_out, seeds, train, diverged)
    sampler = Sampler(dimensions, search, trials)
    rounds = {images: dict[int, _Done]() for images in _round_sizes(len(judged.train), halving=halving)}
    for batch in sampler.batches(_BATCH if search == "tpe" else trials):
        for values in batch.values():
            job.changed(values)  # an error before anything is trained
        for images, done in rounds.items():
            results = job.train(batch, images)
            done |= results
            ranked = sorted(results, key=lambda number: -results[number].score)[: max(1, len(results) // _HALVING)]
            batch = {number: batch[number] for number in ranked if results[number].score >= 0}
        sampler.tell({number: result.score for done in rounds.values() for number, result in done.items()})
    return _judge(job, list(rounds.values()))


@dataclass(frozen=True, eq=False)
class _Done:
    """A trained trial: which held-out images are wrong, (n, M), for its n runs that did not diverge."""

    values: Mapping[str, Value]
    num_images: int
    wrong: NDArray[np.bool_]
    seconds: float
    score: float
    num_diverged: int


@dataclass(frozen=True, eq=False)
class _Job:
    """The settings that all trials share."""

    architecture: Architecture
    recipe: Recipe
    splits: Splits
    chooses: NDArray[np.bool_]
    dataset: str
    held_out: float
    seeds: int
    train_specs: Callable[[list[RunSpec]], list[RunResult]]
    diverged: list[DivergedRun]

    def changed(self, values: Mapping[str, Value]) -> tuple[Architecture, Recipe]:
        """Return the architecture and the recipe with these values."""
        return change(self.architecture, self.recipe, values)

    def train(self, batch: Mapping[int, Mapping[str, Value]], num_images: int) -> dict[int, _Done]:
        """Train trials on so many images, and return what they answer."""
        specs = [
            RunSpec(
                self.dataset,
                *change(self.architecture, self.recipe, values),
                seed,
                num_images=num_images,
                name=f"trial {number}",
                held_out=self.held_out,
            )
            for number, values in batch.items()
            for seed in range(self.seeds)
        ]
        results = self.train_specs(specs)
        found = dict[int, _Done]()
        for number, values in batch.items():
            own = [result for result in results if result.name == f"trial {number}"]
            wrong = np.array([result.y_pred != self.splits.test.labels for result in own]).reshape(
                len(own), len(self.chooses)
            )
            score = 1 - float(wrong[:, self.chooses].mean()) if own else -1.0
            seconds = float(np.mean([result.seconds for result in own])) if own else 0.0
            found[number] = _Done(values, num_images, wrong, seconds, score, self.seeds - len(own))
        return found

    def train_further(self, values: Mapping[str, Value], name: str) -> tuple[tuple[int, ...], NDArray[np.bool_]]:
        """Train further seeds, and return those that did not diverge and which checking images are wrong, (n, M)."""
        specs = [
            RunSpec(self.dataset, *self.changed(values), seed, name=name, held_out=self.held_out)
            for seed in range(self.seeds, self.seeds + CHECK_SEEDS)
        ]
        results = self.train_specs(specs)
        checks = ~self.chooses
        wrong = [result.y_pred[checks] != self.splits.test.labels[checks] for result in results]
        return tuple(result.seed for result in results), np.array(wrong).reshape(len(wrong), checks.sum())


def _hold_out(splits: Splits, fraction: float) -> tuple[Splits, NDArray[np.bool_]]:
    """Return splits whose test images are held-out training images, and which of them choose: half of each class.

    An odd image of a class falls to the choosing half and to the other half in turn.
    """
    train = splits.train
    held_out = sum(round(fraction * count) for count in train.class_counts.tolist())
    if 0 < fraction < 1 and not 2 <= held_out < len(train):
        raise DatasetError(
            f"{splits.name}: `held_out` {fraction:.4g} of each class holds out {held_out:,} of {len(train):,} training "
            "images; one must choose, one check and one be trained on, so use more images or another fraction"
        )
    judged = judged_on_held_out(splits, fraction)
    chooses = np.zeros(len(judged.test), np.bool_)
    chooses[np.argsort(judged.test.labels, kind="stable")[::2]] = True
    return judged, chooses


def _round_sizes(num_images: int, *, halving: bool) -> list[int]:
    """Return on how many images the trials of each round are trained."""
    sizes = [num_images]
    while halving and sizes[0] // _HALVING >= _FEWEST_IMAGES * num_images:
        sizes.insert(0, sizes[0] // _HALVING)
    return sizes


def _judge(job: _Job, rounds: Sequence[Mapping[int, _Done]]) -> Sweep:
    """Rank the trials by the choosing images, and compare further seeds of the best one with those of the default."""
    done = {number: result for trials in rounds for number, result in trials.items()}
    order = sorted(
        done, key=lambda number: (done[number].score < 0, -done[number].num_images, -done[number].score, number)
    )
    best = done[order[0]]
    if best.score < 0:
        raise ConvscopeError(
            f"every trial of the sweep diverged; try smaller learning rates ({job.diverged[0].name}: "
            f"{job.diverged[0].reason})"
        )
    reached = [trials for trials in rounds if any(result.score >= 0 for result in trials.values())]
    level = 0.05 / max(sum(len(trials) - 1 for trials in reached), 1)
    contenders = [_contenders(trials, job.chooses, level) for trials in reached]
    num_dropped = sum(len(set(some) - set(later)) for some, later in zip(contenders, reached[1:], strict=False))
    network, recipe = job.changed(best.values)
    seeds, wrong = job.train_further(best.values, f"trial {order[0]}")
    is_changed = (network, recipe) != (job.architecture, job.recipe)
    default_seeds, default_wrong = job.train_further({}, "default") if is_changed else ((), np.zeros((0, 0), np.bool_))
    apart = group_difference(wrong, default_wrong) if seeds and default_seeds else None
    return Sweep(
        job.splits.name,
        tuple(_trial(number, done[number], job) for number in order),
        int(job.chooses.sum()),
        int((~job.chooses).sum()),
        float(np.bincount(job.splits.test.labels[job.chooses]).max() / job.chooses.sum()),
        replace(network, name=f"{network.name}-best") if network != job.architecture else network,
        replace(recipe, name=f"{recipe.name}-best") if recipe != job.recipe else recipe,
        _fresh_runs(seeds, wrong),
        _fresh_runs(default_seeds, default_wrong),
        Estimate(value=float(default_wrong.mean() - wrong.mean()), interval=apart.interval) if apart else None,
        apart.p_value if apart else None,
        tuple(contenders[-1]),
        num_dropped,
        tuple(job.diverged),
    )


def _fresh_runs(seeds: tuple[int, ...], wrong: NDArray[np.bool_]) -> FreshRuns | None:
    if not seeds:
        return None
    accuracies = (1 - wrong.mean(axis=1)).tolist()
    return FreshRuns(
        seeds=seeds,
        accuracies=tuple(accuracies),
        accuracy=float(np.mean(accuracies)),
        interval=group_accuracy_interval(wrong),
    )


def _contenders(trials: Mapping[int, _Done], chooses: NDArray[np.bool_], level: float) -> list[int]:
    """List the trials that the choosing images do not show to be worse than the best of them, the best first.

    With `level` divided by all comparisons of a sweep (Bonferroni), the trial that is best on all images of the kind is
    missing in at most 5 % of sweeps.
    """
    rates = {number: done.wrong[:, chooses].mean(axis=0) for number, done in trials.items() if done.score >= 0}
    ranked = sorted(rates, key=lambda number: (rates[number].mean(), number))
    limit = NormalDist().inv_cdf(1 - level)
    best = rates[ranked[0]]

    def is_contender(number: int) -> bool:
        worse = rates[number] - best
        # Two more images that differ: three of three errors more are no proof, though their own spread says so.
        return bool(worse.sum() <= limit * np.sqrt((worse**2).sum() + 2))

    return [number for number in ranked if is_contender(number)]


def _trial(number: int, result: _Done, job: _Job) -> Trial:
    network, _ = job.changed(result.values)
    choice = result.score if len(result.wrong) else None
    return Trial(
        number=number,
        values=dict(result.values),
        num_images=result.num_images,
        choice=choice,
        seconds=result.seconds,
        parameters=network.parameters,
        num_diverged=result.num_diverged,
    )
