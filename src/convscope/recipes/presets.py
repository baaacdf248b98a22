"""The recipes that come with convscope."""

from convscope.recipes.recipe import Recipe

classic = Recipe(name="classic")
"""The notebook's recipe, which is Keras's defaults: Adam at 1e-3, batches of 128, ten epochs."""

RECIPES = {"classic": classic}
