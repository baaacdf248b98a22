"""What a run loses without its parts, kept in its ablation.json part by part, beside what was measured before."""

from dataclasses import dataclass

from msgspec.structs import replace

from convscope.base.records import Record
from convscope.data.datasets import Splits
from convscope.evidence.ablation import ablate, ablate_inputs
from convscope.experiment import open_executor
from convscope.experiment.ablation import AblationRecord
from convscope.experiment.architectures import ArchitectureAblation, ablate_architecture, plan_architectures
from convscope.recipes import Recipe
from convscope.runs.choices import RecipeChoice, recipe_for
from convscope.runs.listeners import Listeners
from convscope.runs.steps import evaluate_run
from convscope.runs.topics import Subject, known_ablation
from convscope.storage import RunFolder

TOPIC = "ablation"


@dataclass(frozen=True)
class Retraining:
    """How the network is trained again with one thing taken out or changed.

    Attributes:
        seeds: how many, from 0 on.
        executor: where, see `open_executor`; None is this process.
    """

    recipe: RecipeChoice = "fast"
    seeds: int = 5
    executor: str | None = None


@dataclass(frozen=True)
class AblationRequest:
    """What is asked of an ablation.

    Attributes:
        filters: whether each filter is taken away by itself.
        inputs: whether parts of the images are.
        units: whether units of hidden dense layers count beside filters.
        retraining: None trains nothing again.
    """

    filters: bool = True
    inputs: bool = True
    units: bool = False
    retraining: Retraining | None = None


def ablate_run(folder: RunFolder, splits: Splits, request: AblationRequest, listeners: Listeners) -> AblationRecord:
    """Measure what a trained run loses, keep each part once it is measured, and return all that is kept.

    `listeners.on_topic` hears each part, `on_plan` what is trained again before that begins.

    Raises:
        ConvscopeError: if the run is not trained or damaged, or there is no such recipe or executor.
    """
    retraining, model = request.retraining, folder.load_model()
    recipe = None if retraining is None else recipe_for(retraining.recipe, folder.architecture)
    subject = Subject(folder, splits, model, listeners)
    evaluate_run(folder, model, splits.test)
    record = known_ablation(folder, model)

    def keep(part: Record) -> None:
        nonlocal record
        record = record.updated(part)
        folder.write_evidence(TOPIC, record, model)
        listeners.on_topic(TOPIC, part)

    if request.filters:
        keep(ablate(model, splits.test, units=request.units, means=subject.means))
    if request.inputs:
        keep(ablate_inputs(model, splits))
    if retraining is not None and recipe is not None:
        keep(_retrain(subject, retraining, recipe))
    return replace(record, weights_sha256=model.weights_sha256)


def _retrain(subject: Subject, retraining: Retraining, recipe: Recipe) -> ArchitectureAblation:
    folder, splits, listeners = subject.folder, subject.splits, subject.listeners
    network, record = folder.architecture, folder.record
    plan = plan_architectures(network, splits, retraining.seeds)
    listeners.on_plan(
        f"Training {network.name} and {len(plan.variants)} variants from {retraining.seeds} "
        f"seed{'' if retraining.seeds == 1 else 's'}: {plan.num_runs} runs by recipe {recipe.name}, about "
        f"{plan.times:.0f} times the multiply-adds of one training of {network.name}"
    )
    listeners.on_runs(plan.num_runs)
    with open_executor(retraining.executor) as workers:
        return ablate_architecture(
            network,
            splits,
            recipe,
            range(retraining.seeds),
            dataset=record.dataset.argument,
            engine=record.engine,
            folder=folder.place("architectures"),
            executor=workers,
            on_result=listeners.on_result,
        )
