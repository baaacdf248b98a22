"""The recipe: all settings of a training but the seed, since the runs of an experiment share a recipe."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from convscope.base.arguments import check_name, check_range, check_whole, describe
from convscope.base.errors import RecipeError
from convscope.base.plain import from_plain
from convscope.recipes.augmentation import Augmentation
from convscope.recipes.early_stopping import EarlyStopping
from convscope.recipes.optimizers import OPTIMIZERS, Adam, Optimizer
from convscope.recipes.schedule import Schedule

Precision = Literal["float32", "bfloat16"]
PRECISIONS: tuple[Precision, ...] = get_args(Precision)
WeightBits = Literal[2, 4, 8]
WEIGHT_BITS: tuple[WeightBits, ...] = get_args(WeightBits)


# The parts of a recipe with their types, and how a user makes each.
_PARTS: tuple[tuple[str, Any, str], ...] = (
    ("optimizer", Optimizer, f"an {' or '.join(OPTIMIZERS)}, such as cs.Adam(learning_rate=0.001)"),
    ("schedule", Schedule, "a Schedule, such as cs.Schedule('cosine')"),
    ("augmentation", Augmentation, "an Augmentation, such as cs.Augmentation(shift=1)"),
    ("early_stopping", EarlyStopping | None, "an EarlyStopping, such as cs.EarlyStopping(patience=2), or None"),
)


def _read_optimizer(value: Any) -> Optimizer:
    """Read an optimizer that `to_dict` wrote; without `kind` it is Adam, which early recipes had alone."""
    settings = dict(value) if isinstance(value, Mapping) else value
    kind = settings.pop("kind", "Adam") if isinstance(settings, dict) else "Adam"
    if not isinstance(kind, str) or kind not in OPTIMIZERS:
        raise RecipeError(f"recipe: optimizer is of kind {kind!r}; it must be one of {', '.join(OPTIMIZERS)}")
    return from_plain(OPTIMIZERS[kind], settings, "optimizer", RecipeError)


@dataclass(frozen=True)
class Recipe:
    """Everything about training that is not the data, the network or the seed.

    Kernels start Glorot-uniform and biases at zero; the loss is the cross-entropy of the labels; each epoch sees every
    image once in a fresh order, and the last batch may be short.

    Attributes:
        schedule: how the optimizer's learning rate changes over the run.
        label_smoothing: ε, the share of a label that is spread evenly over all K classes before the loss is taken.
        class_weights: the factor of the loss of each class's images, a number for each class. "balanced" is N / (K n)
            for a class with n of the N training images, if K classes have any: so each class counts alike. None is 1
            for all.
        augmentation: random changes of the training images.
        clip_norm: the Euclidean norm to which a longer gradient, of all weights together, is shortened; None is no
            limit.
        averaging: β of a running average of all weights over the steps, which is then the model; 0 is no average.
        precision: the type to which the factors of products are rounded in training; sums, the optimizer's weights,
            activations and losses are float32 in any case. `bfloat16`, of 8 significant bits, needs a processor with
            instructions for it and the engine `native`; it is faster if these instructions are.
        weight_bits: the number of bits of each kernel weight (`Conv2D`, `DepthwiseConv2D`, `Dense`) in the trained
            model. Training rounds weights in every step: to 2^bits - 1 levels around zero, whose distance is chosen for
            each filter. The optimizer changes unrounded weights by the gradients of the rounded ones. Biases and batch
            normalisations stay float32; with None, all weights do.
        validation_fraction: the fraction of the training images of each class that is not trained on but measured
            after each epoch; 0 is none.
        early_stopping: when training stops before the last epoch, and whether it goes back to the best one; None is
            never. It needs validation images, and never sees test images. The schedule still extends over all `epochs`.

    Raises:
        RecipeError: for a value out of its range.
    """

    epochs: int = 10
    batch_size: int = 128
    optimizer: Optimizer = field(default_factory=Adam)
    name: str = field(default="custom", compare=False)
    schedule: Schedule = field(default_factory=Schedule, kw_only=True)
    label_smoothing: float = field(default=0.0, kw_only=True)
    class_weights: tuple[float, ...] | Literal["balanced"] | None = field(default=None, kw_only=True)
    augmentation: Augmentation = field(default_factory=Augmentation, kw_only=True)
    clip_norm: float | None = field(default=None, kw_only=True)
    averaging: float = field(default=0.0, kw_only=True)
    precision: Precision = field(default="float32", kw_only=True)
    weight_bits: WeightBits | None = field(default=None, kw_only=True)
    validation_fraction: float = field(default=0.0, kw_only=True)
    early_stopping: EarlyStopping | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        # JSON has lists; with a tuple the recipe is hashable.
        if isinstance(self.class_weights, list):
            object.__setattr__(self, "class_weights", tuple(self.class_weights))
        for name, kinds, rule in _PARTS:
            if not isinstance(getattr(self, name), kinds):
                raise RecipeError(f"recipe: {name} is {describe(getattr(self, name))}; it must be {rule}")
        check_whole("epochs", self.epochs, 1, 100_000)
        check_whole("batch_size", self.batch_size, 1, 65_536)
        check_range("label_smoothing", self.label_smoothing, 0, 1, open_above=True)
        check_range("averaging", self.averaging, 0, 1, open_above=True)
        check_range("validation_fraction", self.validation_fraction, 0, 1, open_above=True)
        if self.clip_norm is not None:
            check_range("clip_norm", self.clip_norm, 0, 1e6, open_below=True)
        if self.class_weights not in (None, "balanced"):
            if not isinstance(self.class_weights, tuple):
                raise RecipeError(
                    f"recipe: class_weights is {self.class_weights!r}; it must list one number per class, or be "
                    "'balanced'"
                )
            for weight in self.class_weights:
                check_range("class_weights", weight, 0, 1e6)
        if self.precision not in PRECISIONS:
            raise RecipeError(f"recipe: precision is {self.precision!r}; it must be one of {', '.join(PRECISIONS)}")
        if self.weight_bits is not None and (
            # 4.0 is in (2, 4, 8) too, and no number of bits.
            self.weight_bits not in WEIGHT_BITS or not isinstance(self.weight_bits, int)
        ):
            raise RecipeError(
                f"recipe: weight_bits is {self.weight_bits!r}; it must be one of "
                f"{', '.join(map(str, WEIGHT_BITS))}, or None"
            )
        check_name(self.name, "recipe: name", RecipeError)

    def learning_rates(self, num_images: int) -> NDArray[np.float32]:
        """Compute the learning rate (epochs, steps of an epoch) of each step of a run over `num_images` images.

        >>> recipe = Recipe(epochs=2, batch_size=50, schedule=Schedule("linear"))
        >>> (1000 * recipe.learning_rates(100)).round(2).tolist()
        [[1.0, 0.75], [0.5, 0.25]]
        """
        # The last batch of an epoch may be smaller.
        steps = -(-num_images // self.batch_size)
        factors = self.schedule.factors(self.epochs * steps)
        return (self.optimizer.learning_rate * factors).astype(np.float32).reshape(self.epochs, steps)

    def class_weights_for(self, class_counts: NDArray[np.int64]) -> tuple[float, ...] | None:
        """Compute the loss weight of each class from its number of training images (K,); None if all weights are 1.

        Source: the weights "balanced" are those of King and Zeng 2001, as scikit-learn computes them.

        >>> Recipe(class_weights="balanced").class_weights_for(np.array([90, 0, 10]))
        (0.5555555555555556, 1.0, 5.0)
        """
        if self.class_weights != "balanced":
            return self.class_weights
        # scikit-learn's "balanced": images / (classes · images of the class), over the classes that occur.
        share = class_counts.sum() / np.count_nonzero(class_counts)
        return tuple(float(share / count) if count else 1.0 for count in class_counts)

    def to_dict(self) -> dict[str, Any]:
        """Convert the recipe to plain JSON, `name` first."""
        values = asdict(self)
        # Adam and SGD share names of fields; `kind` tells them apart when read.
        values["optimizer"] = {"kind": type(self.optimizer).__name__, **values["optimizer"]}
        if isinstance(self.class_weights, tuple):
            values["class_weights"] = list(self.class_weights)
        return {"name": values.pop("name"), **values}

    @classmethod
    def from_dict(cls, value: Any) -> "Recipe":
        """Read a recipe that `to_dict` wrote; missing settings have their defaults.

        Raises:
            RecipeError: if anything in it is unknown or out of range.
        """
        if isinstance(value, Mapping):
            parts: dict[str, Any] = {}
            if "optimizer" in value:
                parts["optimizer"] = _read_optimizer(value["optimizer"])
            kinds = {"schedule": Schedule, "augmentation": Augmentation, "early_stopping": EarlyStopping}
            for name, kind in kinds.items():
                if name in value and (name != "early_stopping" or value[name] is not None):
                    parts[name] = from_plain(kind, value[name], name, RecipeError)
            value = {**value, **parts}
        return from_plain(cls, value, "recipe", RecipeError)
