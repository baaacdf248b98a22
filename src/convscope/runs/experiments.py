"""An experiment as a job: architectures and recipes by name, over seeds, in a folder, with its files and its page."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from convscope.architecture import Architecture
from convscope.base.errors import DatasetError, DivergedError
from convscope.base.files import write_json
from convscope.data.datasets import LoadOptions, Splits
from convscope.engine import EngineName
from convscope.experiment import Experiment, RunResult, RunSpec, argument_of, open_executor, write_experiment
from convscope.experiment.atlas import FEWEST_RUNS, Atlas, CrossedSeeds
from convscope.experiment.earlier import earlier_runs
from convscope.experiment.experiment import run_specs
from convscope.experiment.frontier import Frontier
from convscope.recipes import Recipe
from convscope.runs.choices import ArchitectureChoice, RecipeChanges, RecipeChoice, architecture_for, recipe_for
from convscope.runs.data import load_data
from convscope.runs.frontier import PlannedPoint, measure_frontier, plan_points, runs_of
from convscope.runs.listeners import Listeners
from convscope.runs.tracking import Trackers
from convscope.storage import writing


@dataclass(frozen=True)
class ExperimentRequest:
    """What is asked of an experiment, not yet checked.

    Attributes:
        data: a name or path, as `load_dataset` takes it.
        seeds: None is as many as each point of the frontier states.
        frontier: points by name, see `points_named`, in place of architectures and recipes; None is no frontier.
        width: by what the filters and units of each architecture are multiplied.
        num_images: how many training images each run takes, drawn by its seed; None is all.
        threads: of the engine in each run; None is one a core, with an executor one.
        executor: where the runs are, see `open_executor`; None is this process.
        out: the folder; None is runs/experiment-NAME.
        crossed: how many seeds of initial weights by as many of everything else are trained too; None is none.
    """

    data: str
    loading: LoadOptions
    architectures: Sequence[ArchitectureChoice]
    recipes: Sequence[RecipeChoice]
    seeds: Sequence[int] | None
    frontier: str | None = None
    changes: RecipeChanges = field(default_factory=RecipeChanges)
    width: float = 1.0
    num_images: int | None = None
    engine: EngineName = "native"
    threads: int | None = None
    executor: str | None = None
    out: Path | None = None
    crossed: int | None = None


@dataclass(frozen=True, eq=False)
class ExperimentPlan:
    """An experiment that can begin.

    Attributes:
        specs: of all runs of the table.
        crossed: those of crossed seeds, which are in no mean; a list for each architecture and recipe.
        points: all of the frontier; empty where it is not asked for.
    """

    request: ExperimentRequest
    splits: Splits
    networks: Sequence[Architecture]
    recipes: Sequence[Recipe]
    specs: Sequence[RunSpec]
    points: Sequence[PlannedPoint] = ()
    crossed: Sequence[Sequence[RunSpec]] = ()

    @property
    def folder(self) -> Path:
        return self.request.out or Path("runs") / f"experiment-{self.splits.name}"

    @property
    def num_runs(self) -> int:
        return len(self.specs) + sum(map(len, self.crossed))

    def __str__(self) -> str:
        images = self.request.num_images or len(self.splits.train)
        return (
            f"{self.splits.name}: {images:,} training images and {len(self.splits.test):,} test images. "
            f"{self.num_runs} {'run' if self.num_runs == 1 else 'runs'} in {self.folder}"
        )


@dataclass(frozen=True, eq=False)
class ExperimentDone:
    """A finished experiment.

    Attributes:
        frontier: of the points that were asked for, and of those whose runs earlier commands finished; None without.
        page: its path.
    """

    result: Experiment
    frontier: Frontier | None
    page: Path

    def to_dict(self) -> dict[str, Any]:
        """Return all but the single answers as plain JSON."""
        return _document(self.result, self.frontier)


def plan_experiment(request: ExperimentRequest, listeners: Listeners) -> ExperimentPlan:
    """Load and check what an experiment needs.

    Raises:
        ConvscopeError: if data, an architecture or a recipe cannot be read, there are too few training images, or a
            point of the frontier is unknown or needs more seeds.
    """
    _, splits = load_data(request.data, request.loading, listeners.on_download)
    if request.num_images is not None and request.num_images > len(splits.train):
        raise DatasetError(
            f"`num_images` {request.num_images}: {splits.name} has only {len(splits.train):,} training images"
        )
    argument = argument_of(request.data)

    def spec(network: Architecture, recipe: Recipe, seed: int) -> RunSpec:
        return RunSpec(argument, network, recipe, seed, request.engine, request.num_images)

    def network_of(choice: ArchitectureChoice) -> Architecture:
        return architecture_for(choice, splits.image_shape, splits.num_classes, request.width)

    if request.frontier is None:
        networks = [network_of(one) for one in request.architectures]
        recipes = [recipe_for(one, request.changes) for one in request.recipes]
        seeds = request.seeds or ()
        specs = [spec(network, recipe, seed) for network in networks for recipe in recipes for seed in seeds]
        each = range(request.crossed or 0)
        crossed = [
            [replace(spec(network, recipe, seed), weights_seed=weights) for weights in each for seed in each]
            for network in networks
            for recipe in recipes
        ]
        return ExperimentPlan(request, splits, networks, recipes, specs, crossed=crossed if request.crossed else ())

    def of_point(architecture: str, recipe: str, seed: int) -> RunSpec:
        return spec(network_of(architecture), recipe_for(recipe, request.changes), seed)

    points = plan_points(request.frontier, splits.name, request.seeds, of_point)
    return ExperimentPlan(request, splits, (), (), runs_of(points), points)


def experiment_job(
    plan: ExperimentPlan, command: Callable[[LoadOptions], str], tracking: Trackers, listeners: Listeners
) -> ExperimentDone:
    """Train what is not trained yet, measure the frontier if it is asked for, and write the files and the page.

    The experiment also has the groups that earlier commands trained on the same images in the same folder.

    Args:
        command: gives the command that makes the experiment again, by how the data were loaded.

    Raises:
        ConvscopeError, KeyboardInterrupt: as `run_specs`; the same plan goes on.
    """
    request, folder, splits = plan.request, plan.folder, plan.splits

    def on_result(result: RunResult) -> None:
        listeners.on_result(result)
        if result.folder is not None:
            tracking.log(result.folder)

    listeners.on_runs(plan.num_runs)
    with open_executor(request.executor) as workers, writing(folder):
        run = partial(
            run_specs,
            splits=splits,
            folder=folder,
            executor=workers,
            threads=request.threads,
            on_result=on_result,
            on_diverged=listeners.on_diverged,
            on_epoch=listeners.on_run_epoch,
        )
        result = run(plan.specs)
        crossed = [_crossed(run(specs), request.crossed or 0) for specs in plan.crossed]
        result = replace(result, runs=(*result.runs, *earlier_runs(folder, splits, result.runs)))
        frontier = measure_frontier(plan.points, result.runs, splits, listeners) if plan.points else None
    atlas = _atlas(result, splits)
    from convscope.report.experiment_page import write_experiment_page  # matplotlib takes its time to load

    write_experiment(result, folder)
    if frontier is not None:
        write_json(folder / "frontier.json", frontier.to_dict())
    if atlas is not None:
        write_json(folder / "atlas.json", atlas.to_dict())
    if crossed:
        write_json(folder / "crossed.json", [one.to_dict() for one in crossed])
    document = _document(result, frontier) | ({} if atlas is None else {"atlas": atlas.to_dict()})
    document |= {"crossed": [one.to_dict() for one in crossed]} if crossed else {}
    page = write_experiment_page(folder, document, command(splits.options), splits.test)
    return ExperimentDone(result, frontier, page)


def _atlas(result: Experiment, splits: Splits) -> Atlas | None:
    """Return the atlas of the largest group, if it is large enough for one."""
    largest = max(result.table, key=lambda group: group.num_runs)
    return Atlas.of(result, largest, splits.test) if largest.num_runs >= FEWEST_RUNS else None


def _crossed(found: Experiment, count: int) -> CrossedSeeds:
    """Return what the runs of crossed seeds say.

    Raises:
        DivergedError: if one of them diverged.
    """
    if found.diverged:
        raise DivergedError(f"{found.diverged[0].title}: {found.diverged[0].reason}; crossed seeds need every network")
    first = found.runs[0]
    accuracies = np.array([run.accuracy for run in found.runs]).reshape(count, count)
    return CrossedSeeds.of(f"{first.architecture}, {first.recipe}", accuracies)


def _document(result: Experiment, frontier: Frontier | None) -> dict[str, Any]:
    return result.to_dict() | ({} if frontier is None else {"frontier": frontier.to_dict()})
