"""Plan files, which fix networks, seeds and looks before anything is measured.

The database of an experiment holds the digest of its plan, and the numbers of runs at which results were shown. So a
comparison can tell if the plan was followed, or if seeds were added after a look.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

from msgspec import Meta

from convscope.base.errors import RunError
from convscope.base.records import FileRecord, Fraction, JsonObject, Positive, Record, Sha256, encode, read
from convscope.engine import EngineName
from convscope.evidence.comparison.power import LEVELS, MAX_SEEDS
from convscope.storage import StoredRuns
from convscope.storage.records import Seed

PLAN_FILE = "plan.json"
"""The copy of the plan in the folder of an experiment."""


class PlannedGroup(Record, kw_only=True):
    """A network and its training.

    Attributes:
        num_images: the number of training images of each run.
        kind: SHA-256 of everything that decides its results, except the seed.
    """

    name: str
    architecture: JsonObject
    recipe: JsonObject
    engine: EngineName
    num_images: Positive
    kind: Sha256


class PlanFile(FileRecord, kw_only=True):
    """plan.json: the networks, the seeds and the number of looks of a comparison.

    Attributes:
        first_seed: the first of consecutive seeds.
        seeds: the number of seeds of each group after the last look; looks are equally spaced.
        difference, margin: those of the accuracies, as fractions.
    """

    train_sha256: Sha256
    test_sha256: Sha256
    groups: tuple[PlannedGroup, PlannedGroup]
    first_seed: Seed
    seeds: Annotated[int, Meta(ge=2, le=MAX_SEEDS + len(LEVELS))]  # rounded up to equal steps
    looks: Annotated[int, Meta(ge=1, le=len(LEVELS))]
    difference: Fraction
    margin: Fraction

    def __post_init__(self) -> None:
        if self.seeds % self.looks or self.seeds < 2 * self.looks:
            raise ValueError(f"seeds is {self.seeds}; {self.looks} looks need as many equal steps of at least 2 seeds")

    @property
    def sha256(self) -> str:
        """The digest of the plan, by which an experiment's database knows it."""
        return hashlib.sha256(encode(self)).hexdigest()

    @property
    def level(self) -> float:
        """The significance level of the test at each look: 0.05 for a single look, and lower for more."""
        return LEVELS[self.looks - 1]

    def seeds_at(self, look: int) -> range:
        """List the seeds of each group at a look; the first look is 1."""
        # 12 seeds and 3 looks: 4 seeds at the first look, 8 at the second, all 12 at the last.
        return range(self.first_seed, self.first_seed + look * self.seeds // self.looks)


class LooksRecord(Record, kw_only=True):
    """A look at results of groups, with its number and its plan.

    Attributes:
        plan: the SHA-256 of the experiment's plan, if it has one.
        is_followed: True if groups, seeds and looks are those of the plan; None without a plan.
        look: the number of this look, from 1 on.
        level: the significance level at this look.
    """

    plan: Sha256 | None
    is_followed: bool | None
    look: Positive
    level: Fraction
    sentence: str


@dataclass(frozen=True)
class SeenGroup:
    """A group whose results are looked at.

    Attributes:
        kind: see `PlannedGroup`.
        earlier: the numbers of runs at earlier looks, all smaller than now.
    """

    name: str
    kind: str
    seeds: Sequence[int]
    earlier: Sequence[int]


def judge_looks(
    stores: Sequence[StoredRuns], groups: Sequence[SeenGroup]
) -> tuple[LooksRecord | None, PlanFile | None]:
    """Judge a look at groups by their plan or by earlier looks; also return the plan if it was followed.

    Args:
        stores: hold the runs of the groups.

    Raises:
        RunError: if a plan is damaged.
    """
    # Groups of several experiments follow no plan of one of them.
    if len(stores) == 1 and (sha256 := stores[0].notes.plan) is not None:
        path = stores[0].path.parent / PLAN_FILE
        plan = read(path, PlanFile)
        # The database has the digest from before the first run, so an edited file is noticed.
        if plan.sha256 != sha256:
            raise RunError(f"{path}: is not the plan with which this experiment began ({sha256:.8}); restore that")
        return _judge_plan(plan, groups)
    results = [f"{group.name}: {', then '.join(map(str, group.earlier))}" for group in groups if group.earlier]
    if not results:
        return None, None
    sentence = (
        f"Results were shown before with fewer seeds ({'; '.join(results)}). If seeds were added because of those, p "
        "is too small; `convscope plan --looks` plans for that."
    )
    look = 1 + max(len(group.earlier) for group in groups)
    return LooksRecord(plan=None, is_followed=None, look=look, level=LEVELS[0], sentence=sentence), None


def _judge_plan(plan: PlanFile, groups: Sequence[SeenGroup]) -> tuple[LooksRecord, PlanFile | None]:
    """List all departures from the plan; also return the plan if there are none.

    With 12 seeds from 0 on and 3 looks, each look has 4 seeds more. Groups of 8 and 9 seeds are at the second look, for
    which seeds 0 to 7 are planned: the ninth seed is a departure, and so is an earlier look at 6 seeds.
    """
    step = plan.seeds // plan.looks
    # The smaller group tells which look this is. If it has fewer seeds than the first look, some are missing below.
    look = max(min(len(group.seeds) // step for group in groups), 1)
    planned = plan.seeds_at(min(look, plan.looks))
    problems = []
    if {group.kind for group in groups} != {group.kind for group in plan.groups}:
        problems.append("other networks or recipes were trained")
    for group in groups:
        if missing := sorted(set(planned) - set(group.seeds)):
            problems.append(f"{group.name} lacks {_list_seeds(missing)}")
        if unplanned_seeds := sorted(set(group.seeds) - set(planned)):
            problems.append(f"{group.name} also has {_list_seeds(unplanned_seeds)}")
        if unplanned := [count for count in group.earlier if count % step]:
            problems.append(f"there was a result of {group.name} with {unplanned[0]} seeds")
    begin = f"Plan {plan.sha256:.8} was {'not ' if problems else ''}followed"
    if problems:
        sentence = f"{begin}: {'; '.join(problems)}. So p may be too small."
    else:
        sentence = f"{begin}: look {look} of {plan.looks}, with {len(planned)} of {plan.seeds} seeds of each network."
        if plan.looks > 1:
            sentence += f" The two differ if p is below {plan.level}, so that test and intervals hold for all looks."
    record = LooksRecord(
        plan=plan.sha256,
        is_followed=not problems,
        look=look,
        level=LEVELS[0] if problems else plan.level,  # without a plan, the level of a single look
        sentence=sentence,
    )
    return record, None if problems else plan


def _list_seeds(seeds: Sequence[int]) -> str:
    shown = ", ".join(map(str, seeds[:5])) + (" and more" if len(seeds) > 5 else "")
    return f"seed{'' if len(seeds) == 1 else 's'} {shown}"
