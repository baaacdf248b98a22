"""`CNNClassifier`: convscope's training as a scikit-learn classifier.

It only converts numbers to images (`image_rows` and `pixel_range` of `convscope.data.datasets`) and labels to indices
of `classes_`; `convscope.training.train` does the rest.
"""

# ruff: noqa: N803  (X is scikit-learn's name)

import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from operator import index
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin  # type: ignore[import-untyped]
from sklearn.utils import check_random_state, compute_class_weight  # type: ignore[import-untyped]
from sklearn.utils.multiclass import check_classification_targets  # type: ignore[import-untyped]
from sklearn.utils.validation import check_array, check_is_fitted, validate_data  # type: ignore[import-untyped]

from convscope.architecture import Architecture
from convscope.architecture.presets import network_for
from convscope.base.arguments import check_seed
from convscope.classifier.architectures import ARCHITECTURES
from convscope.data.datasets import Dataset
from convscope.data.datasets.arrays import class_name
from convscope.data.datasets.image_rows import ImageShape, as_rows, image_shape_of
from convscope.data.datasets.pixel_range import PixelRange, learn_range
from convscope.recipes import AUTO, Recipe, recipe_named, thorough
from convscope.training import History, default_recipe, hold_out, train
from convscope.training.automatic import choose_training
from convscope.training.model import Model

_MIN_STEPS = 500  # ten epochs of 1,300 images are 110 steps, too few to train a network
_MIN_MACS = 10_000_000  # multiply-adds of a batch's forward pass; with fewer, threads wait more than they work


class CNNClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """A small convolutional network as a scikit-learn classifier, trained on the CPU by convscope's engine.

    X holds images: (N, H, W, C), (N, H, W), or rows (N, F). Rows of a square number of numbers are square images, and
    others are images of height 1, which a dense network reads; `image_shape` overrides both. The model reads bytes.
    uint8 is taken as it is. Other numbers become the nearest of 256 levels by a range that `fit` learns and keeps, and
    are clipped to it: a range for each column if X has two dimensions, else for each channel (see
    `convscope.data.datasets.pixel_range.learn_range`).

    With the same `random_state` and the same data, `fit` gives the same bits, however many threads run.

    >>> from sklearn.datasets import load_digits
    >>> from convscope import CNNClassifier
    >>> X, y = load_digits(return_X_y=True)
    >>> classifier = CNNClassifier(random_state=0, epochs=5).fit(X[:1000], y[:1000])
    >>> classifier.model_.name, classifier.image_shape_, bool(classifier.score(X[1000:], y[1000:]) > 0.8)
    ('small_cnn', (8, 8, 1), True)

    Args:
        architecture: "auto" (by the size of the images, see `convscope.classifier.architectures`), a preset's name, an
            `Architecture`, or a function of the images' shape (H, W, C) and the number of classes.
        recipe: the name of a recipe, or a `Recipe`; None is the preset's own, or `classic`. With "auto", `fit` tries
            recipes on held-out images first, and also networks if the architecture is "auto": about half a minute.
        epochs: by default those of a `Recipe`; for a recipe's name the same, but at least 500 steps.
        batch_size, learning_rate, validation_fraction: replace the recipe's. Validation images are not trained on, but
            measured after each epoch: `val_loss` and `val_accuracy` of `history_`.
        class_weight: factor for the loss of each class's images: a dict by label, with 1 for missing labels;
            "balanced", N / (K n) for a class of n of the N images; None, the recipe's.
        image_shape: (H, W) or (H, W, C) of an image; None as above.
        threads: number of threads; None is as many as the process may run on, or as joblib gives its workers.
        random_state: a whole number is the seed of `convscope.train`, and gives the same weights; otherwise a seed is
            drawn from the `RandomState`, or from NumPy's global one for None.

    Attributes:
        classes_: (K,) the labels, sorted.
        model_: the trained `Model`, for the rest of convscope.
        history_: loss and accuracy of each epoch, as a `History`.
        n_iter_: number of epochs.
        image_shape_: (H, W, C).
        pixel_range_: the range by which numbers become pixels, as a `PixelRange`.
        n_features_in_, feature_names_in_: as in scikit-learn; H · W · C for images.
    """

    model_: Model
    history_: History
    classes_: NDArray[Any]
    image_shape_: ImageShape
    pixel_range_: PixelRange
    n_iter_: int
    n_features_in_: int

    def __init__(
        self,
        architecture: str | Architecture | Callable[[ImageShape, int], Architecture] = "auto",
        recipe: str | Recipe | None = None,
        *,
        epochs: int | None = None,
        batch_size: int | None = None,
        learning_rate: float | None = None,
        validation_fraction: float | None = None,
        class_weight: Mapping[Any, float] | str | None = None,
        image_shape: tuple[int, int] | ImageShape | None = None,
        threads: int | None = None,
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        # scikit-learn's rule: parameters are stored unchanged and checked in `fit`, so that `clone` and `set_params`
        # work.
        self.architecture = architecture
        self.recipe = recipe
        self.epochs = epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.validation_fraction = validation_fraction
        self.class_weight = class_weight
        self.image_shape = image_shape
        self.threads = threads
        self.random_state = random_state

    def fit(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> "CNNClassifier":
        """Train a network from the start.

        Args:
            X: (N, F), (N, H, W) or (N, H, W, C) finite numbers, an image each.
            y: (N,) labels of at least two classes.
            sample_weight: (N,) numbers from 0, not all zero: factors of the images' losses, multiplied by those of
                `class_weight`; None for ones. Validation images are measured without them.

        Raises:
            ValueError: if X is sparse, not finite or not of `image_shape`; if y holds one class only, or numbers that
                are no classes; if a weight is not finite or negative; if a parameter is out of its range.
            TypeError: if a parameter is of a wrong type.
        """
        rows, shown = as_rows(X)
        # scikit-learn's function checks the rows, counts features and stores `n_features_in_`.
        rows, y = validate_data(self, rows, y)
        check_classification_targets(y)
        classes, labels = np.unique(y, return_inverse=True)
        if len(classes) < 2:
            raise ValueError(f"y holds one class only, {classes.tolist()[0]!r}; a classifier needs at least two")
        image_shape = image_shape_of(rows.shape[1], shown, self.image_shape)
        pixel_range = learn_range(rows, None if shown is None else image_shape[2])
        architecture = network_for(self.architecture, image_shape, len(classes), ARCHITECTURES)
        seed = _choose_seed(self.random_state)
        images = pixel_range.to_bytes(rows).reshape(-1, *image_shape)
        names = tuple(map(class_name, classes.tolist()))
        weights = _check_weights(sample_weight, len(rows))
        data = Dataset(images, labels.astype(np.int64), names, "X", weights=weights)
        recipe = self._make_recipe(self._find_recipe(architecture), data, classes)
        if self._is_automatic:
            hold_out(data, recipe, seed)  # errors are raised before the trials, which take half a minute
            network = None if self.architecture == "auto" else architecture
            threads = _choose_threads(self.threads, architecture, min(len(data), recipe.batch_size))
            choice = choose_training(data, network, seed=seed, threads=threads)
            architecture = choice.architecture
            recipe = self._make_recipe(choice.recipe, data, classes)
        threads = _choose_threads(self.threads, architecture, min(len(data), recipe.batch_size))
        # All fitted attributes at once, so that a failed call leaves those of the last one.
        self.model_, self.history_ = train(architecture, data, recipe, seed=seed, threads=threads)
        self.classes_, self.image_shape_ = classes, image_shape
        self.pixel_range_, self.n_iter_ = pixel_range, len(self.history_)
        return self

    def predict(self, X: ArrayLike) -> NDArray[Any]:
        """Predict the label (N,) of each image of X, which is as in `fit`.

        Raises:
            NotFittedError: before `fit`.
            ValueError: if X is not finite, or not of the size that was trained on.
        """
        images = self._to_images(X)
        return self.classes_[self.model_.predict(images)]

    def predict_proba(self, X: ArrayLike) -> NDArray[np.float64]:
        """Compute probabilities (N, K), the softmax of the logits; raises as `predict` does."""
        images = self._to_images(X)
        return self.model_.probabilities(images)

    def decision_function(self, X: ArrayLike) -> NDArray[np.float64]:
        """Compute the logits (N, K); for two classes (N,), the second's less the first's, as in scikit-learn.

        Raises as `predict` does.
        """
        images = self._to_images(X)
        logits = self.model_.logits(images).astype(np.float64)
        return logits[:, 1] - logits[:, 0] if len(self.classes_) == 2 else logits

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "model_")

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        # Images may come as (N, H, W) and (N, H, W, C), and not only as rows.
        tags.input_tags.three_d_array = True
        return tags

    # --- The input ----------------------------------------------------------------------------------------------------

    def _to_images(self, X: Any) -> NDArray[np.uint8]:
        """Convert X to the bytes (N, H, W, C) that the model reads."""
        check_is_fitted(self)
        rows, shown = as_rows(X)
        rows = validate_data(self, rows, reset=False)
        if shown is not None and shown != self.image_shape_:
            raise ValueError(f"the images in X are {shown}, but CNNClassifier was trained on {self.image_shape_}")
        return self.pixel_range_.to_bytes(rows).reshape(-1, *self.image_shape_)

    # --- Training -----------------------------------------------------------------------------------------------------

    @property
    def _is_automatic(self) -> bool:
        return isinstance(self.recipe, str) and self.recipe == AUTO

    def _find_recipe(self, architecture: Architecture) -> Recipe:
        """Find the recipe to which the parameters apply; until `auto` has chosen, it is `thorough`."""
        if self._is_automatic:
            return thorough
        return default_recipe(architecture) if self.recipe is None else recipe_named(self.recipe)

    def _make_recipe(self, recipe: Recipe, data: Dataset, classes: NDArray[Any]) -> Recipe:
        """Apply the parameters to the recipe that is named or chosen."""
        changes: dict[str, Any] = {}
        if self.batch_size is not None:
            changes["batch_size"] = index(self.batch_size)
        if self.learning_rate is not None:
            changes["optimizer"] = replace(recipe.optimizer, learning_rate=float(self.learning_rate))
        if self.validation_fraction is not None:
            changes["validation_fraction"] = float(self.validation_fraction)
        if self.class_weight is not None and not isinstance(self.class_weight, Mapping | str):
            raise ValueError(f"class_weight is {self.class_weight!r}; it must be a dict, 'balanced' or None")
        if isinstance(self.class_weight, Mapping):
            # It also checks that the dict fits the classes.
            weights = compute_class_weight(dict(self.class_weight), classes=classes, y=classes)
            changes["class_weights"] = tuple(weights.tolist())
        elif self.class_weight is not None:
            changes["class_weights"] = self.class_weight
        recipe = replace(recipe, **changes)
        epochs = recipe.epochs
        if self.epochs is not None:
            epochs = index(self.epochs)
        # A recipe that the user made has the number of epochs that the user wants, and `auto` chooses it by trials.
        elif not isinstance(self.recipe, Recipe) and not self._is_automatic:
            steps = -(-len(data) // recipe.batch_size)
            epochs = max(epochs, -(-_MIN_STEPS // steps))
        return replace(recipe, epochs=epochs)


def _check_weights(sample_weight: ArrayLike | None, num_images: int) -> NDArray[np.float32] | None:
    """Convert sample weights, a number for each image or one for all, to an array (N,)."""
    if sample_weight is None:
        return None
    numbers = np.full(num_images, sample_weight) if np.isscalar(sample_weight) else sample_weight
    rules = {"dtype": np.float32, "ensure_2d": False, "ensure_non_negative": True}
    weights = check_array(numbers, **rules, input_name="sample_weight")
    if weights.shape != (num_images,):
        raise ValueError(f"sample_weight has shape {weights.shape}; it must be ({num_images},), one number per image")
    return np.asarray(weights)


def _choose_seed(random_state: Any) -> int:
    """Take a whole number as the seed, and draw one from anything else that scikit-learn accepts."""
    generator = check_random_state(random_state)
    if isinstance(random_state, int | np.integer):
        return check_seed(random_state, "random_state")
    # A RandomState is advanced by this, so that two fits with it differ.
    return int(generator.randint(2**31))


def _choose_threads(threads: int | None, architecture: Architecture, batch_size: int) -> int | None:
    """Choose the number of threads: the user's, one for small networks, or OMP_NUM_THREADS.

    None is one for each core of the process.
    """
    if threads is not None:
        return index(threads)
    if architecture.macs * batch_size < _MIN_MACS:
        return 1
    # joblib sets it to divide the cores among its workers.
    share = os.environ.get("OMP_NUM_THREADS", "")
    return int(share) if share.isdigit() and int(share) > 0 else None
