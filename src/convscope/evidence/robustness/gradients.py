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

    The margin is the largest logit of another class less that of the label: with the logits 9 of the label, 7 and 2 it
    is -2, and the label has a lead of 2. A picture fools the network if it is classified as another class.

    Each step moves every value along the sign of its gradient and back within ε; steps fall evenly from 2 ε grey levels
    (rounded, at least 1). An image is left alone as soon as it is fooled. After three starts only images are attacked
    whose label has less than an eighth of its lead left: others are fooled very rarely, and would take most of the
    time. The result is the picture that fools the network, or else the picture with the largest margin.

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
    best, margins = images.copy(), np.full(len(images), -np.inf)
    # How far the label's logit is ahead without an attack.
    leads = -_margins(np.asarray(model.logits(images), np.float64), labels)[0]
    unfooled = np.arange(len(images))
    for restart in range(restarts):
        if restart >= STARTS_OF_ALL:
            # Images that three starts left far from a mistake hardly ever fall to a fourth.
            unfooled = unfooled[-margins[unfooled] < _CLOSE * leads[unfooled]]
        if not len(unfooled):
            break
        clean = images[unfooled]
        chances = uniforms(seed, f"pgd/{restart}", indices[unfooled], images[0].size).reshape(clean.shape)
        # A start anywhere within ε: whole numbers from -ε to ε, all equally likely.
        starts = _clip_changes(clean + np.floor(chances * (2 * epsilon + 1)).astype(np.int64) - epsilon, clean, epsilon)
        pictures, reached, is_fooled = _climb(model, clean, labels[unfooled], starts, epsilon, steps)
        is_better = is_fooled | (reached > margins[unfooled])
        best[unfooled[is_better]], margins[unfooled[is_better]] = pictures[is_better], reached[is_better]
        unfooled = unfooled[~is_fooled]
    return best


def _climb(
    model: Model, images: Pictures, labels: Labels, starts: Pictures, epsilon: int, steps: int
) -> tuple[Pictures, NDArray[np.float64], NDArray[np.bool_]]:
    """Raise the margin of each of `images` step by step from the pictures `starts`, until it is fooled.

    Returns:
        The picture with the largest margin of each, or the one that fools; its margin; and whether it fools.
    """
    best, margins, is_fooled = starts.copy(), np.full(len(images), -np.inf), np.zeros(len(images), bool)
    # The images that are not fooled yet; `moved`, `margin`, `rival` and `is_done` have a row for each of them.
    active, moved = np.arange(len(images)), starts
    for step in range(steps + 1):  # the last only measures the last step's pictures
        logits = np.asarray(model.logits(moved), np.float64)
        margin, rival = _margins(logits, labels[active])
        is_done = logits.argmax(axis=1) != labels[active]
        is_better = is_done | (margin > margins[active])
        best[active[is_better]], margins[active[is_better]] = moved[is_better], margin[is_better]
        is_fooled[active] = is_done
        active, moved, rival = active[~is_done], moved[~is_done], rival[~is_done]
        if step == steps or not len(active):
            break
        # From 2 ε, across the whole allowed range, down to single levels.
        stride = max(1, round(2 * epsilon * (1 - step / steps)))
        signs = _margin_signs(model, moved, labels[active], rival)
        moved = _clip_changes(moved + stride * signs, images[active], epsilon)
    return best, margins, is_fooled


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
    return np.asarray(np.sign(slopes), np.int64)


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
