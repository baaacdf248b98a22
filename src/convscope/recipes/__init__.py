"""Recipes: all settings of a training, and the recipes that come with convscope."""

from convscope.recipes.augmentation import Augmentation
from convscope.recipes.early_stopping import EarlyStopping
from convscope.recipes.optimizers import SGD, Adam, Optimizer
from convscope.recipes.presets import (
    AUTO,
    RECIPES,
    AnyRecipe,
    accurate,
    classic,
    fashion,
    fast,
    micro11k,
    recipe_named,
    residual,
    thorough,
    tiny2k,
    tiny8k,
    tiny25k,
    tiny697,
)
from convscope.recipes.recipe import PRECISIONS, Precision, Recipe, WeightBits
from convscope.recipes.schedule import Schedule

__all__ = [
    "AUTO",
    "PRECISIONS",
    "RECIPES",
    "SGD",
    "Adam",
    "AnyRecipe",
    "Augmentation",
    "EarlyStopping",
    "Optimizer",
    "Precision",
    "Recipe",
    "Schedule",
    "WeightBits",
    "accurate",
    "classic",
    "fashion",
    "fast",
    "micro11k",
    "recipe_named",
    "residual",
    "thorough",
    "tiny2k",
    "tiny8k",
    "tiny25k",
    "tiny697",
]
