"""Train a network: from an architecture, images and a recipe to a `Model` and its `History`.

Nothing here touches a disk or a terminal. Whoever wants to show progress or keep a checkpoint passes a function.
"""

from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass, field, replace
from math import isfinite
from time import perf_counter
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from convscope import metrics
from convscope.architecture import Architecture
from convscope.datasets import Dataset, Splits
from convscope.datasets.disk.pools import epoch_pools
from convscope.engine import EngineName, EpochOptions, EpochResult, Network, Progress, initial_weights, open_network
from convscope.errors import ArchitectureError, DatasetError, DivergedError, RecipeError
from convscope.model import Model
from convscope.recipes import Recipe, Schedule, classic
from convscope.streams import stream_key
from convscope.tables import html_table, text_table

_COLUMNS = ("loss", "accuracy", "val_loss", "val_accuracy", "seconds")


@dataclass(frozen=True)
class History:
    """What was measured in each epoch, one value an epoch.

    Attributes:
        loss, accuracy: means over the training images, each measured just before the step that its batch caused.
        val_loss, val_accuracy: over the images kept for measuring, with the weights at the end of the epoch; empty when
            there are none.
        seconds: of training; measuring is not counted.
        val_split: which images the `val_` columns are of.
        best_epoch: the epoch, from 1, whose weights early stopping gave to the model, or would if it ended here; None
            where nothing is chosen and the model has those of the last epoch.

    Raises:
        ValueError: if the lengths differ, a value is not finite, or there is no such epoch.
    """

    loss: tuple[float, ...] = ()
    accuracy: tuple[float, ...] = ()
    val_loss: tuple[float, ...] = ()
    val_accuracy: tuple[float, ...] = ()
    seconds: tuple[float, ...] = ()
    val_split: Literal["validation", "test"] = "test"
    best_epoch: int | None = None

    def __post_init__(self) -> None:
        for name in _COLUMNS:
            values = getattr(self, name)
            missing = name.startswith("val_") and not self.val_loss and not self.val_accuracy
            if len(values) != len(self.loss) and not missing:
                raise ValueError(f"history has {len(self.loss)} losses but {len(values)} values of {name}")
            if not all(isfinite(value) for value in values):
                raise ValueError(f"history's {name} holds a value that is not finite: {values}")
        if self.best_epoch is not None and not 1 <= self.best_epoch <= len(self):
            raise ValueError(f"best_epoch is {self.best_epoch}, but history has epochs 1 to {len(self)}")

    def __len__(self) -> int:
        return len(self.loss)

    def rows(self) -> list[dict[str, float]]:
        """Return one plain dict an epoch, `epoch` counted from 1."""
        columns = [name for name in _COLUMNS if getattr(self, name) or not name.startswith("val_")]
        return [{"epoch": i + 1, **{name: getattr(self, name)[i] for name in columns}} for i in range(len(self))]

    @classmethod
    def from_rows(cls, rows: list[dict[str, float]]) -> "History":
        """Return the history that `rows` wrote, of test images and without a best epoch, which the rows do not hold.

        Raises:
            KeyError: if a column is missing.
        """
        columns = [name for name in _COLUMNS if not rows or name in rows[0] or not name.startswith("val_")]
        values: dict[str, Any] = {name: tuple(float(row[name]) for row in rows) for name in columns}
        return cls(**values)

    def to_dict(self) -> dict[str, Any]:
        columns = {name: list(getattr(self, name)) for name in _COLUMNS}
        return {**columns, "val_split": self.val_split, "best_epoch": self.best_epoch}

    @classmethod
    def from_dict(cls, value: Mapping[str, Any]) -> "History":
        """Return the history that `to_dict` wrote."""
        values: dict[str, Any] = dict(value)
        return cls(**values | {name: tuple(values[name]) for name in _COLUMNS})

    def __str__(self) -> str:
        return text_table(*self._table())

    def _repr_html_(self) -> str:
        return html_table(*self._table())

    def _table(self) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
        names = [name for name in _COLUMNS if getattr(self, name) or not name.startswith("val_")]
        digits = [2 if name == "seconds" else 4 for name in names]
        rows = [
            (
                f"{row['epoch']}{' (best)' if row['epoch'] == self.best_epoch else ''}",
                *(f"{row[name]:.{places}f}" for name, places in zip(names, digits, strict=True)),
            )
            for row in self.rows()
        ]
        return ("epoch", *names), rows


@dataclass(frozen=True, eq=False)
class TrainingState:
    """All that training needs to go on from the end of an epoch, to the same bits as if it had never stopped.

    Attributes:
        weights: float32 arrays by name; the averages where the recipe says so.
        optimizer: what the optimizer remembers, as the engine's `optimizer_state` gives it.
        history: of the epochs so far; its length is the number of epochs done.
        best_weights: those after `history.best_epoch`; empty where there is none.
    """

    weights: Mapping[str, NDArray[np.float32]]
    optimizer: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    history: History = field(default_factory=History)
    best_weights: Mapping[str, NDArray[np.float32]] = field(default_factory=dict)


OnProgress = Callable[[int, int, float, float], None]
OnEpoch = Callable[[TrainingState], None]
ArchitectureFor = Callable[[tuple[int, int, int], int], Architecture]


def train(
    architecture: Architecture | ArchitectureFor,
    data: Splits | Dataset,
    recipe: Recipe = classic,
    *,
    seed: int = 0,
    validation: Dataset | None = None,
    engine: EngineName = "native",
    threads: int | None = None,
    state: TrainingState | None = None,
    unseen: NDArray[np.bool_] | None = None,
    on_progress: OnProgress | None = None,
    on_epoch: OnEpoch | None = None,
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
        architecture: the network, or a preset: a function of the images' shape (H, W, C) and the number of classes.
        data: what to train on. Of `Splits`, the training images are trained on. With `recipe.validation_fraction`, that
            fraction of them is held out and measured after each epoch, as the `val_` columns of the history, and
            the test images are not looked at; without it, the test images are measured.
        validation: images to measure after each epoch, in place of the above.
        threads: see `open_network`; the result is the same bits for any number.
        unseen: (N,), which training images may be held out; by default all. Where `state` comes from another network,
            those that it was not trained on.
        on_progress: called within an epoch with (epoch from 1, images done, mean loss, mean accuracy).
        on_epoch: called with the state after each epoch, and first with the untrained one (a history of length 0).

    Raises:
        ArchitectureError: if the images or the classes are not those that the architecture is for.
        DivergedError: if a loss stops being finite; what `on_epoch` was given last can be gone on from.
        RecipeError: if the recipe has class weights for other classes, there are too few
            images to hold some out, early stopping would have none but test images to choose by, or the engine cannot
            compute in the recipe's precision here.
        ValueError: if `validation` is given and the recipe holds images out itself, or `state` lacks the best weights.
        KeyboardInterrupt: within a second of Ctrl-C; what `on_epoch` was given last can be gone on from.
    """
    dataset, validation = hold_out(data, recipe, seed, validation, unseen)
    if not isinstance(architecture, Architecture):
        architecture = architecture(dataset.image_shape, dataset.num_classes)
    for images in (dataset, validation):
        check_fit(architecture, images)
    check_recipe(recipe, architecture)
    if state is None:
        state = TrainingState(initial_weights(architecture, seed))
        if on_epoch is not None:
            on_epoch(state)
    network = open_network(architecture, state.weights, engine, threads, recipe.precision)
    if state.optimizer:
        network.set_optimizer_state(state.optimizer)
    weights, best_weights = state.weights, state.best_weights
    history = with_choice(state.history, recipe, "test" if validation is None else validation.split)
    if history.best_epoch is not None and not best_weights:
        raise ValueError(f"state has no best_weights, those after epoch {history.best_epoch}; start from the beginning")
    while len(history) < recipe.epochs and not _stops(recipe, history):
        rates = recipe.learning_rates(len(dataset))[len(history)]
        measured = _train_epoch(network, dataset, validation, recipe, seed, len(history) + 1, rates, on_progress)
        columns: dict[str, Any] = {name: (*getattr(history, name), *values) for name, values in measured.items()}
        history = with_choice(replace(history, **columns), recipe, history.val_split)
        weights = network.weights()
        if history.best_epoch == len(history):
            best_weights = weights
        if on_epoch is not None:
            on_epoch(TrainingState(weights, network.optimizer_state(), history, best_weights))
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
    model = Model(architecture, weights, dataset.class_names, provenance, handwriting=dataset.handwriting)
    return model, history


def train_pass(
    architecture: Architecture,
    dataset: Dataset,
    recipe: Recipe,
    state: TrainingState,
    *,
    seed: int = 0,
    threads: int | None = None,
) -> TrainingState:
    """Train one pass over `dataset` from `state`, in a training whose end and further images nobody knows yet.

    So the learning rate is the optimizer's own, and the recipe's schedule, epochs, validation and early stopping have
    no say. n passes over the same images are n epochs of `train` with a constant rate, bit for bit.

    Raises:
        ArchitectureError, RecipeError: as `train` does.
    """
    check_fit(architecture, dataset)
    check_recipe(recipe, architecture)
    network = open_network(architecture, state.weights, threads=threads, precision=recipe.precision)
    if state.optimizer:
        network.set_optimizer_state(state.optimizer)
    rates = replace(recipe, epochs=1, schedule=Schedule()).learning_rates(len(dataset))[0]
    measured = _train_epoch(network, dataset, None, recipe, seed, len(state.history) + 1, rates)
    columns: dict[str, Any] = {name: (*getattr(state.history, name), *values) for name, values in measured.items()}
    return TrainingState(network.weights(), network.optimizer_state(), History(**columns))


def hold_out(
    data: Splits | Dataset,
    recipe: Recipe,
    seed: int,
    validation: Dataset | None = None,
    unseen: NDArray[np.bool_] | None = None,
) -> tuple[Dataset, Dataset | None]:
    """Return what `train` with these arguments trains on, and what it measures after each epoch, if anything.

    The images held out are drawn from each class by the stream "split" of the seed, from those that are `unseen`.

    Raises:
        RecipeError, ValueError: as `train` does.
    """
    dataset = data.train if isinstance(data, Splits) else data
    if recipe.validation_fraction > 0:
        if validation is not None:
            raise ValueError(
                f"validation is given, but the recipe's validation_fraction is {recipe.validation_fraction}; "
                "set that to 0 or give no validation"
            )
        which = (
            f"recipe: validation_fraction {recipe.validation_fraction} of the {len(dataset)} images of {dataset.name}"
        )
        try:
            kept, held_out = dataset.divide(recipe.validation_fraction, seed, unseen)
        except ValueError as error:
            why = "leaves none on one side; choose another or give more images"
            raise RecipeError(f"{which} {why if unseen is None or unseen.all() else error}") from error
        if (lost := (kept.class_counts == 0) & (dataset.class_counts > 0)).any():
            name = dataset.class_names[int(lost.argmax())]
            raise RecipeError(f"{which} leaves none of class {name!r} to train on; choose a smaller one")
        return kept, held_out
    if validation is None and isinstance(data, Splits):
        validation = data.test
    if recipe.early_stopping is not None and (validation is None or validation.split == "test"):
        raise RecipeError(
            "recipe: early_stopping needs validation images, since test images must not choose; "
            "set validation_fraction to a number such as 0.1"
        )
    return dataset, validation


def with_choice(history: History, recipe: Recipe, split: str) -> History:
    """Return `history` with the best epoch by `recipe`, if that chooses one, after measuring images of `split`."""
    stopping = recipe.early_stopping
    best = 0
    if stopping is not None and stopping.restore_best_weights:
        best = stopping.best_epoch(getattr(history, stopping.monitor))
    return replace(history, val_split="test" if split == "test" else "validation", best_epoch=best or None)


def describe_choice(history: History, recipe: Recipe) -> str:
    """Return after which epoch a training ended and which epoch's weights it took; "" without early stopping."""
    stopping, done = recipe.early_stopping, len(history)
    if stopping is None:
        return ""
    ended = f"all {done} epochs trained"
    if done < recipe.epochs:
        waited = "1 epoch" if stopping.patience == 1 else f"{stopping.patience} epochs"
        ended = f"stopped after epoch {done} of {recipe.epochs}, {waited} without a better {stopping.monitor}"
    return f"{ended}; weights of epoch {history.best_epoch or done}"


def _stops(recipe: Recipe, history: History) -> bool:
    stopping = recipe.early_stopping
    return stopping is not None and stopping.stops(getattr(history, stopping.monitor))


def _train_epoch(
    network: Network,
    dataset: Dataset,
    validation: Dataset | None,
    recipe: Recipe,
    seed: int,
    epoch: int,
    rates: NDArray[np.float32],
    on_progress: OnProgress | None = None,
) -> dict[str, tuple[float, ...]]:
    """Train one epoch, at a learning rate a step, and return its line of the history."""
    options = EpochOptions(
        optimizer=recipe.optimizer,
        label_smoothing=recipe.label_smoothing,
        class_weights=recipe.class_weights_for(dataset.class_counts),
        augmentation=recipe.augmentation,
        clip_norm=recipe.clip_norm,
        averaging=recipe.averaging,
    )
    result, done, step = EpochResult(0.0, 0.0), 0, 0
    start = perf_counter()
    with closing(epoch_pools(dataset, recipe.batch_size, seed, epoch)) as pools:
        for pool in pools:
            steps = -(-len(pool.order) // recipe.batch_size)
            of_pool = network.train_epoch(
                pool.dataset,
                order=pool.order,
                batch_size=recipe.batch_size,
                learning_rates=rates[step : step + steps],
                options=replace(
                    options,
                    augmentation_key=stream_key(seed, f"augment{pool.suffix}", epoch),
                    dropout_key=stream_key(seed, f"dropout{pool.suffix}", epoch),
                ),
                progress=None if on_progress is None else _progress_after(on_progress, epoch, done, result),
            )
            result, done, step = _joined(result, done, of_pool, len(pool.order)), done + len(pool.order), step + steps
    seconds = perf_counter() - start
    _check_finite("loss", result.loss, epoch, recipe)
    measured: dict[str, tuple[float, ...]] = {
        "loss": (result.loss,),
        "accuracy": (result.accuracy,),
        "seconds": (seconds,),
    }
    if validation is not None:
        logits = network.logits(validation.images)
        with np.errstate(invalid="ignore", over="ignore"):
            measured["val_loss"] = (metrics.cross_entropy(logits, validation.labels),)
        _check_finite("val_loss", measured["val_loss"][0], epoch, recipe)
        measured["val_accuracy"] = (metrics.accuracy(validation.labels, logits.argmax(axis=1)),)
    return measured


def _check_finite(name: str, value: float, epoch: int, recipe: Recipe) -> None:
    if not isfinite(value):
        raise DivergedError(
            f"training diverged in epoch {epoch} ({name} {value}); lower the learning rate, "
            f"now {recipe.optimizer.learning_rate}"
        )


def _joined(before: EpochResult, done: int, result: EpochResult, count: int) -> EpochResult:
    """Return the means over `done` images and `count` further ones; those of the latter alone bit for bit."""
    if not done:
        return result
    share = count / (done + count)
    return EpochResult(
        before.loss + share * (result.loss - before.loss),
        before.accuracy + share * (result.accuracy - before.accuracy),
    )


def _progress_after(on_progress: OnProgress, epoch: int, done: int, before: EpochResult) -> Progress:
    """Return what tells `on_progress` of the whole epoch so far, when `done` images came before."""

    def progress(count: int, loss: float, accuracy: float) -> None:
        so_far = _joined(before, done, EpochResult(loss, accuracy), count)
        on_progress(epoch, done + count, so_far.loss, so_far.accuracy)

    return progress


def check_classes(dataset: Dataset) -> None:
    """Raise `DatasetError` if all images of `dataset` are of one class, so that there is nothing to learn."""
    counts = dataset.class_counts
    if np.count_nonzero(counts) == 1:
        name = dataset.class_names[int(counts.argmax())]
        raise DatasetError(
            f"{dataset.name}: all {len(dataset):,} training images are of class {name!r}; give images of two classes "
            "or more"
        )


def check_recipe(recipe: Recipe, architecture: Architecture) -> None:
    """Raise `RecipeError` unless `recipe` is for as many classes as `architecture`."""
    if isinstance(recipe.class_weights, tuple) and len(recipe.class_weights) != architecture.num_classes:
        raise RecipeError(
            f"the recipe has {len(recipe.class_weights)} class weights, "
            f"but architecture {architecture.name} has {architecture.num_classes} outputs; give a weight a class"
        )


def check_fit(architecture: Architecture, dataset: Dataset | None) -> None:
    """Raise `ArchitectureError` unless `architecture` is for images and classes like those of `dataset`, if any."""
    if dataset is None:
        return
    if dataset.image_shape != architecture.input.shape:
        raise ArchitectureError(
            f"the {dataset.split} images of {dataset.name} are {dataset.image_shape}, "
            f"but architecture {architecture.name} reads {architecture.input.shape}"
        )
    if dataset.num_classes != architecture.num_classes:
        raise ArchitectureError(
            f"{dataset.name} has {dataset.num_classes} classes, "
            f"but architecture {architecture.name} has {architecture.num_classes} outputs"
        )
