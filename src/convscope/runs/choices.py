"""Resolve the architecture and the recipe that a caller names: a preset, a JSON file, or the value itself."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

from convscope.architecture import Architecture
from convscope.architecture.network import architecture_in
from convscope.architecture.presets import PRESETS, network_for, preset_of, widen
from convscope.base.errors import ArchitectureError, RecipeError
from convscope.base.files import open_file
from convscope.base.plain import parse_json
from convscope.base.spelling import did_you_mean, is_path
from convscope.recipes import AUTO, RECIPES, EarlyStopping, Precision, Recipe, recipe_named
from convscope.training import default_recipe

ArchitectureChoice = Annotated[
    str | Path | Architecture | Callable[[tuple[int, int, int], int], Architecture],
    "an Architecture, the name of a preset, a JSON file, or a function such as cs.presets.cnn",
]
RecipeChoice = Annotated[str | Path | Recipe, f"a Recipe, the name of one ({', '.join(RECIPES)}), or a JSON file"]

PRESET = "cnn"
"""The default architecture."""

_MAX_JSON_BYTES = 1 << 20  # limit for an architecture or recipe file; a real one has a few kB


@dataclass(frozen=True)
class RecipeChanges:
    """Changes of a recipe; None leaves a value unchanged.

    Attributes:
        learning_rate: that of the optimizer.
        patience: that of early stopping, which is added if the recipe has none.
        class_weights: "balanced" or "none".
    """

    epochs: int | None = None
    batch_size: int | None = None
    learning_rate: float | None = None
    validation_fraction: float | None = None
    patience: int | None = None
    precision: Precision | None = None
    class_weights: str | None = None

    @property
    def is_by_hand(self) -> bool:
        """True if the steps of the training are chosen: their number, size or rate."""
        return any(value is not None for value in (self.epochs, self.batch_size, self.learning_rate, self.patience))

    def apply(self, recipe: Recipe) -> Recipe:
        """Change a copy of `recipe`; raises `RecipeError` if a value is out of range."""
        # Fields with the same name in a recipe, and then those of its parts.
        fields = {name: getattr(self, name) for name in ("epochs", "batch_size", "validation_fraction", "precision")}
        changes: dict[str, Any] = {name: value for name, value in fields.items() if value is not None}
        if self.learning_rate is not None:
            changes["optimizer"] = replace(recipe.optimizer, learning_rate=self.learning_rate)
        if self.patience is not None:
            changes["early_stopping"] = replace(recipe.early_stopping or EarlyStopping(), patience=self.patience)
        if self.class_weights is not None:
            changes["class_weights"] = "balanced" if self.class_weights == "balanced" else None
        return replace(recipe, **changes)


def architecture_for(
    choice: ArchitectureChoice, image_shape: tuple[int, int, int], num_classes: int, width: float = 1.0
) -> Architecture:
    """Resolve an architecture: the value itself, a preset for these images, or a JSON file.

    Args:
        image_shape: (H, W, C), for a preset, a function, and a file without an `input`.
        width: the factor for the filters and units of each layer except the last.

    Raises:
        ArchitectureError: if there is neither a preset nor a file, the file is damaged, or a preset does not fit.
        TypeError: if `choice` has another type.
        ValueError: if `width` is out of range.
    """
    return widen(_architecture_for(choice, image_shape, num_classes), width)


def _architecture_for(choice: ArchitectureChoice, image_shape: tuple[int, int, int], num_classes: int) -> Architecture:
    if not isinstance(choice, str | Path) or choice in PRESETS:
        return network_for(choice, image_shape, num_classes)
    with _file_errors(choice, "architecture", PRESETS, ArchitectureError):
        return architecture_in(_read_json_file(choice), image_shape)


def recipe_for(choice: RecipeChoice | None, network: Architecture, changes: RecipeChanges = RecipeChanges()) -> Recipe:
    """Resolve a recipe: the value itself, a name, or a JSON file, or else that of `network`; apply `changes`.

    Raises:
        RecipeError: if there is neither a recipe nor a file, the file is damaged, or a value is out of range.
        TypeError: if `choice` has another type.
    """
    if choice is None:
        return changes.apply(default_recipe(network))
    if not isinstance(choice, str | Path) or choice in RECIPES:
        return changes.apply(recipe_named(choice))
    if choice == AUTO:
        raise RecipeError(f"recipe {AUTO} chooses for `run` and `train`; here, name another, such as thorough")
    with _file_errors(choice, "recipe", RECIPES, RecipeError):
        value = _read_json_file(choice)
        # A recipe alone, or the `run.json` of a run with that recipe.
        recipe = Recipe.from_dict(value["recipe"] if isinstance(value, dict) and "recipe" in value else value)
    return changes.apply(recipe)


def is_own_recipe(network: Architecture, recipe: Recipe) -> bool:
    """True if a network is a preset, and the recipe is the one with the preset's name."""
    return recipe.name in RECIPES and recipe.name == preset_of(network)


@contextmanager
def _file_errors(
    choice: str | Path, kind: str, known_names: Iterable[str], error: type[ArchitectureError | RecipeError]
) -> Iterator[None]:
    """Raise errors about a file, or about a name that is neither known nor a file, as `error`."""
    name = str(choice)
    try:
        yield
    except FileNotFoundError as missing:
        # "cnm" is a name with an error in it, "nets/cnm.json" the path of a file that is missing.
        if is_path(name):
            raise error(f"{name}: no such file; check the path, or use one of {', '.join(known_names)}") from missing
        hint = f"{', '.join(known_names)}, or a JSON file{did_you_mean(name, known_names)}"
        raise error(f"no {kind} is called {name!r}; use one of {hint}") from missing
    except (error, OSError, ValueError) as damage:
        raise error(f"{name}: {damage}") from damage


def _read_json_file(name: str | Path) -> Any:
    with open_file(Path(name)) as file:
        content = file.read(_MAX_JSON_BYTES + 1)  # a byte more shows that the file is too long
    if len(content) > _MAX_JSON_BYTES:
        raise ValueError(f"has more than {_MAX_JSON_BYTES:,} bytes; give a JSON file of a few kB")
    return parse_json(content)
