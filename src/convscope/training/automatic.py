"""The recipe `auto`: choose network, augmentation and number of epochs by held-out training images.

    1. each network, on shifted images             a 24th of the budget each
    2. the best two in three times the steps       an eighth each, since larger networks gain more by it
    3. the cheapest with each other augmentation   a 24th each: it sees as many epochs as the choice will
    4. the choice on all images                    the rest of the budget: two fifths or more

If three times the steps did not help, the last training has as many epochs as that of 1. If no network learned
anything in 1, as on large images, further trials would say nothing either: the cheapest takes the rest of the budget.
It takes all of it if not even 30 of its steps fit into a 24th, as on images of 200 × 200 pixels.
The budget is a number of multiply-adds, not a time, so the same seed gives the same choice on any machine. Test images
choose nothing.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from math import inf, sqrt

import numpy as np

from convscope.architecture import Architecture
from convscope.architecture.layers import Shape
from convscope.architecture.presets import ann, cnn, residual, wide, widen
from convscope.base.errors import ArchitectureError, DivergedError
from convscope.base.metrics import accuracy, cross_entropy
from convscope.data.datasets import Dataset
from convscope.recipes import AUTO, Augmentation, Recipe, thorough
from convscope.training.crossfit import compute_logits
from convscope.training.loop import train
from convscope.training.records import SearchRecord, TrialRecord

BUDGET = 4e12
"""Multiply-adds of the trials and the training by default: about half a minute on two cores."""

_NETWORKS = ((cnn, 1.0), (wide, 1.0), (wide, 2.0), (residual, 0.5))  # presets and their widths
_SHARE, _LONG_SHARE = 1 / 24, 1 / 8  # of the budget, for a trial
_GUESSING = 0.97  # of the loss of guessing: a network above it has learned nothing yet
_PASSES = 3  # forward, and the gradients with respect to the inputs and to the weights
_BATCH = 64
_MIN_STEPS, _MAX_STEPS = 30, 10_000
_MAX_EPOCHS = 150  # after each, a run measures its test images and saves its state
_HELD_OUT_FRACTION, _MAX_HELD_OUT = 0.2, 5_000
_MIN_SIDE = 8  # pixels; smaller images, such as rows of a table, are not changed

MAX_TRIALS = len(_NETWORKS) + 2 + 5
"""The most trials that a search makes."""

OnTrial = Callable[[int], None]
"""Called after each trial with the number of trials so far."""


@dataclass(frozen=True)
class Choice:
    """A network and a recipe, and the trials by which they were chosen."""

    architecture: Architecture
    recipe: Recipe
    search: SearchRecord


def choose_training(
    data: Dataset,
    architecture: Architecture | None = None,
    *,
    budget: float = BUDGET,
    seed: int = 0,
    threads: int | None = None,
    on_trial: OnTrial = lambda _: None,
) -> Choice:
    """Choose the network and the recipe for a training on all images of `data`.

    If no class has three images, none can be held out, and `wide` on shifted images is taken without a trial. The
    cheapest network is, if the images are too large for trials within the budget.

    Args:
        architecture: the network, where it is not to be chosen.
        budget: multiply-adds of all trials and of the training, which is left to the caller.
        threads: those of the trials; the choice is the same for any number.

    Raises:
        DivergedError: if every trial diverges.
    """
    networks = [architecture] if architecture else _list_networks(data, budget)
    try:
        parts = data.divide(min(_HELD_OUT_FRACTION, _MAX_HELD_OUT / len(data)), seed)
    except ValueError:  # too few images in each class
        parts = None
    if parts is None or not any(has_time_for_trials(network, budget) for network in networks):
        untried = next((network for network in networks if network.name == "wide"), networks[-1])
        augmentation = next(iter(_augmentations(data.image_shape)))
        recipe = _make_recipe(data, augmentation, _count_steps(untried, budget))
        record = SearchRecord(budget=budget, augmentation=augmentation, num_held_out=0, trials=())
        return Choice(untried, recipe, record)
    by_name = {network.name: network for network in networks}
    search = _Search(*parts, by_name, budget, seed, threads, on_trial)
    network, augmentation, epochs = search.run()
    rest = budget * (1 - sum(trial.share for trial in search.trials))
    recipe = _make_recipe(data, augmentation, _count_steps(by_name[network], rest))
    record = SearchRecord(
        budget=budget, augmentation=augmentation, num_held_out=len(search.held_out), trials=tuple(search.trials)
    )
    return Choice(by_name[network], recipe if epochs is None else _with_epochs(recipe, epochs, len(data)), record)


@dataclass(eq=False)
class _Search:
    """Trials on a data set.

    Attributes:
        train, held_out: the images that a trial is trained on, and those that measure it.
        networks: those to choose from, by name.
    """

    train: Dataset
    held_out: Dataset
    networks: Mapping[str, Architecture]
    budget: float
    seed: int
    threads: int | None
    on_trial: OnTrial
    trials: list[TrialRecord] = field(default_factory=list)

    def run(self) -> tuple[str, str, int | None]:
        """Make the trials, and choose a network, an augmentation, and a number of epochs unless more are better."""
        shift, *changes = _augmentations(self.train.image_shape)
        first = sorted((self._try(network, shift) for network in self.networks), key=loss_of)
        cheapest = min(first, key=lambda trial: self.networks[trial.network].macs)
        if _GUESSING * self._compute_loss_of_guessing() < loss_of(first[0]) < inf:
            return cheapest.network, shift, None
        longer = [self._try(trial.network, shift, _LONG_SHARE) for trial in first[:2]]
        if all(trial.loss is None for trial in self.trials):
            raise DivergedError(
                f"{self.train.name}: each of {len(self.trials)} trials diverged; check the input's scale"
            )
        best = min((*longer, *first), key=loss_of)
        # Augmentations are compared in the cheapest network, which trains for as many epochs as the choice will.
        changed = [self._try(cheapest.network, name) for name in changes if name != "bend and flip"]
        helpful = [trial for trial in changed if is_better(trial, cheapest)]
        # If both help, they may help together too.
        if {"bend", "flip"} <= {trial.augmentation for trial in helpful}:
            together = self._try(cheapest.network, "bend and flip")
            helpful += [together] if is_better(together, cheapest) else []
        augmentation = min(helpful or [cheapest], key=loss_of).augmentation
        return best.network, augmentation, None if best in longer else best.epochs

    def _compute_loss_of_guessing(self) -> float:
        """Compute the loss on the held-out images of a network that knows only how frequent each class is."""
        shares = np.maximum(self.train.class_counts, 1) / len(self.train)
        return float(-np.log(shares[self.held_out.labels]).mean())

    def _try(self, network: str, augmentation: str, share: float = _SHARE) -> TrialRecord:
        """Train within a share of the budget, and measure on the held-out images."""
        steps = _count_steps(self.networks[network], self.budget * share)
        # Fewer steps than an epoch has see only some images, taken evenly from all.
        num_images = min(len(self.train), steps * _choose_batch_size(len(self.train)))
        images = self.train.take(np.linspace(0, len(self.train) - 1, num_images).round().astype(np.int64))
        recipe = _make_recipe(images, augmentation, steps)
        labels = self.held_out.labels
        try:
            model, _ = train(self.networks[network], images, recipe, seed=self.seed, threads=self.threads)
            logits = compute_logits(model, self.held_out.images, self.threads)
        except DivergedError:
            logits = np.full((len(labels), self.held_out.num_classes), np.nan, np.float32)
        has_diverged = not np.isfinite(logits).all()
        trial = TrialRecord(
            network=network,
            augmentation=augmentation,
            share=share,
            epochs=recipe.epochs,
            num_images=num_images,
            loss=None if has_diverged else cross_entropy(logits, labels),
            accuracy=None if has_diverged else accuracy(labels, logits.argmax(axis=1)),
        )
        self.trials.append(trial)
        self.on_trial(len(self.trials))
        return trial


def loss_of(trial: TrialRecord) -> float:
    """Give the loss by which trials are compared; an accuracy of few images has few values."""
    return inf if trial.loss is None else trial.loss


def is_better(changed: TrialRecord, unchanged: TrialRecord) -> bool:
    """Decide whether a change of the images helps: a lower loss and no lower accuracy, as either may be chance."""
    return loss_of(changed) < loss_of(unchanged) and (changed.accuracy or 0) >= (unchanged.accuracy or 0)


def _list_networks(data: Dataset, budget: float) -> list[Architecture]:
    """List the networks that fit the images, and of these such as can be trained for an epoch and in each trial."""
    fitting = list[Architecture]()
    for preset, width in _NETWORKS:
        try:
            fitting.append(widen(preset(data.image_shape, data.num_classes), width))
        except ArchitectureError:
            continue
    cheap = [
        network
        for network in fitting
        if _PASSES * network.macs * len(data) <= budget / 4 and has_time_for_trials(network, budget)
    ]
    if cheap or not fitting:
        return cheap or [ann(data.image_shape, data.num_classes)]
    return [min(fitting, key=lambda network: network.macs)]


def has_time_for_trials(network: Architecture, budget: float) -> bool:
    """Decide whether a trial, a 24th of the budget, has at least 30 steps."""
    return _count_steps(network, budget * _SHARE) >= _MIN_STEPS


def _count_steps(network: Architecture, budget: float) -> int:
    """Count the steps of 64 images that `budget` multiply-adds allow."""
    return int(min(_MAX_STEPS, budget / (_PASSES * network.macs * _BATCH)))


def _choose_batch_size(num_images: int) -> int:
    """Choose smaller batches for fewer images, so that an epoch has many steps."""
    return next(
        size for size, at_least in ((_BATCH, 2_000), (_BATCH // 2, 500), (_BATCH // 4, 0)) if num_images >= at_least
    )


def _make_recipe(data: Dataset, augmentation: str, steps: int) -> Recipe:
    """Make the recipe for about so many steps of 64 images."""
    batch_size = _choose_batch_size(len(data))
    recipe = replace(
        thorough,
        name=AUTO,
        batch_size=batch_size,
        optimizer=replace(
            thorough.optimizer, learning_rate=thorough.optimizer.learning_rate * sqrt(batch_size / _BATCH)
        ),
        augmentation=_augmentations(data.image_shape)[augmentation],
    )
    return _with_epochs(recipe, round(steps * _BATCH / len(data)), len(data))


def _with_epochs(recipe: Recipe, epochs: int, num_images: int) -> Recipe:
    """Train for so many epochs, with weights averaged over a twentieth of the steps, at most a thousand."""
    epochs = min(_MAX_EPOCHS, max(1, epochs))
    steps = epochs * -(-num_images // recipe.batch_size)
    return replace(recipe, epochs=epochs, averaging=min(0.999, max(0.0, 1 - 20 / steps)))


def _augmentations(image_shape: Shape) -> dict[str, Augmentation]:
    """Make the augmentations to choose from; the first is tried with each network."""
    side = min(image_shape[:2])
    if side < _MIN_SIDE:
        return {"none": Augmentation()}
    shift = max(1, round(0.07 * side))  # 2 of 28 pixels, as `thorough` has it
    bend = replace(Augmentation(shift), rotation=14.0, stretch=0.14, shear=11.3)  # those of `residual`
    return {
        "shift": Augmentation(shift),
        "bend": bend,
        "flip": Augmentation(shift, horizontal_flip=True),
        "cutout": Augmentation(shift, cutout=max(2, round(0.28 * side))),  # 8 of 28 pixels, as `fashion` has it
        "bend and flip": replace(bend, horizontal_flip=True),
    }
