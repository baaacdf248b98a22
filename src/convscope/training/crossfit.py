"""Out-of-fold predictions for the training images: `crossfit` trains a sibling network for each fold.

The training images are dealt into folds; for each fold a sibling is trained on all the others and classifies that fold.
So every training image gets a prediction from a network that did not see it, as finding wrong labels, setting
thresholds and fitting a temperature require. The siblings saw a little less than the network itself. Nothing here looks
at test images.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from html import escape
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convscope.architecture.presets import AnyArchitecture
from convscope.base import metrics
from convscope.base.arguments import Seed, checked
from convscope.base.streams import random_stream
from convscope.base.tables import clip, html_table, percent_with_interval, printable, text_table
from convscope.data.datasets import Dataset, DatasetLike, as_dataset
from convscope.engine import open_network
from convscope.recipes import AnyRecipe, Recipe, recipe_named
from convscope.training import TrainingState, train
from convscope.training.model import Model

_MAX_FOLDS = 255  # the number of an image's fold is stored in one byte
_BATCH_IMAGES = 1000  # classified in one call, which bounds the float32 images in memory
_MAX_LISTED_CLASSES = 5  # classes that have a single image each; a headline that names more is too long to read
_HEADER = ("Fold", "Trained on", "Held out", "Right", "Accuracy and 95 % interval")

OnFold = Callable[[int, int], None]


@dataclass(frozen=True, eq=False)
class CrossFit:
    """Sibling networks, and the logits of each for the images it did not see.

    Attributes:
        dataset_name, dataset_sha256: those of the images that were dealt into folds.
        labels: (N,) uint8 or int64, those of the data set.
        logits: (N, K) float32, in the order of the data set, each row from the model that did not see the image.
        fold: (N,) uint8, the fold of each image: the index of the model that did not see it.
        models: one for each fold, trained on all the other folds.
        recipe: the recipe of the siblings.
        is_early_stopping_left_out: whether the network's recipe stops early; the siblings trained all epochs.
        unseen_labels: classes of a single image; the model that classifies it never saw the class.
    """

    dataset_name: str
    dataset_sha256: str
    class_names: tuple[str, ...]
    labels: NDArray[np.uint8] | NDArray[np.int64] = field(repr=False)
    logits: NDArray[np.float32] = field(repr=False)
    fold: NDArray[np.uint8] = field(repr=False)
    models: tuple[Model, ...] = field(repr=False)
    recipe: Recipe
    seed: int
    is_early_stopping_left_out: bool
    unseen_labels: tuple[int, ...]

    @property
    def num_folds(self) -> int:
        return len(self.models)

    @property
    def accuracy(self) -> float:
        """The fraction of the images that are classified correctly by the model that did not see them."""
        return metrics.accuracy(self.labels, self.logits.argmax(axis=1))

    def parts(self, dataset: Dataset) -> list[tuple[Model, Dataset, Dataset]]:
        """List for each fold its model, the images that it was trained on and the images of the fold, as data sets.

        Each data set is a copy, so all of them take as much room as `num_folds` times the images.

        Raises:
            ValueError: unless `dataset` is what `crossfit` was given, byte for byte.
        """
        if dataset.sha256 != self.dataset_sha256:
            raise ValueError(
                f"dataset has SHA-256 {dataset.sha256[:12]}; it must be the data set of these folds, "
                f"{self.dataset_sha256[:12]}"
            )
        return [(model, *_divide(dataset, self.fold, number)) for number, model in enumerate(self.models)]

    def to_dict(self) -> dict[str, Any]:
        """Convert settings and accuracies to plain JSON, without logits and models."""
        return {
            "dataset": self.dataset_name,
            "num_images": len(self.labels),
            "seed": self.seed,
            "recipe": self.recipe.to_dict(),
            "is_early_stopping_left_out": self.is_early_stopping_left_out,
            "unseen_labels": list(self.unseen_labels),
            "accuracy": self.accuracy,
            "accuracy_interval": list(metrics.wilson_interval(self._num_correct(), len(self.labels))),
            "folds": [
                {"num_images": images, "num_correct": num_correct, "accuracy": num_correct / images}
                for images, num_correct in self._counts()
            ],
        }

    def __str__(self) -> str:
        return f"{printable(self._headline())}\n\n{text_table(_HEADER, self._rows())}"

    def _repr_html_(self) -> str:
        return f"<p>{escape(self._headline())}</p>{html_table(_HEADER, self._rows())}"

    def _num_correct(self) -> int:
        return int((self.logits.argmax(axis=1) == self.labels).sum())

    def _counts(self) -> list[tuple[int, int]]:
        """Count (images, correct predictions) of each fold."""
        correct = self.logits.argmax(axis=1) == self.labels
        images = np.bincount(self.fold, minlength=self.num_folds)
        return list(
            zip(images.tolist(), np.bincount(self.fold[correct], minlength=self.num_folds).tolist(), strict=True)
        )

    def _headline(self) -> str:
        images = len(self.labels)
        accuracy = percent_with_interval(self.accuracy, metrics.wilson_interval(self._num_correct(), images))
        parts = [f"Out-of-fold accuracy on {images:,} training images of {self.dataset_name}: {accuracy}."]
        if self.is_early_stopping_left_out:
            parts.append(f"The models did not stop early: they trained all {self.recipe.epochs} epochs.")
        if self.unseen_labels:
            names = [clip(self.class_names[label], 24) for label in self.unseen_labels[:_MAX_LISTED_CLASSES]]
            more = "" if len(self.unseen_labels) <= _MAX_LISTED_CLASSES else ", ..."
            parts.append(
                f"{len(self.unseen_labels)} of the classes have one image each, so the model that classifies it never "
                f"saw the class: {', '.join(names)}{more}."
            )
        return " ".join(parts)

    def _rows(self) -> list[Sequence[str]]:
        return [
            (
                f"{number + 1}",
                f"{len(self.labels) - images:,}",
                f"{images:,}",
                f"{num_correct:,}",
                percent_with_interval(num_correct / images, metrics.wilson_interval(num_correct, images)),
            )
            for number, (images, num_correct) in enumerate(self._counts())
        ]


@checked
def crossfit(
    architecture: AnyArchitecture,
    dataset: DatasetLike,
    recipe: AnyRecipe,
    *,
    folds: int = 5,
    seed: Seed = 0,
    threads: int | None = None,
    state: TrainingState | None = None,
    on_fold: OnFold | None = None,
    folds_seed: Seed | None = None,
) -> CrossFit:
    """Train a sibling network on all but each fold of `dataset`, and classify that fold with it.

    The images of each class are dealt to the folds in turn, in an order drawn by the stream "folds" of the seed, so the
    folds differ by at most one image, in all and in each class. A class with fewer images than folds is in as many of
    them as it has images, and each sibling lacks at most one of these; the sibling that classifies the single image of
    a class never saw that class. Every sibling starts from the same weights, so two differ by their images alone.

    The siblings hold nothing out: a `validation_fraction` of the recipe becomes 0, and where it would stop early they
    train all its epochs.

    >>> import convscope as cs
    >>> from convscope.training.crossfit import crossfit
    >>> data = cs.load_dataset("mnist").train.take(range(300))
    >>> cross = crossfit(cs.presets.ann, data, cs.Recipe(epochs=1), folds=3, threads=1)
    >>> cross.logits.shape, [len(held_out) for _, _, held_out in cross.parts(data)]
    ((300, 10), [100, 100, 100])

    Args:
        architecture, dataset, recipe: as `train` takes them.
        folds: how many, 2 to 255; with fewer images than folds, each image is a fold.
        threads: see `open_network`; the result is the same bits for any number.
        state: what each sibling starts from, before its first epoch, in place of random weights. It must come from a
            network that was trained on none of these images, or the predictions are not out of fold.
        on_fold: called with (folds done, folds) after each.
        folds_seed: the seed of the folds, where networks of several seeds are to share them; by default `seed`.

    Raises:
        ValueError: if `folds` is out of its range or the data set has a single image.
        ArchitectureError, RecipeError: as `train` does.
    """
    dataset, recipe = as_dataset(dataset, "dataset"), recipe_named(recipe)
    if not 2 <= folds <= _MAX_FOLDS:
        raise ValueError(f"folds is {folds}; it must be from 2 to {_MAX_FOLDS}")
    if len(dataset) < 2:
        raise ValueError(f"{dataset.name} has {len(dataset)} image; folds need at least 2")
    folds = min(folds, len(dataset))
    fold = deal(dataset.labels, folds, seed if folds_seed is None else folds_seed)
    logits = np.empty((len(dataset), dataset.num_classes), np.float32)
    # Only the fold is held out. Early stopping would need further images: if it chose the epoch by those of the fold,
    # their predictions would not be those of a network that did not see them.
    siblings_recipe = replace(recipe, validation_fraction=0.0, early_stopping=None)
    models = list[Model]()
    for number in range(folds):
        trained_on, held_out = _divide(dataset, fold, number)
        # The same seed for all siblings: they differ in their images alone.
        model, _ = train(architecture, trained_on, siblings_recipe, seed=seed, threads=threads, state=state)
        # `_divide` keeps the order of the data set, so the rows fit the positions of the mask.
        logits[fold == number] = compute_logits(model, held_out.images, threads)
        models.append(model)
        if on_fold is not None:
            on_fold(number + 1, folds)
    return CrossFit(
        dataset_name=dataset.name,
        dataset_sha256=dataset.sha256,
        class_names=dataset.class_names,
        labels=dataset.labels,
        logits=logits,
        fold=fold,
        models=tuple(models),
        recipe=siblings_recipe,
        seed=seed,
        is_early_stopping_left_out=recipe.early_stopping is not None,
        # The only image of a class is in one fold, so the sibling of that fold never saw the class.
        unseen_labels=tuple(np.flatnonzero(dataset.class_counts == 1).tolist()),  # indices of classes
    )


def deal(labels: NDArray[np.integer[Any]], folds: int, seed: int) -> NDArray[np.uint8]:
    """Deal images to folds by their labels (N,): (N,) uint8, the fold of each image.

    >>> deal(np.array([0, 0, 0, 0, 1, 1]), 2, seed=0)[4:].sum()  # the two images of class 1: one in fold 0, one in 1
    np.uint64(1)
    """
    shuffled = random_stream(seed, "folds").permutation(len(labels))
    # All images of class 0, then those of class 1, ...; a stable sort keeps the random order within a class.
    by_class = shuffled[np.argsort(labels[shuffled], kind="stable")]
    fold = np.empty(len(labels), np.uint8)
    # 0, 1, ..., folds - 1, 0, 1, ... through all classes. Starting again at fold 0 in each class would give the first
    # folds the surplus images of all classes.
    fold[by_class] = np.arange(len(labels)) % folds
    return fold


def _divide(dataset: Dataset, fold: NDArray[np.uint8], number: int) -> tuple[Dataset, Dataset]:
    """Divide the images into those outside fold `number` and those in it, in the data set's order."""
    outside, inside = np.flatnonzero(fold != number), np.flatnonzero(fold == number)
    return dataset.take(outside, "train"), dataset.take(inside, "validation")


def compute_logits(model: Model, images: NDArray[np.uint8], threads: int | None) -> NDArray[np.float32]:
    """Compute logits (N, K) in blocks, so that images on disk need little memory."""
    network = open_network(model.architecture, model.weights, threads=threads)
    return np.concatenate(
        [network.logits(images[start : start + _BATCH_IMAGES]) for start in range(0, len(images), _BATCH_IMAGES)]
    )
