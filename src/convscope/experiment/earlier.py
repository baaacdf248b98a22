"""The runs that earlier commands left in the folder of an experiment, so that its result still shows them."""

from collections.abc import Sequence
from pathlib import Path

from convscope.data.datasets import Splits
from convscope.experiment.result import RunResult
from convscope.experiment.spec import RunSpec
from convscope.experiment.store import RunStore
from convscope.storage import RunFolder


def earlier_runs(folder: Path, splits: Splits, runs: Sequence[RunResult]) -> list[RunResult]:
    """Return the finished runs in `folder` of groups that `runs` lack, on the same images, ordered by group and seed.

    A group is one architecture with one recipe, engine and number of images; runs whose initial weights have a seed of
    their own are none. Where two have the same names, the earlier
    one also gets its number of images, or else its digest, as the name of a variant.

    Raises:
        RunError: if a run is damaged.
    """
    store = RunStore(splits, folder / "runs")
    known = {run.digest for run in runs}
    found = list(store.folders())
    asked = {_group(one) for one in found if one.path.name in known}
    groups = dict[tuple[object, ...], list[RunFolder]]()
    for one in found:
        if (
            "digest" in one.record
            and "weights_seed" not in one.record
            and _is_on(one, splits)
            and _group(one) not in asked
        ):
            groups.setdefault(_group(one), []).append(one)
    taken, results = {(run.architecture, run.recipe, run.name) for run in runs}, list[RunResult]()
    for members in groups.values():
        first = members[0]
        names = (first.architecture.name, first.recipe.name)
        variants = ("", f"{first.record['num_images']:,} images", first.path.name)
        name = next(variant for variant in variants if (*names, variant) not in taken)
        taken.add((*names, name))
        for one in sorted(members, key=lambda member: member.seed):
            result = store.find(_spec(one, name), one.path.name)
            results += [] if result is None else [result]
    return results


def _group(folder: RunFolder) -> tuple[object, ...]:
    record = folder.record
    return folder.architecture, folder.recipe, record["engine"], record.get("num_images")


def _is_on(folder: RunFolder, splits: Splits) -> bool:
    recorded = folder.record["dataset"]
    return all(recorded[part.split]["sha256"] == part.sha256 for part in (splits.train, splits.test))


def _spec(folder: RunFolder, name: str) -> RunSpec:
    record = folder.record
    count = record["num_images"]
    num_images = None if count == record["dataset"]["train"]["num_images"] else count
    return RunSpec("", folder.architecture, folder.recipe, folder.seed, record["engine"], num_images, name)
