"""A sweep: networks with varied fields, trained on a part of the training images and judged on the rest of them.

The test images are never looked at. The held-out images have two halves: one chooses, and the other says how good the
winner is, and by how much the choice made it look better than it is.
"""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from convscope.architecture import Architecture
from convscope.architecture.presets import AnyArchitecture, network_for
from convscope.base.arguments import checked
from convscope.base.errors import ConvscopeError, DatasetError
from convscope.base.metrics import wilson_interval
from convscope.base.records import Recorded
from convscope.base.tables import printable, text_table, value_text
from convscope.base.versions import FORMAT, own_version
from convscope.data.datasets import Splits, load_dataset
from convscope.evidence.calibration.intervals import Estimate
from convscope.experiment.records import DivergedRun
from convscope.experiment.runs import OnDiverged, OnResult, argument_of, train_runs
from convscope.experiment.spec import RunSpec, judged_on_held_out
from convscope.experiment.sweep.records import SweepRecord, Trial
from convscope.experiment.sweep.sampler import Sampler, Search
from convscope.experiment.sweep.space import Value, change, parse_dimension
from convscope.recipes import AnyRecipe, Recipe, recipe_named
from convscope.training import default_recipe

HELD_OUT = 1 / 6
"""Of the training images: as many as MNIST has test images."""

_HALVING = 3  # of the trials one in three goes on, with three times as many images
_FEWEST_IMAGES = 0.1  # of those to train on, in the first round
_BATCH = 4  # trials that are drawn before the first of them is judged, where that matters
_SHOWN = 20
OnRuns = Callable[[int], None]


@dataclass(frozen=True, eq=False)
class Sweep(Recorded):
    """What a sweep found.

    Attributes:
        trials: the best one first, by the images that choose; those on more images before the others.
        num_choice, num_check: how many images choose and check.
        chance: the share of the choosing images that are of their most frequent class. A trial that classifies no more
            of them correctly has learned nothing.
        architecture, recipe: of the winner.
        check: the winner's accuracy on images that chose nothing, with Wilson's interval over images.
        optimism: by how much the winner looks better on the images that chose it than it is: its lead over the mean of
            all trials there, minus that on the other half; with an interval over images. None for a single trial, or
            where a half has a single image.
        diverged: the runs that gave no model; their `name` is that of the trial, such as "trial 3".
    """

    dataset_name: str
    trials: tuple[Trial, ...] = field(repr=False)
    num_choice: int
    num_check: int
    chance: float
    architecture: Architecture
    recipe: Recipe
    check: Estimate
    optimism: Estimate | None
    diverged: tuple[DivergedRun, ...] = field(repr=False)

    @property
    def winner(self) -> Trial:
        return self.trials[0]

    def to_record(self) -> SweepRecord:
        return SweepRecord(
            format=FORMAT,
            version=own_version(),
            dataset=self.dataset_name,
            num_choice=self.num_choice,
            num_check=self.num_check,
            chance=self.chance,
            check=self.check,
            optimism=self.optimism,
            architecture=self.architecture.to_dict(),
            recipe=self.recipe.to_dict(),
            trials=self.trials,
            diverged=self.diverged,
        )

    def __str__(self) -> str:
        names = list(self.winner.values)
        rows = [
            (
                f"{trial.number}",
                *(value_text(trial.values[name]) for name in names),
                f"{trial.num_images:,}",
                trial.format_choice(self.chance, "{:.4f}".format),
                "" if trial.check is None else f"{trial.check:.4f}",
                f"{trial.parameters:,}",
                f"{trial.seconds:.2f}",
            )
            for trial in self.trials[:_SHOWN]
        ]
        header = ("Trial", *names, "Images", "Choice", "Check", "Parameters", "Seconds")
        check = self.check
        lines = [
            f"{len(self.trials):,} trials on {self.dataset_name}, chosen by {self.num_choice:,} held-out images",
            text_table(header, rows, left=0),
            f"The winner classifies {check.value:.4f} of {self.num_check:,} other held-out images correctly "
            f"(95 % interval {check.interval[0]:.4f} to {check.interval[1]:.4f}).",
        ]
        if self.diverged:
            shown = [f"{run.name}, seed {run.seed}: {run.reason}" for run in self.diverged[:_SHOWN]]
            more = len(self.diverged) - len(shown)
            lines.append("\n".join(map(printable, [*shown, *([f"{more:,} more diverged"] if more else [])])))
        if (optimism := self.optimism) is not None:
            lines.append(
                f"Being chosen makes it look better by {100 * optimism.value:.2f} points "
                f"(95 % interval {100 * optimism.interval[0]:.2f} to {100 * optimism.interval[1]:.2f})."
            )
        return "\n\n".join(lines)


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
    >>> len(found.trials), found.winner.values["learning_rate"] in (0.001, 0.01)
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
    splits = data if isinstance(data, Splits) else load_dataset(data)
    if dataset is None and not isinstance(data, Splits):
        dataset = str(data)
    argument = argument_of(dataset) if dataset else ""
    network = network_for(architecture, splits.image_shape, splits.num_classes)
    first = default_recipe(network) if recipe is None else recipe_named(recipe)
    dimensions = [parse_dimension(one) for one in vary]
    judged, chooses = _hold_out(splits, held_out)
    job = _Job(
        network,
        first,
        judged,
        chooses,
        argument,
        held_out,
        seeds,
        folder,
        executor,
        threads,
        on_result,
        on_diverged,
        on_runs,
    )
    sampler = Sampler(dimensions, search, trials)
    done = dict[int, _Done]()
    for batch in sampler.batches(_BATCH if search == "tpe" else trials):
        for values in batch.values():
            job.changed(values)  # an error before anything is trained
        for images in _rounds(len(judged.train), halving=halving):
            found = job.train(batch, images)
            done |= found
            ranked = sorted(found, key=lambda number: -found[number].score)[: max(1, len(found) // _HALVING)]
            batch = {number: batch[number] for number in ranked if found[number].score >= 0}
        sampler.tell({number: one.score for number, one in done.items()})
    return _judged(job, done)


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
    """What all trials share."""

    architecture: Architecture
    recipe: Recipe
    splits: Splits
    chooses: NDArray[np.bool_]
    dataset: str
    held_out: float
    seeds: int
    folder: Path | str | None
    executor: Executor | None
    threads: int | None
    on_result: OnResult | None
    on_diverged: OnDiverged | None
    on_runs: OnRuns | None
    diverged: list[DivergedRun] = field(default_factory=list)

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
        if self.on_runs is not None:
            self.on_runs(len(specs))
        results = train_runs(
            specs,
            self.splits,
            folder=self.folder,
            executor=self.executor,
            threads=self.threads,
            on_result=self.on_result,
            on_diverged=self._keep_diverged,
        )
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

    def _keep_diverged(self, run: DivergedRun) -> None:
        self.diverged.append(run)
        if self.on_diverged is not None:
            self.on_diverged(run)


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


def _rounds(num_images: int, *, halving: bool) -> list[int]:
    """Return on how many images the trials of each round are trained."""
    sizes = [num_images]
    while halving and sizes[0] // _HALVING >= _FEWEST_IMAGES * num_images:
        sizes.insert(0, sizes[0] // _HALVING)
    return sizes


def _judged(job: _Job, done: Mapping[int, _Done]) -> Sweep:
    """Return the trials in the order of what the choosing images say, and what the others say of the winner."""
    order = sorted(
        done, key=lambda number: (done[number].score < 0, -done[number].num_images, -done[number].score, number)
    )
    winner = done[order[0]]
    if winner.score < 0:
        raise ConvscopeError(
            f"every trial of the sweep diverged; try smaller learning rates ({job.diverged[0].name}: "
            f"{job.diverged[0].reason})"
        )
    checks = ~job.chooses
    rights = {number: 1 - one.wrong.mean(axis=0) for number, one in done.items() if len(one.wrong)}
    rate, count = float(rights[order[0]][checks].mean()), int(checks.sum())
    check = Estimate(value=rate, interval=wilson_interval(round(rate * count), count))
    peers = [right for number, right in rights.items() if done[number].num_images == winner.num_images]
    trials = [_trial(number, done[number], job) for number in order]
    network, recipe = job.changed(winner.values)
    return Sweep(
        job.splits.name,
        tuple(trials),
        int(job.chooses.sum()),
        count,
        float(np.bincount(job.splits.test.labels[job.chooses]).max() / job.chooses.sum()),
        replace(network, name=f"{network.name}-winner") if network != job.architecture else network,
        replace(recipe, name=f"{recipe.name}-winner") if recipe != job.recipe else recipe,
        check,
        _optimism(rights[order[0]], peers, job.chooses),
        tuple(job.diverged),
    )


def _trial(number: int, one: _Done, job: _Job) -> Trial:
    network, _ = job.changed(one.values)
    check = 1 - float(one.wrong[:, ~job.chooses].mean()) if len(one.wrong) else None
    choice = one.score if len(one.wrong) else None
    return Trial(
        number=number,
        values=dict(one.values),
        num_images=one.num_images,
        choice=choice,
        check=check,
        seconds=one.seconds,
        parameters=network.parameters,
        num_diverged=one.num_diverged,
    )


def _optimism(
    winner: NDArray[np.float64], peers: Sequence[NDArray[np.float64]], chooses: NDArray[np.bool_]
) -> Estimate | None:
    """Return the winner's lead over the mean of its peers on the images that choose, minus that on the others.

    So it does not matter whether one half is harder than the other.
    """
    lead = winner - np.mean(peers, axis=0)
    halves = [lead[chooses], lead[~chooses]]
    if len(peers) < 2 or min(map(len, halves)) < 2:
        return None
    value = float(halves[0].mean() - halves[1].mean())
    error = float(np.sqrt(sum(half.var(ddof=1) / len(half) for half in halves)))
    return Estimate(value=value, interval=(value - 1.96 * error, value + 1.96 * error))
