"""How a network is trained: the recipe, and the recipes that come with convscope.

A recipe does not hold the seed: it is the same for every run of an experiment.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from math import isfinite
from typing import Any

from convscope.errors import RecipeError
from convscope.plain import from_plain


@dataclass(frozen=True)
class Adam:
    """Adam as Keras computes it: the bias correction folded into the step size, epsilon outside the root.

    Source: Kingma and Ba 2015, the variant before section 2.1's end ("epsilon hat").
    """

    learning_rate: float = 1e-3
    beta_1: float = 0.9
    beta_2: float = 0.999
    epsilon: float = 1e-7

    def __post_init__(self) -> None:
        _check_range("learning_rate", self.learning_rate, 0, 1, open_below=True)
        _check_range("beta_1", self.beta_1, 0, 1, open_above=True)
        _check_range("beta_2", self.beta_2, 0, 1, open_above=True)
        _check_range("epsilon", self.epsilon, 0, 1, open_below=True)


@dataclass(frozen=True)
class Recipe:
    """Everything about training that is not the data, the network or the seed.

    Weights start Glorot-uniform and biases at zero; the loss is the cross-entropy of the labels; each epoch sees every
    image once in a fresh order, and the last batch may be short.

    Raises:
        RecipeError: for a value out of its range.
    """

    epochs: int = 10
    batch_size: int = 128
    optimizer: Adam = field(default_factory=Adam)
    name: str = field(default="custom", compare=False)

    def __post_init__(self) -> None:
        for name, most in (("epochs", 100_000), ("batch_size", 65_536)):
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= most:
                raise RecipeError(f"recipe: {name} is {value!r}; it must be a whole number from 1 to {most:,}")
        if not isinstance(self.name, str):
            raise RecipeError(f"recipe: name is {self.name!r}; it must be a string")

    def to_dict(self) -> dict[str, Any]:
        """Return the recipe as plain JSON, `name` first."""
        values = asdict(self)
        return {"name": values.pop("name"), **values}

    @classmethod
    def from_dict(cls, value: Any) -> "Recipe":
        """Return the recipe that `to_dict` wrote; what is not given has its default.

        Raises:
            RecipeError: if anything in it is unknown or out of range.
        """
        if isinstance(value, Mapping) and "optimizer" in value:
            value = {**value, "optimizer": from_plain(Adam, value["optimizer"], "optimizer", RecipeError)}
        return from_plain(cls, value, "recipe", RecipeError)


def _check_range(
    name: str, value: Any, low: float, high: float, *, open_below: bool = False, open_above: bool = False
) -> None:
    good = isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value)
    if not good or not low <= value <= high or (open_below and value == low) or (open_above and value == high):
        interval = f"{'above' if open_below else 'from'} {low} {'and below' if open_above else 'to'} {high}"
        raise RecipeError(f"recipe: {name} is {value!r}; it must be a number {interval}")


classic = Recipe(name="classic")
"""The notebook's recipe, which is Keras's defaults: Adam at 1e-3, batches of 128, ten epochs."""

RECIPES = {"classic": classic}
