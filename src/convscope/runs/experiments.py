"""An experiment as a job: architectures and recipes by name, over seeds, in a folder, with its files and its page."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from convscope.architecture import Architecture
from convscope.base.errors import DatasetError
from convscope.base.files import write_text
from convscope.base.records import from_attributes, read, write
from convscope.data.datasets import LoadOptions, Splits, make_portable
from convscope.engine import EngineName
from convscope.evidence.comparison.words import SIGNIFICANCE
from convscope.experiment import Experiment, RunSpec, open_executor, write_experiment
from convscope.experiment.earlier import find_earlier_runs
from convscope.experiment.experiment import run_specs
from convscope.experiment.records import ExperimentOutput
from convscope.recipes import Recipe
from convscope.runs.choices import (
    ArchitectureChoice,
    RecipeChanges,
    RecipeChoice,
    architecture_for,
    is_own_recipe,
    recipe_for,
)
from convscope.runs.comparing import FolderComparison, compare_folders
from convscope.runs.data import load_data
from convscope.runs.listeners import Listeners
from convscope.runs.plans import PLAN_FILE, PlanFile
from convscope.storage import StoredRuns, writing


@dataclass(frozen=True)
class ExperimentRequest:
    """The arguments of an experiment, not yet checked.

    Attributes:
        data: a name or path, as `load_dataset` takes it.
        recipes: if empty, each preset is trained with its own recipe, or with `classic`.
        num_images: the number of training images of each run, drawn by its seed; None for all.
        threads: the engine's threads in each run; by default one for each core, or one with an executor.
        executor: computes the runs, see `open_executor`; None for this process.
        out: the folder; by default runs/experiment-NAME.
        plan: the file of a plan, whose networks, recipes and seeds replace those here.
        command: the command line.
    """

    data: str
    loading: LoadOptions
    architectures: Sequence[ArchitectureChoice]
    recipes: Sequence[RecipeChoice]
    seeds: Sequence[int]
    changes: RecipeChanges = field(default_factory=RecipeChanges)
    num_images: int | None = None
    engine: EngineName = "native"
    threads: int | None = None
    executor: str | None = None
    out: Path | None = None
    plan: Path | None = None
    command: str = ""


@dataclass(frozen=True, eq=False)
class ExperimentPlan:
    """A checked experiment that can begin; `kept` is the plan that it follows, if any."""

    request: ExperimentRequest
    splits: Splits
    networks: Sequence[Architecture]
    specs: Sequence[RunSpec]
    kept: PlanFile | None = None

    @property
    def folder(self) -> Path:
        """The folder of the experiment, the same for the same data, so that a second command adds to it."""
        return self.request.out or Path("runs") / f"experiment-{self.splits.name}"

    @property
    def recipe_names(self) -> list[str]:
        """The names of the recipes for each network; without a choice of recipes, those of the first network."""
        # The specs with the first network and the first seed have every recipe once.
        network, seed = self.specs[0].architecture, self.specs[0].seed
        return [spec.recipe.name for spec in self.specs if (spec.architecture, spec.seed) == (network, seed)]

    def __str__(self) -> str:
        images = self.request.num_images or len(self.splits.train)
        preset_names = dict.fromkeys(
            spec.architecture.name for spec in self.specs if is_own_recipe(spec.architecture, spec.recipe)
        )
        recipes = f" {', '.join(preset_names)}: trained with the preset's own recipe." if preset_names else ""
        return (
            f"{self.splits.name}: {images:,} training images and {len(self.splits.test):,} test images.{recipes} "
            f"{len(self.specs)} {'run' if len(self.specs) == 1 else 'runs'} in {self.folder}"
        )


@dataclass(frozen=True, eq=False)
class ExperimentResult:
    """A finished experiment, the path of its page, and for one with a plan the comparison of its networks."""

    result: Experiment
    page: Path
    comparison: FolderComparison | None = None

    def to_record(self) -> ExperimentOutput:
        return from_attributes(ExperimentOutput, self.result.to_record(), experiment=str(self.page.parent))


def plan_experiment(request: ExperimentRequest, listeners: Listeners) -> ExperimentPlan:
    """Load and check the data, networks and recipes of an experiment.

    Raises:
        ConvscopeError: if data, an architecture or a recipe cannot be read, or there are too few training images.
    """
    _, splits = load_data(request.data, request.loading, listeners.on_download)
    if request.num_images is not None and request.num_images > len(splits.train):
        raise DatasetError(
            f"`num_images` {request.num_images}: {splits.name} has only {len(splits.train):,} training images"
        )
    argument = make_portable(request.data)
    if request.plan is not None:
        return _plan_next_look(request, splits, argument)
    networks = [architecture_for(choice, splits.image_shape, splits.num_classes) for choice in request.architectures]
    specs = [
        RunSpec(
            argument, network, recipe_for(choice, network, request.changes), seed, request.engine, request.num_images
        )
        for network in networks
        for choice in request.recipes or (None,)  # None is the preset's own recipe
        for seed in request.seeds
    ]
    return ExperimentPlan(request, splits, networks, specs)


def _plan_next_look(request: ExperimentRequest, splits: Splits, argument: str) -> ExperimentPlan:
    """Prepare the next look of a plan: the first with a seed that is not trained yet, or the last.

    A look has the seeds of those before it too. With 12 seeds and 3 looks, of which 4 seeds are trained, the next look
    has 8 seeds, and the experiment trains the 4 that are missing.
    """
    assert request.plan is not None
    kept = read(request.plan, PlanFile)
    if (splits.train.sha256, splits.test.sha256) != (kept.train_sha256, kept.test_sha256):
        raise DatasetError(f"{request.plan}: is a plan for other images than those of {request.data}; name its data")
    networks = [Architecture.from_dict(group.architecture) for group in kept.groups]
    plan = ExperimentPlan(request, splits, networks, (), kept)  # knows its folder; its runs are chosen below
    stored = StoredRuns(plan.folder / "runs")
    trained = {*stored.digests(), *stored.digests_of_diverged()}  # a run that diverged would diverge again
    for look in range(1, kept.looks + 1):
        specs = [
            RunSpec(argument, network, Recipe.from_dict(group.recipe), seed, group.engine, group.num_images)
            for group, network in zip(kept.groups, networks, strict=True)
            for seed in kept.seeds_at(look)
        ]
        if not trained.issuperset(spec.digest(splits) for spec in specs):
            break
    return replace(plan, specs=specs)


def experiment_job(plan: ExperimentPlan, listeners: Listeners) -> ExperimentResult:
    """Train the runs that are not trained yet, and write the files and the page.

    The result also has all runs of earlier commands on the same images in the same folder.

    Raises:
        ConvscopeError, KeyboardInterrupt: as `run_specs`; the same plan continues.
    """
    request, folder, splits = plan.request, plan.folder, plan.splits
    listeners.on_runs(len(plan.specs))
    stored = StoredRuns(folder / "runs")
    with open_executor(request.executor) as workers, writing(folder):
        # Before the first run, so that nobody can choose the plan after a look at results.
        if plan.kept is not None:
            stored.notes.follow_plan(plan.kept.sha256)
            write(folder / PLAN_FILE, plan.kept)
        stored.notes.add_command(request.command)
        result = run_specs(
            plan.specs,
            splits,
            folder=folder,
            executor=workers,
            threads=request.threads,
            on_result=listeners.on_result,
            on_diverged=listeners.on_diverged,
            on_epoch=listeners.on_run_epoch,
        )
        earlier, left_out = find_earlier_runs(folder, splits, result.runs)
        result = replace(result, runs=(*result.runs, *earlier), level=plan.kept.level if plan.kept else SIGNIFICANCE)
        stored.notes.add_look()  # the result is shown from here on
    for line in left_out:
        listeners.on_left_out(line)
    from convscope.report.experiment_page import render_experiment  # matplotlib takes its time to load

    write_experiment(result, folder)
    page = folder / "experiment.html"
    write_text(page, render_experiment(result.to_record(), stored.notes.commands))
    return ExperimentResult(result, page, compare_folders([folder]) if plan.kept else None)


PILOT_SECONDS = 60  # training time of all pilot runs together
MIN_PILOT_SEEDS, MAX_PILOT_SEEDS = 2, 5  # two show a spread; more than five hardly make a plan more exact


def train_pilot(request: ExperimentRequest, listeners: Listeners) -> Path:
    """Train two to five seeds of each network, in about a minute, and return the folder of the experiment.

    The first two seeds tell the time. If a seed of every network takes 14 s, four fit into the minute, and two more are
    trained.
    """
    first = plan_experiment(replace(request, seeds=range(MIN_PILOT_SEEDS)), listeners)
    names = "-".join([first.splits.name, *(network.name for network in first.networks)])
    first = replace(first, request=replace(first.request, out=request.out or Path("runs") / f"pilot-{names}"))
    listeners.on_plan(str(first))
    runs = experiment_job(first, listeners).result.runs
    # The time of one seed of every network. An earlier pilot in this folder may have left runs of more seeds.
    seconds_per_seed = sum(run.seconds for run in runs if run.seed < MIN_PILOT_SEEDS) / MIN_PILOT_SEEDS
    seeds = min(int(PILOT_SECONDS / seconds_per_seed), MAX_PILOT_SEEDS)
    if seeds > MIN_PILOT_SEEDS:  # the first two are not trained again
        experiment_job(plan_experiment(replace(first.request, seeds=range(seeds)), listeners), listeners)
    return first.folder
