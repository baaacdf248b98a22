"""Find the runs of earlier commands in the folder of an experiment, so that its result still shows them.

If a command trained the seeds 0 to 4 of a network, and a later one the seeds 5 to 9 in the same folder, the result of
the later one has all ten. The earlier runs are found by their digests, which cover settings and images, and no names.
"""

from collections.abc import Collection, Sequence
from pathlib import Path

from msgspec import UNSET

from convscope.data.datasets import Splits
from convscope.experiment.result import RunResult
from convscope.experiment.spec import RunSpec
from convscope.experiment.store import RunStore
from convscope.storage import StoredGroup, StoredRun

Names = tuple[str, str, str]
"""The names of the architecture, recipe and variant that the runs of a group share."""


def find_earlier_runs(folder: Path, splits: Splits, runs: Sequence[RunResult]) -> tuple[list[RunResult], list[str]]:
    """Find the finished runs in `folder` that are missing from `runs`, and describe those that cannot be shown.

    The result has them by group and seed; some may belong to a group of `runs`. Left out are damaged runs, those on
    other images, and those whose initial weights have a seed of their own.
    """
    store, left_out = RunStore(splits, folder / "runs"), list[str]()
    assert store.stored is not None
    known = {run.digest: run for run in runs}
    # Both by the digest of a group: its names, see `_choose_names`, and its runs that `runs` lacks.
    names, groups = dict[str, Names](), dict[str, list[StoredRun]]()
    num_own_weights = num_elsewhere = 0
    for run in store.stored.runs(left_out.append):
        group = run.group.digest
        if run.digest in known:
            # The names of this command, which a stored group may have had differently: digests do not cover names.
            new_run = known[run.digest]
            names[group] = (new_run.architecture, new_run.recipe, new_run.name)
        elif run.group.record.weights_seed is not UNSET:
            num_own_weights += 1
        elif not _has_same_images(run, splits):
            num_elsewhere += 1
        else:
            groups.setdefault(group, []).append(run)
    for count, why in ((num_own_weights, "initial weights of another seed"), (num_elsewhere, "other training images")):
        left_out += [f"{count:,} runs in {folder} with {why}"] if count else []
    results = list[RunResult]()
    for group, members in groups.items():
        if group not in names:
            names[group] = _choose_names(members[0].group, names.values())
        members.sort(key=lambda run: run.seed)
        results += [store.result(_make_spec(run, names[group][2]), run) for run in members]
    return results, left_out


def _choose_names(group: StoredGroup, taken: Collection[Names]) -> Names:
    """Choose names for a group that no other group has, since tables tell groups apart by their names.

    Two groups of the network `ann` with the recipe `classic`, one of them trained on fewer images:

        ("ann", "classic", "")   ("ann", "classic", "5,000 images")
    """
    for variant in ("", f"{group.record.num_images:,} images"):
        names = group.architecture.name, group.recipe.name, variant
        if names not in taken:
            return names
    return group.architecture.name, group.recipe.name, group.digest  # no two groups have the same


def _has_same_images(run: StoredRun, splits: Splits) -> bool:
    recorded = run.group.record.dataset
    return (recorded.train.sha256, recorded.test.sha256) == (splits.train.sha256, splits.test.sha256)


def _make_spec(run: StoredRun, name: str) -> RunSpec:
    group = run.group
    count = group.record.num_images
    num_images = None if count == group.record.dataset.train.num_images else count
    # Only its names and counts are used, and nothing is trained by it, so it needs no argument for the data.
    return RunSpec("", group.architecture, group.recipe, run.seed, group.record.engine, num_images, name)
