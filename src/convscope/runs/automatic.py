"""The recipe `auto` in a run: when it is used, and what it says of its trials."""

from convscope.architecture import Architecture
from convscope.architecture.presets import preset_of
from convscope.base.tables import printable
from convscope.data.datasets import Splits
from convscope.recipes import AUTO, RECIPES
from convscope.runs.choices import RecipeChanges, RecipeChoice
from convscope.training.automatic import Choice, has_time_for_trials, loss_of
from convscope.training.records import TrialRecord


def is_automatic(
    recipe: RecipeChoice | None, changes: RecipeChanges, network: Architecture | None, splits: Splits
) -> bool:
    """Decide whether the recipe of a run that starts from random weights is `auto`.

    A recipe that is named comes first. Without one it is a preset's own; then `classic` for MNIST, and where epochs,
    batch size or learning rate are chosen by hand; and else `auto`.

    Args:
        network: the network that was named, if any.
    """
    if recipe is not None:
        return recipe == AUTO
    has_own_recipe = network is not None and preset_of(network) in RECIPES
    is_mnist = splits.name == "mnist" and len(splits.train) == 60_000
    return not (has_own_recipe or changes.is_by_hand or is_mnist)


def describe_trials(choice: Choice, num_images: int) -> str:
    """Say in three lines what was tried for a training on `num_images`, and what was chosen."""
    network, recipe, trials = printable(choice.architecture.name), choice.recipe, choice.search.trials
    epochs = f"{recipe.epochs} {'epoch' if recipe.epochs == 1 else 'epochs'}"
    if not trials:
        reason = "no class has three training images to hold some out"
        if not has_time_for_trials(choice.architecture, choice.search.budget):
            reason = f"the images are too large for trials within {choice.search.budget:.3g} multiply-adds (`budget`)"
        return f"Recipe auto: {reason}, so {network} is taken untried, for {epochs} on all {num_images:,} images."
    shift, share = trials[0].augmentation, trials[0].share
    networks = [trial for trial in trials if trial.augmentation == shift and trial.share == share]
    longer = [trial for trial in trials if trial.share > share]
    changed = [trial for trial in trials if trial.augmentation != shift]
    # Augmentations were compared with the first trial of their network.
    changed += [trial for trial in networks if changed and trial.network == changed[0].network]
    lists = [
        _list_losses(networks, "network"),
        *(
            [f"in three times the steps {_list_losses(longer, 'network')}"]
            if longer
            else ["none has learned anything yet"]
        ),
        _list_losses(changed, "augmentation"),
    ]
    return (
        f"Recipe auto: loss of {len(trials)} trials on {choice.search.num_held_out:,} held-out training images, "
        f"within {choice.search.budget:.3g} multiply-adds (`budget`).\n"
        f"  {'; '.join(filter(None, lists))}.\n"
        f"  So {network} with {choice.search.augmentation} is trained for {epochs} on all {num_images:,} images."
    )


def _list_losses(trials: list[TrialRecord], field: str) -> str:
    """List what was tried, the best first: "cutout 0.111, bend 0.117"."""
    return ", ".join(
        f"{printable(getattr(trial, field))} {_format_loss(trial)}" for trial in sorted(trials, key=loss_of)
    )


def _format_loss(trial: TrialRecord) -> str:
    return "diverged" if trial.loss is None else f"{trial.loss:.3f}"
