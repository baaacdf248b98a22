"""Checks before a training, and its division of the images into those to train on and those to measure.

With a `validation_fraction` of 0.1, MNIST's 60,000 training images are 54,000 to train on and 6,000 that are measured
after each epoch. With 0, all are trained on, and the 10,000 test images are measured.
"""

import numpy as np
from numpy.typing import NDArray

from convscope.architecture import Architecture
from convscope.architecture.presets import preset_of
from convscope.base.errors import ArchitectureError, DatasetError, RecipeError
from convscope.data.datasets import Dataset, Splits
from convscope.recipes import RECIPES, Recipe, classic


def hold_out(
    data: Splits | Dataset,
    recipe: Recipe,
    seed: int,
    validation: Dataset | None = None,
    unseen: NDArray[np.bool_] | None = None,
) -> tuple[Dataset, Dataset | None]:
    """Divide the data into the images that `train` trains on and those it measures after each epoch, if any.

    Held-out images are drawn from each class by the stream "split" of the seed, among those that `unseen` (N,) marks:
    those that the network from which the training starts was not trained on.

    Raises:
        RecipeError, ValueError: as `train` does.
    """
    dataset = data.train if isinstance(data, Splits) else data
    if recipe.validation_fraction > 0:
        if validation is not None:
            raise ValueError(
                f"validation is given, but the recipe's validation_fraction is {recipe.validation_fraction}; set it to "
                "0 or omit validation"
            )
        return _divide(dataset, recipe.validation_fraction, seed, unseen)
    # Without validation images the test images are measured after each epoch, but nothing is chosen by them.
    if validation is None and isinstance(data, Splits):
        validation = data.test
    if recipe.early_stopping is not None and (validation is None or validation.split == "test"):
        raise RecipeError(
            "recipe: early_stopping needs validation images, because the test images must not be used for choices; set "
            "validation_fraction to a number such as 0.1"
        )
    _check_weights(dataset)
    return dataset, validation


def _check_weights(dataset: Dataset) -> None:
    if dataset.weights is not None and not dataset.weights.any():
        raise ValueError(
            f"the weights of all {len(dataset):,} training images of {dataset.name} are zero; give some a larger weight"
        )


def _divide(dataset: Dataset, fraction: float, seed: int, unseen: NDArray[np.bool_] | None) -> tuple[Dataset, Dataset]:
    """Divide a data set into images to train on and the held-out `fraction` of each class."""
    subject = f"recipe: validation_fraction {fraction} of the {len(dataset)} images of {dataset.name}"
    try:
        kept, held_out = dataset.divide(fraction, seed, unseen)
    except ValueError as error:
        problem = "leaves none on one side; choose another or give more images"
        raise RecipeError(f"{subject} {problem if unseen is None or unseen.all() else error}") from error
    # A network that never sees a class never predicts it, and its loss on validation images is large.
    if (is_lost := (kept.class_counts == 0) & (dataset.class_counts > 0)).any():
        name = dataset.class_names[int(is_lost.argmax())]
        raise RecipeError(f"{subject} leaves no training image of class {name!r}; choose a smaller one")
    _check_weights(kept)
    return kept, held_out


def check_classes(dataset: Dataset) -> None:
    """Raise `DatasetError` if all images of `dataset` are of one class, so that there is nothing to learn."""
    counts = dataset.class_counts
    if np.count_nonzero(counts) == 1:
        name = dataset.class_names[int(counts.argmax())]
        raise DatasetError(
            f"{dataset.name}: all {len(dataset):,} training images are of class {name!r}; give images of two classes "
            "or more"
        )


def default_recipe(architecture: Architecture) -> Recipe:
    """Choose the recipe of a training that names none: a preset's own, or `classic`.

    >>> from convscope.architecture import presets
    >>> default_recipe(presets.tiny8k()).name, default_recipe(presets.cnn()).name
    ('tiny8k', 'classic')
    """
    # A preset's own recipe has the preset's name; `preset_of` is None for the architectures of users.
    return RECIPES.get(preset_of(architecture) or "", classic)


def check_recipe(recipe: Recipe, architecture: Architecture) -> None:
    """Raise `RecipeError` unless the recipe's class weights, if any, are as many as the network's outputs."""
    if isinstance(recipe.class_weights, tuple) and len(recipe.class_weights) != architecture.num_classes:
        raise RecipeError(
            f"the recipe has {len(recipe.class_weights)} class weights, but architecture {architecture.name} has "
            f"{architecture.num_classes} outputs; give one weight per class"
        )


def check_fit(architecture: Architecture, dataset: Dataset | None) -> None:
    """Raise `ArchitectureError` unless the images and classes of `dataset`, if any, fit `architecture`."""
    if dataset is None:
        return
    if dataset.image_shape != architecture.input.shape:
        raise ArchitectureError(
            f"the {dataset.split} images of {dataset.name} are {' × '.join(map(str, dataset.image_shape))} "
            f"(height × width × channels), but architecture {architecture.name} reads "
            f"{' × '.join(map(str, architecture.input.shape))}"
        )
    if dataset.num_classes != architecture.num_classes:
        raise ArchitectureError(
            f"{dataset.name} has {dataset.num_classes} classes, "
            f"but architecture {architecture.name} has {architecture.num_classes} outputs"
        )
