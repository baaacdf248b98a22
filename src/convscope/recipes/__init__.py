"""Recipes: all settings of a training, and the recipes that come with convscope."""

from convscope.recipes.augmentation import Augmentation as Augmentation
from convscope.recipes.early_stopping import EarlyStopping as EarlyStopping
from convscope.recipes.optimizers import SGD as SGD, Adam as Adam, Optimizer as Optimizer
from convscope.recipes.presets import (
    AUTO as AUTO,
    RECIPES as RECIPES,
    AnyRecipe as AnyRecipe,
    accurate as accurate,
    classic as classic,
    fashion as fashion,
    fast as fast,
    micro11k as micro11k,
    recipe_named as recipe_named,
    residual as residual,
    thorough as thorough,
    tiny2k as tiny2k,
    tiny8k as tiny8k,
    tiny25k as tiny25k,
    tiny697 as tiny697,
)
from convscope.recipes.recipe import (
    PRECISIONS as PRECISIONS,
    Precision as Precision,
    Recipe as Recipe,
    WeightBits as WeightBits,
)
from convscope.recipes.schedule import Schedule as Schedule
