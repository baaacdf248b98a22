"""Train a network: from an architecture, images and a recipe to a `Model` and its `History`.

Nothing here touches a disk or a terminal. To show progress or keep checkpoints, pass a function.

    train    checks, then for each epoch   _train_epoch         a row of the history, and the logits of `validation`
                                               _train_pools     the steps, pool by pool
                                                   on_checkpoint    with the weights after steps 1, 3, 10, 30, 100, ...
                                           _get_finite_state    weights and optimizer, or DivergedError
                                           on_checkpoint        with the weights of the epoch
                                           on_epoch             with the state from which training can continue

MNIST's 60,000 images in batches of 128 are a single pool of 469 steps; 150 MB of images are two pools.
"""

from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from functools import partial
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from convscope.architecture.presets import AnyArchitecture, network_for
from convscope.base import metrics
from convscope.base.arguments import Seed, checked
from convscope.base.errors import DivergedError
from convscope.base.streams import stream_key
from convscope.data.datasets import Dataset, DatasetLike, Splits, as_dataset
from convscope.data.datasets.disk.pools import epoch_pools
from convscope.engine import (
    EngineName,
    EpochOptions,
    EpochResult,
    Network,
    Progress,
    check_weight_bits,
    initial_weights,
    open_network,
)
from convscope.recipes import AnyRecipe, Recipe, recipe_named
from convscope.training.checkpoints import CheckpointReporter, OnCheckpoint
from convscope.training.checks import check_fit, check_recipe, default_recipe, hold_out
from convscope.training.history import History, TrainingState, with_choice
from convscope.training.model import Model

OnProgress = Callable[[int, int, float, float], None]  # epoch from 1, images done, mean loss, mean accuracy
OnEpoch = Callable[[TrainingState], None]


@checked
def train(
    architecture: AnyArchitecture,
    data: Splits | DatasetLike,
    recipe: AnyRecipe | None = None,
    *,
    seed: Seed = 0,
    validation: DatasetLike | None = None,
    engine: EngineName = "native",
    threads: int | None = None,
    state: TrainingState | None = None,
    unseen: NDArray[np.bool_] | None = None,
    on_progress: OnProgress | None = None,
    on_epoch: OnEpoch | None = None,
    on_checkpoint: OnCheckpoint | None = None,
) -> tuple[Model, History]:
    """Train a network from its seed, or from `state`, to the end of the recipe.

    The weights of the last epoch are the model's, and nothing is chosen by what is measured on the way, unless the
    recipe has `early_stopping`: that chooses by validation images, and never by test images.

    >>> import convscope as cs
    >>> data = cs.load_dataset("mnist").train.take(range(512))
    >>> model, history = cs.train(cs.presets.cnn, data, cs.Recipe(epochs=1))
    >>> model.architecture.parameters, len(history)
    (108618, 1)

    Args:
        architecture: the network, the name of a preset, or a function of the images' shape (H, W, C) and the number of
            classes, as a preset is.
        data: what to train on; a pair (X, y) is read as `Dataset.from_arrays` reads it. Of `Splits`, the training
            images are trained on. With `recipe.validation_fraction`, that fraction of them is held out and measured
            after each epoch, as the `val_` columns of the history, and the test images are not looked at; without it,
            the test images are measured.
        recipe: how to train, or the name of a recipe that comes with convscope; None is the preset's own, or
            `classic`.
        seed: draws all random numbers; a whole number from 0.
        validation: images to measure after each epoch, in place of the above; a pair (X, y) too.
        threads: see `open_network`; the result is the same bits for any number.
        unseen: (N,), which training images may be held out; by default all. Where `state` comes from another network,
            those that it was not trained on.
        on_progress: called within an epoch with (epoch from 1, images done, mean loss, mean accuracy).
        on_epoch: called with the state after each epoch, and first with the untrained one (a history of length 0).
        on_checkpoint: called with the weights after steps 0, 1, 3, 10, 30, 100, ... and after each epoch, before
            `on_epoch`; within an epoch by `native` only, and with the accuracy of at most 1,000 images. It changes no
            result.

    Raises:
        ArchitectureError: if the images or the classes are not those that the architecture is for.
        DivergedError: if after an epoch a loss, a weight or the optimizer's state is not finite; training can continue
            from the last state that `on_epoch` received.
        RecipeError: if the recipe has class weights for other classes, there are too few images to hold some out, early
            stopping would have only test images to choose by, or the engine cannot compute in the recipe's precision
            here, or train in its weight bits.
        TypeError, ValueError: if an argument is of a wrong type or value, or `Dataset.from_arrays` refuses a pair.
        ValueError: if `validation` is given and the recipe holds images out itself, `state` lacks the best weights, or
            all training images have weight 0.
        KeyboardInterrupt: within a second of Ctrl-C; the last state that `on_epoch` received continues the training.
    """
    data = data if isinstance(data, Splits) else as_dataset(data, "data")
    training_images = data.train if isinstance(data, Splits) else data
    # 1. Checks, in this order so that the first error names the argument that is wrong, before anything is computed.
    architecture = network_for(architecture, training_images.image_shape, training_images.num_classes)
    recipe = default_recipe(architecture) if recipe is None else recipe_named(recipe)
    if validation is not None:
        validation = as_dataset(validation, "validation", data.class_names, data.image_shape)
    dataset, validation = hold_out(data, recipe, seed, validation, unseen)
    for images in (dataset, validation):
        check_fit(architecture, images)
    check_recipe(recipe, architecture)
    check_weight_bits(recipe.weight_bits, engine)
    # 2. The state to start from: given, or untrained.
    if state is None:
        state = TrainingState(initial_weights(architecture, seed))
        if on_epoch is not None:
            on_epoch(state)  # so that a run that dies in its first epoch can be resumed as well
    network = open_network(architecture, state.weights, engine, threads, recipe.precision)
    if state.optimizer:
        network.set_optimizer_state(state.optimizer)
    weights, best_weights = state.weights, state.best_weights
    # The recipe may be another than that of `state`, so the best epoch is chosen anew, here and after each epoch.
    history = with_choice(state.history, recipe, "test" if validation is None else validation.split)
    if history.best_epoch is not None and not best_weights:
        raise ValueError(f"state has no best_weights, those after epoch {history.best_epoch}; start from the beginning")
    # 3. The epochs.
    rates = recipe.learning_rates(len(dataset))  # (epochs, steps)
    reporter = None if on_checkpoint is None else CheckpointReporter(network, rates.shape[1], validation, on_checkpoint)
    if reporter is not None and not history.loss:
        reporter.report_step(0)
    # Whether to stop is asked before each epoch: a state that ended by early stopping is not trained further.
    stopping = recipe.early_stopping
    while len(history) < recipe.epochs and not (stopping and stopping.is_reached(getattr(history, stopping.monitor))):
        epoch = len(history) + 1
        row, logits = _train_epoch(
            network, dataset, validation, recipe, seed, epoch, rates[epoch - 1], on_progress, reporter
        )
        weights, optimizer = _get_finite_state(network, epoch, recipe)
        columns: dict[str, Any] = {name: (*getattr(history, name), value) for name, value in row.items()}
        history = with_choice(replace(history, **columns), recipe, history.val_split)
        # Before `on_epoch`, which stores them: a resumed training needs the best weights so far.
        if history.best_epoch == epoch:
            best_weights = weights
        if reporter is not None:
            reporter.report_epoch(epoch, weights, row.get("val_loss"), row.get("val_accuracy"))
        if on_epoch is not None:
            on_epoch(TrainingState(weights, optimizer, history, best_weights, logits))
    if history.best_epoch is not None:
        weights = best_weights
    provenance = {
        "dataset": dataset.name,
        "num_images": len(dataset),
        "recipe": recipe.to_dict(),
        "seed": seed,
        "engine": engine,
        "epoch": history.best_epoch or len(history),
    }
    return Model(architecture, weights, dataset.class_names, provenance, handwriting=dataset.handwriting), history


def _train_epoch(
    network: Network,
    dataset: Dataset,
    validation: Dataset | None,
    recipe: Recipe,
    seed: int,
    epoch: int,
    rates: NDArray[np.float32],
    on_progress: OnProgress | None = None,
    reporter: CheckpointReporter | None = None,
) -> tuple[dict[str, float], NDArray[np.float32] | None]:
    """Train one epoch, with a learning rate for each step, and measure it.

    Returns:
        The epoch's row of the history, and the logits of `validation`.
    """
    start = perf_counter()
    result = _train_pools(network, dataset, recipe, seed, epoch, rates, on_progress, reporter)
    seconds = perf_counter() - start
    # Before the validation images are classified, which would take time for nothing.
    _check_finite("loss", result.loss, epoch, recipe)
    measured = {"loss": result.loss, "accuracy": result.accuracy, "seconds": seconds}
    logits = None
    if validation is not None:
        logits = network.logits(validation.images)
        # Logits of a diverged network overflow; the check below says so in one error.
        with np.errstate(invalid="ignore", over="ignore"):
            measured["val_loss"] = metrics.cross_entropy(logits, validation.labels)
        _check_finite("val_loss", measured["val_loss"], epoch, recipe)
        measured["val_accuracy"] = metrics.accuracy(validation.labels, logits.argmax(axis=1))
    return measured, logits


def _train_pools(
    network: Network,
    dataset: Dataset,
    recipe: Recipe,
    seed: int,
    epoch: int,
    rates: NDArray[np.float32],
    on_progress: OnProgress | None,
    reporter: CheckpointReporter | None,
) -> EpochResult:
    """Train one epoch pool by pool, and return its means.

    Few images are a single pool of all batches. More are several pools, on a disk each read before its steps, which
    have rates[step : step + steps]:

        pool     |      0      |      1      |    2    |
        step     |  0   1   2  |  3   4   5  |  6   7  |
    """
    options = epoch_options(recipe, dataset)
    result, done, step = EpochResult(0.0, 0.0), 0, 0
    with closing(epoch_pools(dataset, recipe.batch_size, seed, epoch)) as pools:
        for pool in pools:
            steps = -(-len(pool.order) // recipe.batch_size)  # rounded up: the last batch of a pool may be smaller
            first = (epoch - 1) * len(rates) + step  # steps of the training before this pool
            pool_result = network.train_epoch(
                pool.dataset,
                order=pool.order,
                batch_size=recipe.batch_size,
                learning_rates=rates[step : step + steps],
                options=replace(
                    options,
                    # Each pool has streams of its own, since the engine counts images from 0 in each call.
                    augmentation_key=stream_key(seed, f"augment{pool.suffix}", epoch),
                    dropout_key=stream_key(seed, f"dropout{pool.suffix}", epoch),
                ),
                progress=None if on_progress is None else _make_listener(on_progress, epoch, done, result),
                pauses=() if reporter is None else reporter.pauses(first, steps),
                on_pause=None if reporter is None else partial(_report_pause, reporter, first),
            )
            result = _merge_results(result, done, pool_result, len(pool.order))
            done, step = done + len(pool.order), step + steps
    return result


def _report_pause(reporter: CheckpointReporter, first: int, step: int) -> None:
    reporter.report_step(first + step)


def epoch_options(recipe: Recipe, dataset: Dataset) -> EpochOptions:
    """Make the engine's options for an epoch of `recipe`, without the keys of its random streams."""
    return EpochOptions(
        optimizer=recipe.optimizer,
        label_smoothing=recipe.label_smoothing,
        class_weights=recipe.class_weights_for(dataset.class_counts),
        augmentation=recipe.augmentation,
        clip_norm=recipe.clip_norm,
        averaging=recipe.averaging,
        weight_bits=recipe.weight_bits,
    )


def _get_finite_state(
    network: Network, epoch: int, recipe: Recipe
) -> tuple[dict[str, NDArray[np.float32]], dict[str, NDArray[Any]]]:
    """Get the weights and the optimizer's state, and check that they are finite."""
    # The loss may be finite while a weight is not, since relu(NaN) is 0. For an epoch of `cnn` the check takes 3.4 ms.
    weights = network.weights()
    for name, weight in weights.items():
        _check_finite(name, weight, epoch, recipe)
    optimizer = network.optimizer_state()
    for name, values in optimizer.items():
        _check_finite(name, values, epoch, recipe)
    return weights, optimizer


def _check_finite(name: str, values: ArrayLike, epoch: int, recipe: Recipe) -> None:
    is_finite = np.isfinite(values)
    if not is_finite.all():
        raise DivergedError(
            f"training diverged in epoch {epoch} ({name} {np.extract(~is_finite, values)[0]}); lower the learning rate "
            f"from {recipe.optimizer.learning_rate}"
        )


def _merge_results(mean: EpochResult, done: int, result: EpochResult, count: int) -> EpochResult:
    """Update the `mean` over `done` images by the `result` of `count` further ones."""
    if not done:  # the formula's rounding would change the published bits of data sets that fit into a single pool
        return result
    share = count / (done + count)
    return EpochResult(
        mean.loss + share * (result.loss - mean.loss), mean.accuracy + share * (result.accuracy - mean.accuracy)
    )


def _make_listener(on_progress: OnProgress, epoch: int, done: int, mean: EpochResult) -> Progress:
    """Make a listener for a pool that reports means since the beginning of the epoch; `mean` is over `done` images."""

    def progress(count: int, loss: float, accuracy: float) -> None:
        # `count` is the engine's, which counts from the beginning of the pool.
        epoch_mean = _merge_results(mean, done, EpochResult(loss, accuracy), count)
        on_progress(epoch, done + count, epoch_mean.loss, epoch_mean.accuracy)

    return progress
