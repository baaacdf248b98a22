"""The recipes that come with convscope."""

from dataclasses import replace

from convscope.recipes.augmentation import Augmentation
from convscope.recipes.optimizers import Adam
from convscope.recipes.recipe import Recipe
from convscope.recipes.schedule import Schedule

classic = Recipe(name="classic")
"""The notebook's recipe, which is Keras's defaults: Adam at 1e-3, batches of 128, ten epochs."""

fast = Recipe(
    epochs=1,
    batch_size=64,
    optimizer=Adam(learning_rate=0.012, beta_2=0.98),
    name="fast",
    schedule=Schedule("linear", warmup=0.1),
    label_smoothing=0.1,
    augmentation=Augmentation(shift=1),
)
"""One epoch for about 99.2 % on MNIST: large steps that fade out, smoothed labels, images shifted by up to a pixel.

Its numbers were chosen for `cnn` on the last 10,000 training images of MNIST, after training on the other 50,000; the
search is in dev/LOG.md.
"""

accurate = replace(fast, epochs=5, optimizer=Adam(learning_rate=0.006, beta_2=0.99), name="accurate")
"""Five epochs of the same in smaller steps, chosen in the same way: about 99.5 % of the held-out training images."""

RECIPES = {recipe.name: recipe for recipe in (classic, fast, accurate)}
