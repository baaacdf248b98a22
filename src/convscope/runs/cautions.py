"""Cautions before a training begins, in sentences: too few steps, classes without images, damaged pictures."""

from math import ceil

import numpy as np

from convscope.base.tables import clip
from convscope.data.datasets import Splits
from convscope.storage import RunFolder

# After 50 steps of 128 images, `cnn` classifies about 80 % of MNIST correctly, after 200 about 93 %.
_FEW_STEPS, _ENOUGH_STEPS = 50, 200
_MAX_NAMES = 5  # names of classes in a caution


def find_cautions(folder: RunFolder, splits: Splits) -> list[str]:
    """List the cautions about the recipe and the images of a run; often none."""
    recipe, counts, cautions = folder.recipe, splits.train.class_counts, []
    # As `hold_out` does it: the held-out images are rounded for each class.
    images = int(sum(count - round(recipe.validation_fraction * count) for count in counts.tolist()))
    steps_per_epoch = ceil(images / recipe.batch_size)
    steps = recipe.epochs * steps_per_epoch
    # A trained network needs few steps more.
    if steps < _FEW_STEPS and not folder.record.start:
        cautions.append(
            f"training has only {steps} {'step' if steps == 1 else 'steps'}, too few to learn much "
            f"({recipe.epochs} {'epoch' if recipe.epochs == 1 else 'epochs'} of {images:,} images in batches of "
            f"{recipe.batch_size}); try `epochs` {ceil(_ENOUGH_STEPS / steps_per_epoch)}"
        )
    if missing := np.flatnonzero(counts == 0).tolist():
        has, it = ("has", "it") if len(missing) == 1 else ("have", "them")
        cautions.append(f"{_list_classes(splits, missing)} {has} no training images, so the network cannot learn {it}")
    # Such an image is either trained on or tested, so nothing is learned about the class or nothing is measured.
    if single_image_classes := np.flatnonzero(counts + splits.test.class_counts == 1).tolist():
        has, it = ("has", "it") if len(single_image_classes) == 1 else ("have", "them")
        cautions.append(f"{_list_classes(splits, single_image_classes)} {has} one image: add some or drop {it}")
    if damaged := splits.num_damaged:
        pictures = "picture was" if damaged == 1 else "pictures were"
        cautions.append(f"{damaged:,} damaged {pictures} left out")
    return cautions


def _list_classes(splits: Splits, labels: list[int]) -> str:
    """List the names of classes, the first few of many."""
    names = ", ".join(repr(clip(splits.class_names[label], 24)) for label in labels[:_MAX_NAMES])
    more = f" and {len(labels) - _MAX_NAMES} more" if len(labels) > _MAX_NAMES else ""
    return f"{'class' if len(labels) == 1 else 'classes'} {names}{more}"
