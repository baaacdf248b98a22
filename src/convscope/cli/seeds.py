"""The other seeds of a run: how many there is time for, their training, and what all of them say together."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from convscope.cli.job import Trained, timed
from convscope.cli.progress import RunsProgress
from convscope.data.datasets import Splits
from convscope.evidence.benchmark import measure_latency
from convscope.evidence.comparison import GroupComparison, RunGroup, compare_groups
from convscope.evidence.evaluation import Evaluation
from convscope.experiment import DivergedRun, Experiment, Group, RunResult, RunSpec, train_runs
from convscope.storage import RunFolder
from convscope.training.model import Model

_USUAL = 5  # runs of each network, if there is time for them
_SECONDS = 25.0  # that the further ones may take, unless they are asked for

Measured = tuple[Trained, Evaluation]


@dataclass(frozen=True)
class SeedRuns:
    """The runs of one job from several seeds.

    Attributes:
        experiment: the runs of the network and of the one that it is compared with.
        comparison: of the two, None where there is only one network.
        why: in words, why there are so many.
    """

    experiment: Experiment
    comparison: GroupComparison | None
    why: str

    def to_dict(self) -> dict[str, Any]:
        comparison = None if self.comparison is None else self.comparison.to_dict()
        return {**self.experiment.to_dict(), "why": self.why, "comparison": comparison}

    def __str__(self) -> str:
        parts = [str(self.experiment), self.why]
        return "\n\n".join(parts if self.comparison is None else [*parts, str(self.comparison)])


def number_of_seeds(asked: int | None, seconds: float) -> tuple[int, str]:
    """Return how many runs of each network there shall be, and why, where one of each takes `seconds`."""
    if asked is not None:
        return asked, f"{asked} {'seed' if asked == 1 else 'seeds'}, as asked."
    further = int(_SECONDS / seconds) if seconds > 0 else _USUAL
    count = min(_USUAL, 1 + further)
    each = f"a further one takes about {seconds:.1f} s"
    if count == 1:
        return 1, f"One seed: {each}, and by default there are {_SECONDS:.0f} s for them. --seeds 5 trains them anyway."
    if count < _USUAL:
        return (
            count,
            f"{count} seeds: {each}, and by default there are {_SECONDS:.0f} s for all. --seeds asks for more.",
        )
    return count, f"{count} seeds, as by default where {_SECONDS:.0f} s are enough. --seeds asks for more."


def train_seeds(
    measured: Sequence[Measured], splits: Splits, asked: int | None, timings: dict[str, float], *, quiet: bool
) -> SeedRuns | None:
    """Train what is trained already from further seeds too, and return all runs; None where there is one seed alone.

    Args:
        measured: the run, and the one that it is compared with, if any. The further runs are kept in the first one's
            folder, under seeds/, and those that are there are not trained again.
        timings: `train` and `baseline` say how long one of each takes; `seeds` grows by what this takes.
    """
    first = measured[0][0].folder
    count, why = number_of_seeds(asked, timings.get("train", 0.0) + timings.get("baseline", 0.0))
    if count == 1:
        return None
    seeds = range(first.seed + 1, first.seed + count)
    specs = [_spec(trained.folder, seed) for trained, _ in measured for seed in seeds]
    progress, diverged = RunsProgress(len(specs), quiet=quiet), list[DivergedRun]()

    def on_diverged(run: DivergedRun) -> None:
        diverged.append(run)
        progress.on_diverged(run)

    try:
        with timed(timings, "seeds"):
            results = train_runs(
                specs,
                splits,
                folder=first.place("seeds"),
                threads=first.record["threads"],
                on_result=progress.on_result,
                on_diverged=on_diverged,
            )
    finally:
        progress.close()
    runs, found = list[RunResult](), {result.digest: result for result in results}
    for number, (trained, evaluation) in enumerate(measured):
        here = [spec.digest(splits) for spec in specs[number * len(seeds) : (number + 1) * len(seeds)]]
        runs += [_result(trained, evaluation, splits), *(found[digest] for digest in here if digest in found)]
    experiment = Experiment(splits.name, splits.test.labels, len(splits.train), tuple(runs), tuple(diverged))
    comparison = None
    if len(measured) > 1:
        models = [trained.model for trained, _ in measured]
        a, b = (_group(experiment, *one, splits) for one in zip(experiment.table, models, strict=True))
        comparison = compare_groups(a, b)
    return SeedRuns(experiment, comparison, why)


def _group(experiment: Experiment, group: Group, model: Model, splits: Splits) -> RunGroup:
    """Return the runs of one network as the comparison takes them."""
    network = model.architecture
    one, thousand = measure_latency(model.network, splits.test.images)
    return replace(
        experiment.answers_of(group, splits.test),
        name=group.architecture,
        weights_bytes=4 * (network.parameters + network.non_trainable_parameters),
        latency_seconds=one,
        latency_1000_seconds=thousand,
    )


def _spec(folder: RunFolder, seed: int) -> RunSpec:
    record = folder.record
    begin = record.get("from")
    return RunSpec(
        record["dataset"]["argument"],
        folder.architecture,
        folder.recipe,
        seed,
        record["engine"],
        start="" if begin is None else str(folder.start_path),
        new_output=begin is not None and bool(begin["new_output"]),
    )


def _result(trained: Trained, evaluation: Evaluation, splits: Splits) -> RunResult:
    """Return the run that was trained first as one of the others."""
    folder, network = trained.folder, trained.folder.architecture
    return RunResult(
        digest=_spec(folder, folder.seed).digest(splits),
        architecture=network.name,
        recipe=folder.recipe.name,
        seed=folder.seed,
        accuracy=evaluation.accuracy,
        loss=evaluation.loss,
        seconds=sum(trained.history.seconds),
        history=trained.history,
        weights_sha256=trained.model.weights_sha256,
        parameters=network.parameters,
        macs=network.macs,
        num_images=len(splits.train),
        y_pred=evaluation.y_pred.astype(np.uint16),
        folder=Path(folder.path),
    )
