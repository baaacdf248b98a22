"""An experiment as a job: architectures and recipes by name, over seeds, in a folder, with its files and its page."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from convscope.architecture import Architecture
from convscope.base.errors import DatasetError
from convscope.base.records import from_attributes
from convscope.data.datasets import LoadOptions, Splits
from convscope.engine import EngineName
from convscope.experiment import Experiment, RunResult, RunSpec, argument_of, open_executor, write_experiment
from convscope.experiment.earlier import earlier_runs
from convscope.experiment.experiment import run_specs
from convscope.experiment.records import ExperimentOutput
from convscope.runs.choices import (
    ArchitectureChoice,
    RecipeChanges,
    RecipeChoice,
    architecture_for,
    is_own_recipe,
    recipe_for,
)
from convscope.runs.data import load_data
from convscope.runs.listeners import Listeners
from convscope.runs.tracking import Trackers
from convscope.storage import StoredRuns, writing


@dataclass(frozen=True)
class ExperimentRequest:
    """What is asked of an experiment, not yet checked.

    Attributes:
        data: a name or path, as `load_dataset` takes it.
        recipes: without any, each preset is trained with its own recipe, or with `classic`.
        width: by what the filters and units of each architecture are multiplied.
        num_images: how many training images each run takes, drawn by its seed; None is all.
        threads: of the engine in each run; None is one a core, with an executor one.
        executor: where the runs are, see `open_executor`; None is this process.
        out: the folder; None is runs/experiment-NAME.
        command: the command line that asks for it.
    """

    data: str
    loading: LoadOptions
    architectures: Sequence[ArchitectureChoice]
    recipes: Sequence[RecipeChoice]
    seeds: Sequence[int]
    changes: RecipeChanges = field(default_factory=RecipeChanges)
    width: float = 1.0
    num_images: int | None = None
    engine: EngineName = "native"
    threads: int | None = None
    executor: str | None = None
    out: Path | None = None
    command: str = ""


@dataclass(frozen=True, eq=False)
class ExperimentPlan:
    """An experiment that can begin."""

    request: ExperimentRequest
    splits: Splits
    networks: Sequence[Architecture]
    specs: Sequence[RunSpec]

    @property
    def folder(self) -> Path:
        return self.request.out or Path("runs") / f"experiment-{self.splits.name}"

    @property
    def recipe_names(self) -> list[str]:
        """The names of the recipes that each network is trained with; without a choice, those of the first network."""
        first = self.specs[0]
        return [
            spec.recipe.name
            for spec in self.specs
            if (spec.architecture, spec.seed) == (first.architecture, first.seed)
        ]

    @property
    def num_runs(self) -> int:
        return len(self.specs)

    def __str__(self) -> str:
        images = self.request.num_images or len(self.splits.train)
        own = dict.fromkeys(
            spec.architecture.name for spec in self.specs if is_own_recipe(spec.architecture, spec.recipe)
        )
        recipes = f" {', '.join(own)}: trained with the preset's own recipe." if own else ""
        return (
            f"{self.splits.name}: {images:,} training images and {len(self.splits.test):,} test images.{recipes} "
            f"{self.num_runs} {'run' if self.num_runs == 1 else 'runs'} in {self.folder}"
        )


@dataclass(frozen=True, eq=False)
class ExperimentDone:
    """A finished experiment, and the path of its page."""

    result: Experiment
    page: Path

    def to_record(self) -> ExperimentOutput:
        return from_attributes(ExperimentOutput, self.result.to_record(), experiment=str(self.page.parent))


def plan_experiment(request: ExperimentRequest, listeners: Listeners) -> ExperimentPlan:
    """Load and check what an experiment needs.

    Raises:
        ConvscopeError: if data, an architecture or a recipe cannot be read, or there are too few training images.
    """
    _, splits = load_data(request.data, request.loading, listeners.on_download)
    if request.num_images is not None and request.num_images > len(splits.train):
        raise DatasetError(
            f"`num_images` {request.num_images}: {splits.name} has only {len(splits.train):,} training images"
        )
    argument = argument_of(request.data)

    networks = [
        architecture_for(choice, splits.image_shape, splits.num_classes, request.width)
        for choice in request.architectures
    ]
    specs = [
        RunSpec(
            argument, network, recipe_for(choice, network, request.changes), seed, request.engine, request.num_images
        )
        for network in networks
        for choice in request.recipes or (None,)
        for seed in request.seeds
    ]
    return ExperimentPlan(request, splits, networks, specs)


def experiment_job(plan: ExperimentPlan, tracking: Trackers, listeners: Listeners) -> ExperimentDone:
    """Train what is not trained yet, and write the files and the page.

    The experiment also has all runs that earlier commands trained on the same images in the same folder.

    Raises:
        ConvscopeError, KeyboardInterrupt: as `run_specs`; the same plan goes on.
    """
    request, folder, splits = plan.request, plan.folder, plan.splits

    def on_result(result: RunResult) -> None:
        listeners.on_result(result)
        if result.folder is not None:
            tracking.log(result.folder)

    listeners.on_runs(plan.num_runs)
    stored = StoredRuns(folder / "runs")
    with open_executor(request.executor) as workers, writing(folder):
        stored.add_command(request.command)
        result = run_specs(
            plan.specs,
            splits,
            folder=folder,
            executor=workers,
            threads=request.threads,
            on_result=on_result,
            on_diverged=listeners.on_diverged,
            on_epoch=listeners.on_run_epoch,
        )
        earlier, left_out = earlier_runs(folder, splits, result.runs)
        result = replace(result, runs=(*result.runs, *earlier))
    for line in left_out:
        listeners.on_left_out(line)
    from convscope.report.experiment_page import write_experiment_page  # matplotlib takes its time to load

    write_experiment(result, folder)
    page = write_experiment_page(folder, result.to_record(), stored.commands)
    return ExperimentDone(result, page)
