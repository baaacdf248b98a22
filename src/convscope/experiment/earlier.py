"""Find the runs of earlier commands in the folder of an experiment, so that its result still shows them."""

from collections.abc import Sequence
from pathlib import Path

from msgspec import UNSET

from convscope.data.datasets import Splits
from convscope.experiment.result import RunResult
from convscope.experiment.spec import RunSpec
from convscope.experiment.store import RunStore
from convscope.storage import StoredRun


def find_earlier_runs(folder: Path, splits: Splits, runs: Sequence[RunResult]) -> tuple[list[RunResult], list[str]]:
    """Find the finished runs in `folder` on the same images that `runs` lack, and describe those that are left out.

    They are ordered by group and seed, also in groups of `runs`. If two groups have the same names, the later one gets
    its number of images, or else its digest, as the name of a variant. Runs with an own seed of their initial weights
    are left out.
    """
    store, left_out = RunStore(splits, folder / "runs"), list[str]()
    assert store.stored is not None
    known = {run.digest: run for run in runs}
    names, groups = dict[str, tuple[str, str, str]](), dict[str, list[StoredRun]]()
    num_own_weights = num_elsewhere = 0
    for run in store.stored.runs(left_out.append):
        group = run.group.digest
        if run.digest in known:
            new_run = known[run.digest]
            names[group] = (new_run.architecture, new_run.recipe, new_run.name)
        elif run.group.record.weights_seed is not UNSET:
            num_own_weights += 1
        elif not _has_same_images(run, splits):
            num_elsewhere += 1
        else:
            groups.setdefault(group, []).append(run)
    for count, what in ((num_own_weights, "initial weights of another seed"), (num_elsewhere, "other training images")):
        left_out += [f"{count:,} runs in {folder} with {what}"] if count else []
    results = list[RunResult]()
    for group, members in groups.items():
        if group not in names:
            shared = members[0].group
            variants = ("", f"{shared.record.num_images:,} images", group)
            own = (shared.architecture.name, shared.recipe.name)
            names[group] = next((*own, variant) for variant in variants if (*own, variant) not in names.values())
        members.sort(key=lambda run: run.seed)
        results += [store.result(_make_spec(run, names[group][2]), run) for run in members]
    return results, left_out


def _has_same_images(run: StoredRun, splits: Splits) -> bool:
    recorded = run.group.record.dataset
    return (recorded.train.sha256, recorded.test.sha256) == (splits.train.sha256, splits.test.sha256)


def _make_spec(run: StoredRun, name: str) -> RunSpec:
    group = run.group
    count = group.record.num_images
    num_images = None if count == group.record.dataset.train.num_images else count
    return RunSpec("", group.architecture, group.recipe, run.seed, group.record.engine, num_images, name)
