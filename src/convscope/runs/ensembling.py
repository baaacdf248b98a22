"""Join the networks of several runs into an ensemble, measure it, and write its page."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from msgspec import structs

from convscope.base.errors import ArchitectureError, RunError
from convscope.base.statistics import group_accuracy_interval, group_difference
from convscope.data.datasets import Splits
from convscope.evidence.comparison import Candidate, GroupComparison, RunGroup, words
from convscope.experiment import RunSpec
from convscope.experiment.machine import count_cores
from convscope.runs.groups import FinishedRun, count_stored_bytes, read_finished_runs
from convscope.runs.importing import write_finished_run
from convscope.runs.jobs import create_free_folder, open_with_data
from convscope.runs.listeners import Listeners
from convscope.runs.run_record import make_run_record
from convscope.runs.steps import EvaluatedRun, measure_time
from convscope.storage.records import MemberRecord
from convscope.training.ensemble import ensemble
from convscope.training.model import Model


@dataclass(frozen=True, eq=False)
class Members(RunGroup):
    """The members of an ensemble: exactly these networks, and not a sample of possible ones."""

    @property
    def accuracy_interval(self) -> tuple[float, float]:
        """(low, high), 95 %, over images only."""
        # (1, N), as one run would give it: for each image the share of members that are wrong, 0.4 for two of five.
        # Only the images are left to chance then.
        return group_accuracy_interval(self.wrong.mean(axis=0, keepdims=True))


class MembersComparison(GroupComparison):
    """The comparison of an ensemble's errors with the mean errors of its members, by a paired t test over images."""

    @property
    def verdict(self) -> str:
        # Of a single model the verdict asks for more seeds. An ensemble needs none, so it is written as for two models.
        several = structs.replace(self._numbers.a, num_models=2)
        return words.format_verdict(structs.replace(self._numbers, a=several))

    @property
    def limits(self) -> str:
        return "It holds for these networks on other images of this kind."

    @property
    def sentence(self) -> str:
        images = words.format_image_count(self.num_images, self.a.split, self.a.dataset_name)
        change = words.format_difference(self.accuracy_difference, self.accuracy_difference_interval)
        return (
            f"On the {images}, the ensemble makes {words.format_count(self.a.errors[0], 'error')} and its "
            f"{self.b.num_models} members {self.b.num_errors:,.1f} on average. The accuracies differ by {change} "
            f"({words.format_p_value(self.p_value)}, over images). {self.limits}"
        )


@dataclass(frozen=True, eq=False)
class EnsembleRun:
    """A finished run of an ensemble.

    Attributes:
        against_members: the comparison of the ensemble with its members on the same test images.
        left_out: a line for each run that is no member, with the reason.
    """

    measured: EvaluatedRun
    against_members: MembersComparison
    left_out: Sequence[str]
    timings: Mapping[str, float]
    report: Path


def ensemble_run(
    folders: Sequence[Path], group: str | None, out: Path | None, command: str, listeners: Listeners
) -> EnsembleRun:
    """Join the networks of runs into one, measure it, and write the page.

    Args:
        folders: each a run, a folder of runs, or an experiment; all finished runs in them are members.
        group: the name of the only group whose runs are members, such as "cnn, fast"; None for all.
        out: the folder; by default a new one under runs/.
        command: the command line that makes the ensemble.

    Raises:
        ConvscopeError: if there are fewer than two finished runs, they do not fit together, the data cannot be loaded
            any more, or the folder is not empty.
    """
    timings = dict[str, float]()
    runs, left_out = read_finished_runs(folders, group)
    _check_members(runs)
    first = runs[0].folder
    with measure_time(timings, "load"), open_with_data(first.path, None, listeners, writes=False) as (_, splits):
        model = _join_members(runs)
    # The recipe and the seed of the first member stand for all; `members` in the record has those of each.
    spec = RunSpec(first.record.dataset.argument, model.architecture, first.recipe, first.seed)
    record = make_run_record(spec, splits, count_cores(), command)
    record = structs.replace(record, members=tuple(map(_make_member_record, runs)))
    path = out or create_free_folder(f"{splits.name}-ensemble")
    measured, report = write_finished_run(path, record, model, splits, timings, listeners)
    return EnsembleRun(measured, _compare_with_members(measured, runs, splits), left_out, timings, report)


def _check_members(runs: Sequence[FinishedRun]) -> None:
    """Raise `RunError` unless there are at least two different runs on the same training and test images."""
    first = runs[0].folder
    if len(runs) < 2:
        raise RunError(f"{first.path}: is the only run; an ensemble needs at least two, such as runs of several seeds")
    paths_by_digest = dict[str, Path]()
    for run in runs:
        folder = run.folder
        if folder.record.members:  # an ensemble's last layer may only end a network
            raise RunError(f"{folder.path}: is an ensemble itself; name its members instead")
        for split in ("train", "test"):
            expected, sha256 = (getattr(run_folder.record.dataset, split).sha256 for run_folder in (first, folder))
            if sha256 != expected:
                raise RunError(
                    f"{folder.path}: has other {split} images than {first.path} (SHA-256 {sha256[:12]}, not "
                    f"{expected[:12]}); name runs on the same data"
                )
        digest = str(folder.record.weights_sha256)
        if digest in paths_by_digest:
            raise RunError(f"{folder.path}: has the same weights as {paths_by_digest[digest]}; name each run once")
        paths_by_digest[digest] = folder.path


def _join_members(runs: Sequence[FinishedRun]) -> Model:
    try:
        return ensemble([run.model() for run in runs])
    except ArchitectureError as error:
        raise RunError(f"the runs are too large for one network ({error}); name fewer") from error
    except ValueError as error:
        members = ", ".join(f"members[{number}] is {run.folder.path}" for number, run in enumerate(runs))
        raise RunError(f"{error} ({members})") from error


def _make_member_record(run: FinishedRun) -> MemberRecord:
    """Describe a member for `run.json`: its training and its identity."""
    folder = run.folder
    return MemberRecord(
        run=str(folder.path.resolve()),
        weights_sha256=str(folder.record.weights_sha256),
        architecture=folder.architecture.to_dict(),
        recipe=folder.recipe.to_dict(),
        seed=folder.seed,
        seconds=run.seconds,
        is_from_random_weights=not folder.record.imported and not folder.record.start,
    )


def _compare_with_members(measured: EvaluatedRun, runs: Sequence[FinishedRun], splits: Splits) -> MembersComparison:
    """Compare the ensemble with its members, whose costs are means."""
    network, first = measured.model.architecture, runs[0]
    run_seconds = [run.seconds for run in runs if run.seconds is not None]
    seconds = sum(run_seconds) if len(run_seconds) == len(runs) else None  # unknown for an imported member
    num_bytes = count_stored_bytes(measured.folder)
    # `from_model` counts float32, but members may store fewer bits.
    candidate = replace(Candidate.from_model(measured.model, measured.evaluation, seconds), weights_bytes=num_bytes)
    members = Members(
        name="its members",
        seeds=tuple(range(len(runs))),  # not their seeds: members may share one, and a group may not
        y_true=first.y_true,
        y_pred=np.stack([run.y_pred for run in runs]),
        dataset_name=splits.test.name,
        split=splits.test.split,
        # The mean of the members: the layer that averages them has no weights and few operations.
        parameters=network.parameters // len(runs),
        macs=network.macs // len(runs),
        weights_bytes=num_bytes // len(runs),
        training_seconds=None if seconds is None else seconds / len(runs),
    )
    return compare_with_members(RunGroup.from_candidates([candidate], [0], "the ensemble"), members)


def compare_with_members(whole: RunGroup, members: Members) -> MembersComparison:
    """Compare the errors of an ensemble with the mean errors of its members on the same images."""
    # An image counts by the fraction of members that misclassify it. In simulations of 2 to 35 members on 200 to 10,000
    # images, the test found a difference between equals in 6 % of cases, fewer with rare errors
    # (benchmarks/metric_claims.py).
    gap = group_difference(whole.wrong, members.wrong.mean(axis=0, keepdims=True))
    return MembersComparison(
        whole, members, gap.interval, gap.ratio_interval, gap.p_value, degrees_of_freedom=gap.degrees_of_freedom
    )
