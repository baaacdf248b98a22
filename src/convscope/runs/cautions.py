"""What a training that is about to begin cannot achieve, in sentences; see also the cautions of an evaluation."""

from math import ceil

import numpy as np

from convscope.base.tables import clip
from convscope.data.datasets import Splits
from convscope.storage import RunFolder

_FEW_STEPS, _ENOUGH_STEPS = 50, 200  # `cnn` is right on about 80 % and 93 % of MNIST after so many of 128 images
_MOST_NAMES = 5


def cautions_of(folder: RunFolder, splits: Splits) -> list[str]:
    """Return what the recipe and the training images of a run cannot achieve; often nothing."""
    recipe, counts, found = folder.recipe, splits.train.class_counts, []
    images = int(sum(count - round(recipe.validation_fraction * count) for count in counts.tolist()))
    each = ceil(images / recipe.batch_size)
    steps = recipe.epochs * each
    if steps < _FEW_STEPS and "from" not in folder.record:
        found.append(
            f"only {steps} {'step' if steps == 1 else 'steps'} of training in all, which is too few to learn much: "
            f"{recipe.epochs} {'epoch' if recipe.epochs == 1 else 'epochs'} of {images:,} images in batches of "
            f"{recipe.batch_size}; try `epochs` {ceil(_ENOUGH_STEPS / each)}"
        )
    if missing := [splits.class_names[label] for label in np.flatnonzero(counts == 0)]:
        names = ", ".join(repr(clip(name, 24)) for name in missing[:_MOST_NAMES])
        more = f" and {len(missing) - _MOST_NAMES} more" if len(missing) > _MOST_NAMES else ""
        found.append(f"no training image is of class {names}{more}, so the network cannot learn to recognise it")
    return found
