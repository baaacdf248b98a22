"""Sweep: train networks with varied fields on most of the training images, and choose the best by the others.

The test images are never used. The training images are divided:

    trained on (5/6)
    held out (1/6)    choosing images: rank the trials, each with the seeds 0 to `seeds` - 1
                      checking images: compare the best trial with the default, both with `CHECK_SEEDS` further seeds

So no seed or image that took part in the choice takes part in the comparison.

A trial is a combination of values, such as learning_rate 0.01 and dropout 0.2. Its score is its accuracy on the
choosing images; a trial whose runs all diverged has the score -1.
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
from convscope.experiment.runs import OnDiverged, OnResult, load_with_argument, train_and_list_diverged
from convscope.experiment.spec import RunSpec, hold_out_as_test
from convscope.experiment.sweep.records import FreshRuns, Trial
from convscope.experiment.sweep.result import Sweep
from convscope.experiment.sweep.sampler import Sampler, Search
from convscope.experiment.sweep.space import Value, change, parse_dimension
from convscope.recipes import AnyRecipe, Recipe, recipe_named
from convscope.training import default_recipe

HELD_OUT = 1 / 6
"""The fraction of held-out training images. Of MNIST's 60,000 that is 10,000, as many as it has test images."""

CHECK_SEEDS = 5
"""Further seeds of the best trial, and of the default."""

_TPE_BATCH = 4  # trials that are drawn before their scores are known, so that they can be trained in parallel
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
    seeds: int = 1,
    held_out: float = HELD_OUT,
    folder: Path | str | None = None,
    executor: Executor | None = None,
    threads: int | None = None,
    on_result: OnResult | None = None,
    on_diverged: OnDiverged | None = None,
    on_runs: OnRuns | None = None,
) -> Sweep:
    """Train networks with varied fields, and choose the best by held-out training images.

    >>> import convscope as cs
    >>> data = cs.load_dataset("mnist")
    >>> tiny = cs.Splits(data.train.take(range(600)), data.test.take(range(200)))
    >>> found = cs.run_sweep("ann", tiny, cs.Recipe(epochs=1), ["learning_rate=0.001,0.01"], search="grid")
    >>> len(found.trials), found.best_trial.values["learning_rate"] in (0.001, 0.01)
    (2, True)

    Args:
        data: the data set, or an argument of `load_dataset`; only its training images are used.
        recipe: to vary; by default the preset's own, or `classic`.
        vary: the fields and their values, each as `parse_dimension` reads it.
        dataset: the argument of `load_dataset` that gives `data`, if an executor is used and `data` is a data set.
        trials: how many combinations are tried; for a grid the maximum.
        search: how values are drawn; `tpe` uses the scores of earlier trials.
        seeds: the number of runs for each trial.
        held_out: the fraction of the training images that is held out.
        folder, executor, threads, on_result, on_diverged: as for `train_runs`.
        on_runs: called with the number of runs that are about to be trained.

    Raises:
        ConvscopeError: if a field or value is invalid, Optuna is missing, every trial diverges, or as `train_runs`.
        ValueError: if a number is out of its range.
    """
    if not vary:
        raise ValueError("vary is empty; give at least one field, such as 'learning_rate=log:1e-4..1e-2'")
    if trials < 1 or seeds < 1:
        raise ValueError(f"trials is {trials} and seeds {seeds}; they must be at least 1")
    splits, argument = load_with_argument(data, dataset)
    network = network_for(architecture, splits.image_shape, splits.num_classes)
    base_recipe = default_recipe(network) if recipe is None else recipe_named(recipe)
    dimensions = [parse_dimension(text) for text in vary]
    held_out_splits, is_choosing = _split_held_out(splits, held_out)
    diverged = list[DivergedRun]()

    def train(specs: list[RunSpec]) -> list[RunResult]:
        if on_runs is not None:
            on_runs(len(specs))
        options = {"folder": folder, "executor": executor, "threads": threads, "on_result": on_result}
        results, newly_diverged = train_and_list_diverged(specs, held_out_splits, on_diverged=on_diverged, **options)
        diverged.extend(newly_diverged)
        return results

    job = _SweepJob(
        architecture=network,
        recipe=base_recipe,
        splits=held_out_splits,
        is_choosing=is_choosing,
        dataset=argument,
        held_out=held_out,
        seeds=seeds,
        train_specs=train,
        diverged=diverged,
    )
    # Only `tpe` draws by earlier scores; the other searches have one batch.
    batch_size = _TPE_BATCH if search == "tpe" else trials
    return _summarize(job, _train_trials(job, Sampler(dimensions, search, trials), batch_size))


def _split_held_out(splits: Splits, fraction: float) -> tuple[Splits, NDArray[np.bool_]]:
    """Hold out training images as test images, and mark half of each class of them as choosing images."""
    train = splits.train
    # Rounded for each class, as `divide` does it, which also refuses a fraction outside 0 to 1.
    held_out = sum(round(fraction * count) for count in train.class_counts.tolist())
    if 0 < fraction < 1 and not 2 <= held_out < len(train):
        raise DatasetError(
            f"{splits.name}: `held_out` {fraction:.4g} of each class holds out {held_out:,} of {len(train):,} training "
            "images; one must choose, one check and one be trained on, so use more images or another fraction"
        )
    held_out_splits = hold_out_as_test(splits, fraction)
    is_choosing = np.zeros(len(held_out_splits.test), np.bool_)
    # Every second image in the order of the labels chooses. So of the classes with an odd number of images, one has the
    # extra image among the choosing images and the next has it among the checking images.
    is_choosing[np.argsort(held_out_splits.test.labels, kind="stable")[::2]] = True
    return held_out_splits, is_choosing


@dataclass(frozen=True, eq=False)
class _TrialResult:
    """A trained trial.

    Attributes:
        wrong: (n, M), the held-out images that its n runs without divergence misclassify.
        score: the accuracy on the choosing images; -1 if every run diverged.
    """

    values: Mapping[str, Value]
    wrong: NDArray[np.bool_]
    seconds: float  # the mean training time of its runs
    score: float
    num_diverged: int


@dataclass(frozen=True, eq=False)
class _SweepJob:
    """The settings that all trials share.

    Attributes:
        architecture, recipe: the original ones, which trials change.
        splits: its test images are the held-out training images.
        is_choosing: (M,), true for the choosing images among the held-out ones; the others are the checking images.
        seeds: the number of runs for each trial.
        train_specs: trains runs, and adds those without a model to `diverged`.
    """

    architecture: Architecture
    recipe: Recipe
    splits: Splits
    is_choosing: NDArray[np.bool_]
    dataset: str
    held_out: float
    seeds: int
    train_specs: Callable[[list[RunSpec]], list[RunResult]]
    diverged: list[DivergedRun]

    def train(self, batch: Mapping[int, Mapping[str, Value]]) -> dict[int, _TrialResult]:
        """Train the trials of `batch`, values by trial number, and measure each of them.

        A trial has `seeds` specs, but may have fewer results, since runs that diverge have none. So the results are
        matched with their trials by name, such as "trial 3".
        """
        specs = [
            RunSpec(
                self.dataset,
                *change(self.architecture, self.recipe, values),
                seed,
                name=f"trial {number}",
                held_out=self.held_out,
            )
            for number, values in batch.items()
            for seed in range(self.seeds)
        ]
        results = self.train_specs(specs)
        return {
            number: self._measure_trial(values, [run for run in results if run.name == f"trial {number}"])
            for number, values in batch.items()
        }

    def _measure_trial(self, values: Mapping[str, Value], runs: list[RunResult]) -> _TrialResult:
        """Measure a trial on the held-out images by those of its runs that did not diverge."""
        if not runs:
            no_run = np.zeros((0, len(self.is_choosing)), np.bool_)
            return _TrialResult(values, no_run, 0.0, -1.0, self.seeds)
        wrong = np.stack([run.y_pred != self.splits.test.labels for run in runs])
        score, seconds = 1 - float(wrong[:, self.is_choosing].mean()), float(np.mean([run.seconds for run in runs]))
        return _TrialResult(values, wrong, seconds, score, self.seeds - len(runs))

    def train_further(self, values: Mapping[str, Value], name: str) -> tuple[tuple[int, ...], NDArray[np.bool_]]:
        """Train `CHECK_SEEDS` further seeds on all images.

        Returns:
            The n seeds that did not diverge, and the checking images that each of them misclassifies, (n, checks).
        """
        network_and_recipe = change(self.architecture, self.recipe, values)
        specs = [
            RunSpec(self.dataset, *network_and_recipe, seed, name=name, held_out=self.held_out)
            for seed in range(self.seeds, self.seeds + CHECK_SEEDS)  # the seeds before took part in the choice
        ]
        results = self.train_specs(specs)
        is_checking = ~self.is_choosing
        wrong = [result.y_pred[is_checking] != self.splits.test.labels[is_checking] for result in results]
        return tuple(result.seed for result in results), np.array(wrong).reshape(len(wrong), is_checking.sum())


def _train_trials(job: _SweepJob, sampler: Sampler, batch_size: int) -> dict[int, _TrialResult]:
    """Train the trials that `sampler` draws, and return their results by trial number."""
    results = dict[int, _TrialResult]()
    for batch in sampler.batches(batch_size):
        for values in batch.values():
            change(job.architecture, job.recipe, values)  # raises the error of an invalid value before any training
        results |= job.train(batch)
        sampler.tell({number: result.score for number, result in results.items()})
    return results


def _summarize(job: _SweepJob, results: Mapping[int, _TrialResult]) -> Sweep:
    """Rank the trials by the choosing images, and compare further seeds of the best one with the default's."""
    # Diverged trials come last, with the score -1.
    ranking = sorted(results, key=lambda number: (-results[number].score, number))
    best = results[ranking[0]]
    if best.score < 0:
        raise ConvscopeError(
            f"every trial of the sweep diverged; try smaller learning rates ({job.diverged[0].name}: "
            f"{job.diverged[0].reason})"
        )
    network, recipe = change(job.architecture, job.recipe, best.values)
    seeds, wrong = job.train_further(best.values, f"trial {ranking[0]}")
    is_changed = (network, recipe) != (job.architecture, job.recipe)
    default_seeds, default_wrong = job.train_further({}, "default") if is_changed else ((), np.zeros((0, 0), np.bool_))
    test = group_difference(wrong, default_wrong) if seeds and default_seeds else None
    return Sweep(
        dataset_name=job.splits.name,
        trials=tuple(_make_trial(number, results[number], job) for number in ranking),
        num_choice=int(job.is_choosing.sum()),
        num_check=int((~job.is_choosing).sum()),
        # The accuracy of always predicting the most frequent class.
        chance=float(np.bincount(job.splits.test.labels[job.is_choosing]).max() / job.is_choosing.sum()),
        architecture=replace(network, name=f"{network.name}-best") if network != job.architecture else network,
        recipe=replace(recipe, name=f"{recipe.name}-best") if recipe != job.recipe else recipe,
        best=_summarize_runs(seeds, wrong),
        default=_summarize_runs(default_seeds, default_wrong),
        # Shares of wrong images, so the default comes first in the difference of the accuracies.
        difference=Estimate(value=float(default_wrong.mean() - wrong.mean()), interval=test.interval) if test else None,
        p_value=test.p_value if test else None,
        contenders=tuple(_find_contenders(results, job.is_choosing)),
        diverged=tuple(job.diverged),
    )


def _find_contenders(trials: Mapping[int, _TrialResult], is_choosing: NDArray[np.bool_]) -> list[int]:
    """List the trials that are not significantly worse than the best on the choosing images, the best first.

    With d the difference of a trial's errors on each image from the best trial's, it is worse if

        z = Σ d / √(Σ d² + 2)

    is large, as in McNemar's test, with two more differing images. Without these, 3 of 3 differing images would already
    be significant: 3 / √3 = 1.73; with them z is 3 / √5 = 1.34.

    The level is 5 % divided by the number of comparisons. Then at most 5 % of sweeps lack the trial that would be best
    on infinitely many such images.
    """
    # For each trial and choosing image, the share of the trial's runs that misclassify it.
    errors = {number: trial.wrong[:, is_choosing].mean(axis=0) for number, trial in trials.items() if trial.score >= 0}
    ranked = sorted(errors, key=lambda number: (errors[number].mean(), number))
    # Bonferroni: all trials but the best are compared with it. One-sided: no trial can be better than the best.
    max_z = NormalDist().inv_cdf(1 - 0.05 / max(len(ranked) - 1, 1))
    best = errors[ranked[0]]

    def is_contender(number: int) -> bool:
        difference = errors[number] - best
        return bool(difference.sum() <= max_z * np.sqrt((difference**2).sum() + 2))

    return [number for number in ranked if is_contender(number)]


def _summarize_runs(seeds: tuple[int, ...], wrong: NDArray[np.bool_]) -> FreshRuns | None:
    if not seeds:
        return None
    accuracies = (1 - wrong.mean(axis=1)).tolist()
    return FreshRuns(
        seeds=seeds,
        accuracies=tuple(accuracies),
        accuracy=float(np.mean(accuracies)),
        interval=group_accuracy_interval(wrong),
    )


def _make_trial(number: int, result: _TrialResult, job: _SweepJob) -> Trial:
    network, _ = change(job.architecture, job.recipe, result.values)
    return Trial(
        number=number,
        values=dict(result.values),
        num_images=len(job.splits.train),
        choice=result.score if len(result.wrong) else None,
        seconds=result.seconds,
        parameters=network.parameters,
        num_diverged=result.num_diverged,
    )
