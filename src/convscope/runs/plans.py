"""Plans that are kept: a file fixes networks, seeds and looks before anything is measured.

The database of an experiment has the digest of its plan, and how many runs of each group there were whenever a result
was shown. So a comparison can say whether the plan was followed, or that seeds were added after a look.
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
"""In the folder of an experiment that follows a plan."""


class PlannedGroup(Record, kw_only=True):
    """A network, and how it is trained.

    Attributes:
        num_images: how many training images each run takes.
        kind: SHA-256 of all that decides its results but the seed.
    """

    name: str
    architecture: JsonObject
    recipe: JsonObject
    engine: EngineName
    num_images: Positive
    kind: Sha256


class PlanFile(FileRecord, kw_only=True):
    """plan.json: which networks are compared, with which seeds, and how often.

    Attributes:
        first_seed: the seeds follow one another from here on.
        seeds: of each group, after the last look; each look comes after as many of them.
        difference, margin: of the accuracies, as fractions.
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
        return hashlib.sha256(encode(self)).hexdigest()

    @property
    def level(self) -> float:
        """Of the test at each look."""
        return LEVELS[self.looks - 1]

    def seeds_at(self, look: int) -> range:
        """Return the seeds that each group has at a look; the first look is 1."""
        return range(self.first_seed, self.first_seed + look * self.seeds // self.looks)


class LooksRecord(Record, kw_only=True):
    """How often results of the same groups were looked at, and whether that was planned.

    Attributes:
        plan: the SHA-256 of the plan that the experiment began with, if any.
        is_followed: whether groups, seeds and looks are those of the plan; None without a plan.
        look: the number of this look, from 1 on.
        level: of the test at this look.
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
        kind: as of `PlannedGroup`.
        earlier: how many runs there were at earlier looks, fewer than now.
    """

    name: str
    kind: str
    seeds: Sequence[int]
    earlier: Sequence[int]


def judge_looks(
    stores: Sequence[StoredRuns], groups: Sequence[SeenGroup]
) -> tuple[LooksRecord | None, PlanFile | None]:
    """Say whether a look at groups was planned, or what was looked at before; also return the plan that was followed.

    Args:
        stores: where the runs of the groups are kept.

    Raises:
        RunError: if a plan is damaged.
    """
    if len(stores) == 1 and (sha256 := stores[0].notes.plan) is not None:
        path = stores[0].path.parent / PLAN_FILE
        plan = read(path, PlanFile)
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
    step = plan.seeds // plan.looks
    look = max(min(len(group.seeds) // step for group in groups), 1)
    planned = plan.seeds_at(min(look, plan.looks))
    problems = []
    if {group.kind for group in groups} != {group.kind for group in plan.groups}:
        problems.append("other networks or recipes were trained")
    for group in groups:
        if missing := sorted(set(planned) - set(group.seeds)):
            problems.append(f"{group.name} lacks {_list_seeds(missing)}")
        if more := sorted(set(group.seeds) - set(planned)):
            problems.append(f"{group.name} also has {_list_seeds(more)}")
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
        level=LEVELS[0] if problems else plan.level,
        sentence=sentence,
    )
    return record, None if problems else plan


def _list_seeds(seeds: Sequence[int]) -> str:
    shown = ", ".join(map(str, seeds[:5])) + (" and more" if len(seeds) > 5 else "")
    return f"seed{'' if len(seeds) == 1 else 's'} {shown}"
