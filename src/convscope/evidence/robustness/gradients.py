"""Attack a network by gradients with respect to the pixels, and by random changes.

Images (N, H, W, C) stay uint8, so that a file can hold them: each step is a whole number of grey levels, and no value
leaves 0 to 255 or differs by more than ε grey levels. An attack knows the weights (white box) and is made for this
network alone.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from convscope.evidence.robustness.noise import Pictures, uniforms
from convscope.training.model import Model

Labels = NDArray[np.integer[Any]]

STARTS_OF_ALL = 3
"""Random starts for every image; further starts are for images that are nearly fooled."""

_CLOSE = 1 / 8  # share of the label's first lead; with a quarter, no further image was fooled (dev/LOG.md)


def pgd(
    model: Model,
    images: Pictures,
    labels: Labels,
    epsilon: int,
    *,
    steps: int = 200,
    restarts: int = 10,
    seed: int = 0,
    indices: NDArray[np.integer[Any]] | None = None,
) -> Pictures:
    """Attack `images` by projected gradient ascent of the margin within `epsilon` grey levels, from random starts.

    The margin is the largest logit of another class less that of the label. Each step moves every value along the sign
    of its gradient and back within ε; steps fall evenly from 2 ε grey levels (rounded, at least 1). An image is left
    alone as soon as it is fooled. After three starts only images are attacked whose label has less than an eighth of
    its lead left: others are fooled very rarely, and would take most of the time. The result is the picture that fools
    the network, or else the picture with the largest margin.

    Args:
        indices: (N,), the index of each image in its data set, which sets its random starts; by default 0 to N - 1.

    Raises:
        ValueError: if `epsilon` is not a whole number from 0 to 255, `steps` or `restarts` is below 1, the images are
            not of the size the model reads, or there is not one label for each that is one of the classes.

    Source: Madry and others 2018, section 2.1, on the loss f6 of Carlini and Wagner 2017.
    """
    _check_epsilon(epsilon)
    _check_labels(model, images, labels)
    for name, value in (("steps", steps), ("restarts", restarts)):
        if value < 1:
            raise ValueError(f"{name} is {value}; it must be at least 1")
    indices = np.arange(len(images)) if indices is None else np.asarray(indices)
    # Of all images: the best pictures until now and their margins, and how far the label is ahead without an attack.
    best, margins = images.copy(), np.full(len(images), -np.inf)
    leads = -_margins(np.asarray(model.logits(images), np.float64), labels)[0]
    # A start attacks the images `unfooled`; of these, `remaining` are those that it has not fooled yet. `moved` and
    # `rival` have a row for each of `remaining`: the pictures of this step, and the class that is closest to the label.
    unfooled = np.arange(len(images))
    for restart in range(restarts):
        if restart >= STARTS_OF_ALL:
            # Images that three starts left far from a mistake hardly ever fall to a fourth.
            unfooled = unfooled[-margins[unfooled] < _CLOSE * leads[unfooled]]
        if not len(unfooled):
            break
        chances = uniforms(seed, f"pgd/{restart}", indices[unfooled], images[0].size).reshape(-1, *images.shape[1:])
        clean = images[unfooled]
        # A start anywhere within ε: whole numbers from -ε to ε, all equally likely.
        moved = _clip_changes(clean + np.floor(chances * (2 * epsilon + 1)).astype(np.int64) - epsilon, clean, epsilon)
        remaining = unfooled
        for step in range(steps + 1):  # the last only measures the last step's pictures
            logits = np.asarray(model.logits(moved), np.float64)
            margin, rival = _margins(logits, labels[remaining])
            is_fooled = logits.argmax(axis=1) != labels[remaining]
            is_better = is_fooled | (margin > margins[remaining])
            best[remaining[is_better]], margins[remaining[is_better]] = moved[is_better], margin[is_better]
            # Fooled images are done.
            remaining, moved, rival = remaining[~is_fooled], moved[~is_fooled], rival[~is_fooled]
            if step == steps or not len(remaining):
                break
            # From 2 ε, across the whole allowed range, down to single levels.
            stride = max(1, round(2 * epsilon * (1 - step / steps)))
            signs = _margin_signs(model, moved, labels[remaining], rival)
            moved = _clip_changes(moved + stride * signs, images[remaining], epsilon)
        unfooled = remaining
    return best


def _margins(logits: NDArray[np.float64], labels: Labels) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Compute (N,), the largest logit of another class less that of the label, and that class."""
    rivals, rows = logits.copy(), np.arange(len(labels))
    rivals[rows, labels] = -np.inf
    return rivals.max(axis=1) - logits[rows, labels], rivals.argmax(axis=1)


def _margin_signs(model: Model, images: Pictures, labels: Labels, rivals: NDArray[np.int64]) -> NDArray[np.int64]:
    """Compute the signs (N, H, W, C) of the gradient of each image's margin with respect to its pixels."""
    # The gradient of the margin: +1 for the rival's logit, -1 for the label's.
    dlogits, rows = np.zeros((len(images), model.architecture.num_classes)), np.arange(len(images))
    dlogits[rows, rivals], dlogits[rows, labels] = 1, -1
    # The engine's gradient is that of the scaled input; only its sign is used, and `scale` may be negative.
    slopes = model.architecture.input.scale * model.network.layer_gradients(images, dlogits, ["input"])["input"]
    signs: NDArray[np.int64] = np.sign(slopes).astype(np.int64)
    return signs


def random_signs(
    images: Pictures, epsilon: int, seed: int = 0, *, indices: NDArray[np.integer[Any]] | None = None
) -> Pictures:
    """Move each value of `images` by `epsilon` grey levels up or down at random, as a control of the same size.

    Raises:
        ValueError: if `epsilon` is not a whole number from 0 to 255.
    """
    _check_epsilon(epsilon)
    indices = np.arange(len(images)) if indices is None else np.asarray(indices)
    chances = uniforms(seed, "random signs", indices, int(np.prod(images.shape[1:]))).reshape(images.shape)
    return _clip_changes(images + np.where(chances < 0.5, -epsilon, epsilon), images, epsilon)


def _clip_changes(moved: NDArray[np.integer[Any]], images: Pictures, epsilon: int) -> Pictures:
    """Clip `moved` to within `epsilon` of `images` and to 0 to 255."""
    centre = images.astype(np.int64)
    return np.asarray(np.clip(moved, np.maximum(centre - epsilon, 0), np.minimum(centre + epsilon, 255)), np.uint8)


def _check_labels(model: Model, images: Pictures, labels: Labels) -> None:
    classes = model.architecture.num_classes
    if labels.shape != (len(images),) or (len(labels) and not 0 <= labels.min() <= labels.max() < classes):
        raise ValueError(
            f"labels have shape {labels.shape}; give one label from 0 to {classes - 1} for each of {len(images)} images"
        )


def _check_epsilon(epsilon: int) -> None:
    if not isinstance(epsilon, int | np.integer) or not 0 <= epsilon <= 255:
        raise ValueError(f"epsilon is {epsilon!r}; it must be a whole number of grey levels from 0 to 255")
