"""Train a run's networks from further seeds, as many as there is time for, and compare them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from textwrap import fill

import numpy as np
from msgspec import UNSET

from convscope.base.records import Recorded, from_attributes
from convscope.data.datasets import Splits
from convscope.evidence.comparison import Comparison, GroupComparison, RunGroup, compare_groups
from convscope.experiment import Experiment, RunResult, RunSpec
from convscope.experiment.records import GroupRecord, SeedsRecord
from convscope.experiment.runs import train_and_list_diverged
from convscope.runs.listeners import Listeners
from convscope.runs.steps import EvaluatedRun, measure_time
from convscope.storage import RunFolder

USUAL_SEEDS = 5
"""Runs of each network, if there is time for them."""

# Of training by default: half a minute more, with the time to measure and compare the runs.
_MAX_FURTHER_SECONDS = 25.0


@dataclass(frozen=True)
class SeedRuns(Recorded):
    """The runs of one job from several seeds.

    Attributes:
        experiment: the runs of the network and of its baseline.
        comparison: the two compared; None without a baseline.
        why: the reason for the number of seeds, in words.
    """

    experiment: Experiment
    comparison: GroupComparison | None
    why: str

    def to_record(self) -> SeedsRecord:
        comparison = None if self.comparison is None else self.comparison.to_record()
        return from_attributes(
            SeedsRecord, self.experiment.to_record(), weights_sha256=UNSET, why=self.why, comparison=comparison
        )

    @property
    def summary(self) -> str:
        """A row for each network, the reason for the number of seeds, and the verdict, as text."""
        verdict = "" if self.comparison is None else f"\n{fill(self.comparison.verdict, 100)}."
        return f"{self.experiment.summary}\n\n{self.why}{verdict}"

    def __str__(self) -> str:
        parts = [str(self.experiment), self.why]
        return "\n\n".join(parts if self.comparison is None else [*parts, str(self.comparison)])


def choose_seed_count(requested: int | None, seconds: float) -> tuple[int, str]:
    """Choose the number of runs of each network, with the reason, if a run of each takes `seconds`.

    The first run is there. If a further one of each takes 10 s, there are two, within 25 s, and 3 is the number.
    """
    if requested is not None:
        return requested, f"{requested} {'seed' if requested == 1 else 'seeds'}, as asked."
    further = int(_MAX_FURTHER_SECONDS / seconds) if seconds > 0 else USUAL_SEEDS  # 0 if nothing was trained now
    count = min(USUAL_SEEDS, 1 + further)
    if count == USUAL_SEEDS:
        return count, f"{count} seeds, the default. Use --seeds N for more."
    seeds = "1 seed" if count == 1 else f"{count} seeds"
    return (
        count,
        f"Stopped at {seeds}: the default limit is {_MAX_FURTHER_SECONDS:.0f} s, and another would take "
        f"{seconds:.1f} s. Use --seeds N for more.",
    )


def train_seeds(
    measured: Sequence[EvaluatedRun],
    splits: Splits,
    comparison: Comparison | None,
    requested: int | None,
    timings: dict[str, float],
    listeners: Listeners,
) -> SeedRuns | None:
    """Train the run's networks from further seeds, and return all runs; None if there is only one seed.

    A run of seed 0 and its baseline, with five seeds: 1 to 4 are trained for both, and ten runs returned, first the
    five of the run's network.

    Args:
        measured: the run and its baseline, if it has one. Further runs are stored in the run's folder, under seeds/;
            those that are there are not trained again.
        comparison: the two compared, with the times of their predictions.
        timings: `train` and `baseline` are the seconds of a training of each; `seeds` grows by those of this call.
    """
    first = measured[0].folder
    count, why = choose_seed_count(requested, timings.get("train", 0.0) + timings.get("baseline", 0.0))
    if count == 1:
        return None
    seeds = range(first.seed + 1, first.seed + count)
    specs_by_network = [[make_run_spec(run.folder, seed) for seed in seeds] for run in measured]
    specs = [spec for network_specs in specs_by_network for spec in network_specs]
    listeners.on_runs(len(specs))
    with measure_time(timings, "seeds"):
        results, diverged = train_and_list_diverged(
            specs,
            splits,
            folder=first.locate("seeds"),
            threads=first.record.threads,
            on_result=listeners.on_result,
            on_diverged=listeners.on_diverged,
        )
    runs, by_digest = list[RunResult](), {result.digest: result for result in results}
    for run, network_specs in zip(measured, specs_by_network, strict=True):
        # First the run that is there already, then those of the further seeds. Runs that diverged have no result.
        digests = [spec.digest(splits) for spec in network_specs]
        runs += [_make_run_result(run, splits), *(by_digest[digest] for digest in digests if digest in by_digest)]
    experiment = Experiment(splits.name, splits.test.labels, len(splits.train), tuple(runs), tuple(diverged))
    groups = None
    if comparison is not None:
        # The table has a group for the run and one for its baseline, in this order, and so has the comparison.
        network, baseline = experiment.table
        a = _make_run_group(experiment, network, comparison.a, splits)
        b = _make_run_group(experiment, baseline, comparison.b, splits)
        groups = compare_groups(a, b)
    return SeedRuns(experiment, groups, why)


def _make_run_group(experiment: Experiment, group: GroupRecord, first: RunGroup, splits: Splits) -> RunGroup:
    """Convert the runs of a network for the comparison, with the times of a prediction from its first run."""
    return replace(
        experiment.predictions_of(group, splits.test),
        name=group.architecture,
        latency_seconds=first.latency_seconds,
        latency_1000_seconds=first.latency_1000_seconds,
    )


def make_run_spec(folder: RunFolder, seed: int) -> RunSpec:
    """Make the spec of the training in `folder`, from another seed."""
    record, start = folder.record, folder.record.start
    return RunSpec(
        record.dataset.argument,
        folder.architecture,
        folder.recipe,
        seed,
        record.engine,
        start=str(folder.start_path) if start else "",  # the copy in the run's folder
        new_output=start.new_output if start else False,
    )


def _make_run_result(measured: EvaluatedRun, splits: Splits) -> RunResult:
    """Describe the run that was trained first as the others are described."""
    evaluation, spec = measured.evaluation, make_run_spec(measured.folder, measured.folder.seed)
    return RunResult.from_spec(
        spec,
        splits,
        digest=spec.digest(splits),
        history=measured.history,
        weights_sha256=measured.model.weights_sha256,
        accuracy=evaluation.accuracy,
        loss=evaluation.loss,
        y_pred=evaluation.y_pred.astype(np.uint16),
        kept=measured.folder,
    )
