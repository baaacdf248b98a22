"""What to know before a training begins, in sentences: what it cannot achieve, and what was left out."""

from math import ceil

import numpy as np

from convscope.base.tables import clip
from convscope.data.datasets import Splits
from convscope.storage import RunFolder

_FEW_STEPS, _ENOUGH_STEPS = 50, 200  # `cnn` is right on about 80 % and 93 % of MNIST after so many of 128 images
_MAX_NAMES = 5


def cautions_of(folder: RunFolder, splits: Splits) -> list[str]:
    """List what the recipe and the images of a run cannot achieve, and what was left out; often nothing."""
    recipe, counts, cautions = folder.recipe, splits.train.class_counts, []
    images = int(sum(count - round(recipe.validation_fraction * count) for count in counts.tolist()))
    each = ceil(images / recipe.batch_size)
    steps = recipe.epochs * each
    if steps < _FEW_STEPS and not folder.record.start:
        cautions.append(
            f"training has only {steps} {'step' if steps == 1 else 'steps'}, too few to learn much "
            f"({recipe.epochs} {'epoch' if recipe.epochs == 1 else 'epochs'} of {images:,} images in batches of "
            f"{recipe.batch_size}); try `epochs` {ceil(_ENOUGH_STEPS / each)}"
        )
    if missing := np.flatnonzero(counts == 0).tolist():
        has, it = ("has", "it") if len(missing) == 1 else ("have", "them")
        cautions.append(f"{_listed(splits, missing)} {has} no training images, so the network cannot learn {it}")
    if alone := np.flatnonzero(counts + splits.test.class_counts == 1).tolist():
        has, it = ("has", "it") if len(alone) == 1 else ("have", "them")
        cautions.append(f"{_listed(splits, alone)} {has} one image: add some or drop {it}")
    if damaged := splits.num_damaged:
        pictures = "picture was" if damaged == 1 else "pictures were"
        cautions.append(f"{damaged:,} damaged {pictures} left out")
    return cautions


def _listed(splits: Splits, labels: list[int]) -> str:
    """Return the names of classes, the first few of many."""
    names = ", ".join(repr(clip(splits.class_names[label], 24)) for label in labels[:_MAX_NAMES])
    more = f" and {len(labels) - _MAX_NAMES} more" if len(labels) > _MAX_NAMES else ""
    return f"{'class' if len(labels) == 1 else 'classes'} {names}{more}"
