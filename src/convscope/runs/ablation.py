"""Retrain variants of a run's network, and add the results to its ablation.json."""

from convscope.data.datasets import Splits
from convscope.experiment import open_executor
from convscope.experiment.ablation import AblationRecord
from convscope.experiment.architectures import ablate_architecture, plan_architectures
from convscope.recipes import recipe_named
from convscope.runs.listeners import Listeners
from convscope.runs.topics import read_ablation
from convscope.storage import RunFolder

# Few and short trainings: `cnn` has 16 variants, which with the network itself are 85 runs.
NUM_SEEDS = 5
RECIPE = "fast"


def retrain_variants(folder: RunFolder, splits: Splits, executor: str | None, listeners: Listeners) -> AblationRecord:
    """Train variants of a run's network, add the results to ablation.json, and return its content.

    Args:
        executor: where to train, see `open_executor`; None for this process.

    Raises:
        ConvscopeError: if the run is not trained or damaged, or there is no such executor.
    """
    model, network, record = folder.load_model(), folder.architecture, folder.record
    plan = plan_architectures(network, splits, NUM_SEEDS)
    listeners.on_plan(
        f"Training {network.name} and {len(plan.variants)} variants from {NUM_SEEDS} seeds: {plan.num_runs} runs by "
        f"recipe {RECIPE}, about {plan.times:.0f} times the multiply-adds of one training of {network.name}"
    )
    listeners.on_runs(plan.num_runs)
    with open_executor(executor) as workers:
        variants = ablate_architecture(
            network,
            splits,
            recipe_named(RECIPE),
            range(NUM_SEEDS),
            dataset=record.dataset.argument,
            engine=record.engine,
            folder=folder.locate("architectures"),  # keeps finished runs, so a stopped command continues
            executor=workers,
            on_result=listeners.on_result,
        )
    ablation = read_ablation(folder, model).merge(variants)
    folder.write_evidence("ablation", ablation, model)
    listeners.on_topic("ablation", variants)
    return ablation
