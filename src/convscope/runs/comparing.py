"""Comparisons of runs in folders, and plans of such comparisons."""

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from textwrap import fill

from msgspec import UNSET

from convscope.base.errors import ConvscopeError, RunError
from convscope.base.records import Recorded, from_attributes, write
from convscope.base.tables import printable
from convscope.base.versions import FORMAT, own_version
from convscope.evidence.comparison import GroupComparisons, compare_all
from convscope.evidence.comparison.planning import Plan, plan
from convscope.evidence.comparison.power import LEVELS, MAX_SEEDS
from convscope.evidence.comparison.records import GroupComparisonsRecord
from convscope.evidence.comparison.several_groups import MAX_PAIRS, Pairs
from convscope.runs.groups import SeedGroup, name_groups, read_groups, to_run_groups
from convscope.runs.plans import LooksRecord, PlanFile, PlannedGroup, SeenGroup, judge_looks
from convscope.storage.stored_run import compute_sha256


class CompareOutput(GroupComparisonsRecord, kw_only=True):
    """Compared groups, with the effect of earlier looks, and the runs that were left out, in words."""

    looks: LooksRecord | None
    left_out: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class FolderComparison(Recorded):
    """Compared groups, the effect of earlier looks at them, and lines about runs that were left out."""

    result: GroupComparisons
    looks: LooksRecord | None
    left_out: tuple[str, ...]

    def to_record(self) -> CompareOutput:
        return from_attributes(CompareOutput, self.result.to_record(), looks=self.looks, left_out=self.left_out)

    def __str__(self) -> str:
        parts = [str(self.result)]
        if self.looks is not None:
            parts.append(fill(printable(self.looks.sentence), 100))
        if self.left_out:
            parts.append("\n".join(printable(f"Left out: {line}") for line in self.left_out))
        return "\n\n".join(parts)


def compare_folders(folders: Sequence[Path], pairs: Pairs = "all", margin: float | None = None) -> FolderComparison:
    """Compare the runs in `folders` on their common test images.

    If an experiment follows a plan, the test has the level of the plan, and its margin unless `margin` is set.

    Raises:
        RunError: as `read_groups`, if a plan is damaged, or if there are more than 1,000 pairs.
    """
    left_out = list[str]()
    groups = read_groups(folders, left_out)
    if pairs == "all" and len(groups) * (len(groups) - 1) // 2 > MAX_PAIRS:
        raise RunError(
            f"{len(groups)} groups have more than {MAX_PAIRS} pairs; compare each group with the first: `pairs` first"
        )
    # First, since a plan that was followed decides the level of the test.
    looks, plan = _count_look(groups, left_out)
    level, margin = (LEVELS[0], margin) if plan is None else (plan.level, margin or plan.margin)
    result = compare_all(to_run_groups(groups), pairs=pairs, margin=margin, level=level)
    return FolderComparison(result, looks, tuple(left_out))


def _count_look(groups: Sequence[SeedGroup], left_out: list[str]) -> tuple[LooksRecord | None, PlanFile | None]:
    """Count this look at the results of groups in the notes of their experiments, and judge it, see `judge_looks`.

    If results of a group were shown with 5 runs and then with 10, the notes have [5, 10] for it. So a comparison of 15
    runs can say that seeds were added after somebody had looked.
    """
    stored = [match for group in groups if (match := group.runs[0].stored) is not None]
    # Only a database holds looks. A run folder has one run, so there are no seeds to add after a look.
    if len(stored) < len(groups):
        return None, None
    stores = {store.path: store for store, _ in stored}
    for store in stores.values():
        try:
            store.notes.add_look()
        except RunError:  # damaged notes, which are no reason to count the look as none
            raise
        except ConvscopeError as error:  # a read-only folder can still be compared
            left_out.append(f"this look is not counted: {error}")
    looks = {path: store.notes.looks for path, store in stores.items()}
    seen = [
        SeenGroup(
            name=name,
            kind=compute_sha256(group.runs[0].kind),
            seeds=[run.folder.seed for run in group.runs],
            # Without this look itself, which has all runs of the group: [5, 10, 15] gives [5, 10].
            earlier=[count for count in looks[store.path].get(run.group.digest, []) if count < len(group.runs)],
        )
        for group, name, (store, run) in zip(groups, name_groups(groups), stored, strict=True)
    ]
    return judge_looks(list(stores.values()), seen)


@dataclass(frozen=True, eq=False)
class PlanResult:
    """A plan, the command that follows it ("" if no file was written), and lines about runs that were left out."""

    result: Plan
    next_step: str
    left_out: tuple[str, ...]

    def __str__(self) -> str:
        parts = [str(self.result)]
        if self.next_step:
            parts.append(f"To follow the plan, run:\n{self.next_step}")
        if self.left_out:
            parts.append("\n".join(printable(f"Left out: {line}") for line in self.left_out))
        return "\n\n".join(parts)


def plan_folders(
    folders: Sequence[Path], difference: float, margin: float | None, looks: int = 1, out: Path | None = None
) -> PlanResult:
    """Plan a comparison of the two groups in `folders`.

    Args:
        difference, margin: fractions; see `plan`, also for `looks`.
        out: the file for the plan, which an experiment can follow; None writes none.

    Raises:
        RunError: as `read_groups`; if there are not two groups of at least two runs; or if no number of seeds suffices
            for the plan in `out`.
    """
    left_out = list[str]()
    groups = read_groups(folders, left_out)
    if len(groups) != 2:
        names = ", ".join(name_groups(groups))
        raise RunError(f"{folders[0]}: contains {len(groups)} groups ({names:.200}); name the folders of two of them")
    try:
        result = plan(*to_run_groups(groups), difference=difference, margin=margin, looks=looks)
    except ValueError as error:
        raise RunError(f"{folders[0]}: {error}") from error
    next_step = ""
    if out is not None:
        write(out, _to_plan_file(result, groups, has_margin=margin is not None))
        dataset = groups[0].runs[0].folder.record.dataset.argument  # "" for arrays, which no command can load
        words = ["convscope", "experiment", *(["--dataset", dataset] if dataset else []), "--plan", str(out)]
        next_step = shlex.join([*words, "--out", "runs/planned"])
    return PlanResult(result, next_step, tuple(left_out))


def _to_plan_file(plan: Plan, groups: Sequence[SeedGroup], *, has_margin: bool) -> PlanFile:
    """Make the file of a plan, by which `convscope experiment` trains the seeds; `has_margin` if the user gave one.

    Raises:
        RunError: if no number of seeds suffices, or a group was not trained from random weights.
    """
    # For the test of a difference, and for that of the margin; None if no number is large enough.
    seeds = [plan.seeds, plan.margin_seeds] if has_margin else [plan.seeds]
    if None in seeds:
        raise RunError(
            f"no number of seeds up to {MAX_SEEDS:,} suffices, so no plan can be kept; choose a larger difference or "
            "margin, or more test images"
        )
    records = [group.runs[0].folder.record for group in groups]
    # A plan says how to train further seeds by architecture and recipe alone.
    for record in records:
        if record.start or record.imported or record.members or record.weights_seed is not UNSET:
            raise RunError(
                f"{record.architecture['name']} is not trained from random weights, so no plan can be kept for it"
            )
    first, second = (
        PlannedGroup(
            name=name,
            architecture=record.architecture,
            recipe=record.recipe,
            engine=record.engine,
            num_images=record.num_training_images,
            kind=compute_sha256(group.runs[0].kind),
        )
        for name, record, group in zip(plan.names, records, groups, strict=True)
    )
    return PlanFile(
        format=FORMAT,
        version=own_version(),
        train_sha256=records[0].dataset.train.sha256,
        test_sha256=records[0].dataset.test.sha256,
        groups=(first, second),
        # Seeds after those of the pilot, whose results led to the plan.
        first_seed=1 + max(seed for group in (plan.a, plan.b) for seed in group.seeds),
        seeds=max(count for count in seeds if count is not None),  # no None is left, but mypy does not know it
        looks=plan.looks,
        difference=plan.difference,
        margin=plan.margin,
    )
