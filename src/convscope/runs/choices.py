"""The architecture, the recipe and the data that a caller names: a preset, a file, or the value itself."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

from convscope.architecture import Architecture
from convscope.architecture.presets import PRESETS, network_for
from convscope.base.errors import ArchitectureError, RecipeError
from convscope.base.files import open_file
from convscope.base.plain import parse_json
from convscope.recipes import RECIPES, EarlyStopping, Precision, Recipe, recipe_named

ArchitectureChoice = Annotated[
    str | Path | Architecture | Callable[[tuple[int, int, int], int], Architecture],
    "an Architecture, the name of a preset, a JSON file, or a function such as cs.presets.cnn",
]
RecipeChoice = Annotated[str | Path | Recipe, f"a Recipe, the name of one ({', '.join(RECIPES)}), or a JSON file"]

_MOST_JSON_BYTES = 1 << 20  # of an architecture or recipe file; a real one has a few kB


@dataclass(frozen=True)
class RecipeChanges:
    """What replaces parts of a recipe; None leaves a part as it is.

    Attributes:
        patience: of early stopping, which begins with it where the recipe has none.
        class_weights: "balanced" or "none".
    """

    epochs: int | None = None
    validation_fraction: float | None = None
    patience: int | None = None
    precision: Precision | None = None
    class_weights: str | None = None

    def apply(self, recipe: Recipe) -> Recipe:
        """Return `recipe` with these changes; raises `RecipeError` if a value is out of range."""
        if self.epochs is not None:
            recipe = replace(recipe, epochs=self.epochs)
        if self.validation_fraction is not None:
            recipe = replace(recipe, validation_fraction=self.validation_fraction)
        if self.patience is not None:
            stopping = replace(recipe.early_stopping or EarlyStopping(), patience=self.patience)
            recipe = replace(recipe, early_stopping=stopping)
        if self.class_weights is not None:
            recipe = replace(recipe, class_weights="balanced" if self.class_weights == "balanced" else None)
        if self.precision is not None:
            recipe = replace(recipe, precision=self.precision)
        return recipe


def architecture_for(choice: ArchitectureChoice, image_shape: tuple[int, int, int], num_classes: int) -> Architecture:
    """Return `choice` itself, the preset of that name for such images, or the architecture in the JSON file there.

    Raises:
        ArchitectureError: if there is neither a preset nor a file, or the file is damaged.
        TypeError: if `choice` is none of these.
    """
    if not isinstance(choice, str | Path) or choice in PRESETS:
        return network_for(choice, image_shape, num_classes)
    try:
        return Architecture.from_dict(_read_json_file(choice, "architecture"))
    except FileNotFoundError as error:
        raise ArchitectureError(
            f"architecture {str(choice)!r}: neither {', '.join(PRESETS)} nor a JSON file"
        ) from error
    except (ArchitectureError, OSError, ValueError) as error:
        raise ArchitectureError(f"{choice}: {error}") from error


def recipe_for(choice: RecipeChoice, changes: RecipeChanges = RecipeChanges()) -> Recipe:
    """Return `choice` itself, the recipe of that name, or the one in the JSON file there, with `changes`.

    Raises:
        RecipeError: if there is neither a recipe nor a file, the file is damaged, or a value is out of range.
        TypeError: if `choice` is none of these.
    """
    if not isinstance(choice, str | Path) or choice in RECIPES:
        return changes.apply(recipe_named(choice))
    try:
        recipe = Recipe.from_dict(_read_json_file(choice, "recipe"))
    except FileNotFoundError as error:
        raise RecipeError(f"recipe {str(choice)!r}: neither {', '.join(RECIPES)} nor a JSON file") from error
    except (RecipeError, OSError, ValueError) as error:
        raise RecipeError(f"{choice}: {error}") from error
    return changes.apply(recipe)


def _read_json_file(name: str | Path, part: str) -> Any:
    """Return what is in a JSON file; of a run's run.json its `part`."""
    with open_file(Path(name)) as file:
        content = file.read(_MOST_JSON_BYTES + 1)
    if len(content) > _MOST_JSON_BYTES:
        raise ValueError(f"has more than {_MOST_JSON_BYTES:,} bytes; give a JSON file of a few kB")
    value = parse_json(content)
    return value[part] if isinstance(value, dict) and part in value else value
