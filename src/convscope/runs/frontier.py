"""The frontier as part of an experiment: which runs its points need, and which of those that are finished they have."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from convscope.base.errors import ConvscopeError, RunError
from convscope.data.datasets import Splits
from convscope.experiment import RunResult, RunSpec
from convscope.experiment.frontier import Frontier, MeasuredPoint, measure_point
from convscope.experiment.points import ALL, Point, points_named
from convscope.recipes import Recipe, recipe_named
from convscope.runs.listeners import Listeners
from convscope.storage import RunFolder

SpecOf = Callable[[str, str, int], RunSpec]
"""Gives the run of an architecture and a recipe, by their names, from a seed."""


@dataclass(frozen=True, eq=False)
class PlannedPoint:
    """A point with its runs.

    Attributes:
        spec: gives its run from a seed, with the changes of the recipe that are asked for.
        seeds: those that are asked for; None is none, and then runs that are finished already are taken.
    """

    point: Point
    spec: Callable[[int], RunSpec]
    seeds: Sequence[int] | None


def plan_points(names: str, dataset: str, seeds: Sequence[int] | None, spec_of: SpecOf) -> list[PlannedPoint]:
    """Return all points of a data set in their order, those of `names` with the seeds that are asked for.

    Args:
        seeds: the same for each of `names`; None is as many as each states.

    Raises:
        ConvscopeError: if a point is unknown, or all of `names` need more seeds.
    """
    asked = points_named(names, dataset)
    if seeds is not None and (needed := min(point.members for point in asked)) > len(seeds):
        raise ConvscopeError(f"`seeds`: there are {len(seeds)}, but an ensemble of {needed} networks needs {needed}")

    def planned(point: Point) -> PlannedPoint:
        own = None if point not in asked else range(point.seeds) if seeds is None else seeds
        return PlannedPoint(point, lambda seed: spec_of(point.architecture, point.recipe, seed), own)

    return [planned(point) for point in points_named(ALL, dataset)]


def runs_of(points: Iterable[PlannedPoint]) -> list[RunSpec]:
    """Return the runs that `points` ask for; those that several share come once."""
    specs = dict[tuple[str, str, int], RunSpec]()
    for one in points:
        for seed in one.seeds or ():
            key = (one.point.architecture, one.point.recipe, seed)
            if key not in specs:
                specs[key] = one.spec(seed)
    return list(specs.values())


def measure_frontier(
    points: Sequence[PlannedPoint], runs: Sequence[RunResult], splits: Splits, listeners: Listeners
) -> Frontier:
    """Return the frontier of `points` by those of `runs` that are theirs.

    Raises:
        RunError: if no point has runs enough, or a file of a run is damaged.
    """
    measured, left_out, trained = list[MeasuredPoint](), list[str](), dict[str, RunResult]()
    for one in points:
        own = _finished_runs(one, runs, splits) if one.seeds is None else _asked_runs(one, runs, splits)
        result = None
        if own:
            first = _kept(own[0])
            point = one.point
            if _in_float32(first.recipe) != _in_float32(recipe_named(point.recipe)):
                point = replace(point, name=f"{point.name} (changed)")  # by an option such as --epochs
            result = measure_point(point, first.architecture, first.recipe, own, splits.test, listeners.on_step)
        if result is not None:
            measured.append(result)
            trained |= {run.digest: run for run in own}
        elif one.seeds is not None:
            left_out.append(
                f"{one.point.name} is left out: it needs {one.point.members} runs and has {len(own)}; use more seeds."
            )
    if not measured:
        raise RunError(f"no point of the frontier can be measured: {left_out[0]}")
    machines = dict.fromkeys(_machine_words(run) for run in trained.values())
    return Frontier(splits.name, len(splits.test), tuple(measured), tuple(left_out), tuple(machines))


def _asked_runs(one: PlannedPoint, runs: Sequence[RunResult], splits: Splits) -> list[RunResult]:
    found = {run.digest: run for run in runs}
    digests = [one.spec(seed).digest(splits) for seed in one.seeds or ()]
    return [found[digest] for digest in digests if digest in found]


def _finished_runs(one: PlannedPoint, runs: Sequence[RunResult], splits: Splits) -> list[RunResult]:
    """Return those of `runs` of the point's network and recipe, as it is or with the changes that are asked for.

    They may have been trained in another precision.
    """
    names = (one.point.architecture, one.point.recipe, "")
    named = [run for run in runs if (run.architecture, run.recipe, run.name) == names]
    if not named:
        return []
    spec = one.spec(0)
    recipes = [_in_float32(recipe) for recipe in (spec.recipe, recipe_named(one.point.recipe))]

    def is_own(run: RunResult) -> bool:
        if run.num_images != (spec.num_images or len(splits.train)):
            return False
        kept = _kept(run)
        return kept.architecture == spec.architecture and _in_float32(kept.recipe) in recipes

    return [run for run in named if is_own(run)]


def _in_float32(recipe: Recipe) -> Recipe:
    return replace(recipe, precision="float32")


def _kept(run: RunResult) -> RunFolder:
    assert run.kept is not None, run
    return run.kept


def _machine_words(run: RunResult) -> str:
    record = _kept(run).record
    threads = record["threads"]
    return f"{record['cpu']['name']}, {threads} thread{'' if threads == 1 else 's'} per run"
