"""Attribute a logit to the pixels of an image, by three methods.

With z the logit, x the image as the network reads it, and x0 an empty image, all background:

    gradient times input    (x - x0) · dz/dx at x
    integrated gradients    (x - x0) · the mean of dz/dx on the straight path from x0 to x
    occlusion               how far z falls if a patch of x is replaced by x0, on average over the patches on a pixel

If z = 2 a - b for two pixels, and they are a, b = 3, 1 on a background of 0, all three give the pixels 6 and -1: their
parts of z. A network is not linear, so there the methods differ: the gradient sees tiny changes at the image only,
integrated gradients the whole way from the background, and occlusion what happens without a patch.

A map shows how a logit of this network depends on the pixels near this image. Each method has its own meaning of
"depends"; they disagree, and none explains why the network is as it is.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from convscope.base.arguments import checked
from convscope.base.deadline import check_deadline
from convscope.engine import Network, open_network
from convscope.engine.loss import dlogits_of_logit
from convscope.training.model import Model

Method = Literal["gradient_times_input", "integrated_gradients", "occlusion"]
METHODS: tuple[Method, ...] = get_args(Method)

Maps = NDArray[np.float64]
"""(N, H, W), a number for each pixel, summed over its channels."""

INTEGRATION_STEPS = 32  # steps of the path from the background to the image
_IMAGES_AT_ONCE = 2000  # images that one call classifies
_PATCHES = 7  # an occluded square is a seventh of the shorter side, and moves by half its side


@checked
def attribute(
    model: Model, images: NDArray[np.uint8], targets: NDArray[np.integer[Any]], method: Method, *, background: int = 0
) -> Maps:
    """Score the pixels of `images` (N, H, W, C) uint8 by their contribution to each image's logit `targets` (N,).

    Logits are explained, not probabilities: a probability also falls because another logit rises. Scores are signed,
    below zero where a pixel opposes the logit.

    Args:
        background: the grey level, 0 to 255, of an empty image, x0, and of blanked pixels.

    Raises:
        ValueError: if the method is unknown, the background is no grey level, there is not one target an image or one
            is no class, or the images are not of the size the model reads.

    >>> from convscope.architecture import presets
    >>> from convscope.engine import initial_weights
    >>> network = presets.cnn((28, 28, 1), 10)
    >>> model = Model(network, initial_weights(network, 0), tuple("0123456789"))
    >>> images = np.full((2, 28, 28, 1), 255, np.uint8)
    >>> attribute(model, images, np.array([3, 5]), "integrated_gradients").shape
    (2, 28, 28)
    """
    if method not in METHODS:
        raise ValueError(f"method is {method!r}; it must be one of {', '.join(METHODS)}")
    if not 0 <= background <= 255:
        raise ValueError(f"background is {background}; it must be a grey level, 0 to 255")
    if targets.shape != images.shape[:1]:
        raise ValueError(f"targets have shape {targets.shape} for {len(images)} images; give one for each")
    return _METHODS[method](model, images, targets, background)


def _gradient_times_input(
    model: Model, images: NDArray[np.uint8], targets: NDArray[np.integer[Any]], background: int
) -> Maps:
    gradients = _input_gradients(model.network, images, targets)
    return np.asarray((_subtract_background(model, images, background) * gradients).sum(axis=3))


def _integrate_gradients(
    model: Model, images: NDArray[np.uint8], targets: NDArray[np.integer[Any]], background: int
) -> Maps:
    total = np.zeros(images.shape)
    for step in range(INTEGRATION_STEPS):
        share = (step + 0.5) / INTEGRATION_STEPS  # midpoints, whose error falls with the square of the steps
        total += _input_gradients(_make_intermediate_network(model, share, background), images, targets)
    steps = _subtract_background(model, images, background)
    return np.asarray((steps * total / INTEGRATION_STEPS).sum(axis=3))


def _make_intermediate_network(model: Model, share: float, background: int) -> Network:
    """Make the network that sees an image as the model sees x0 + share · (x - x0).

    Images are bytes, so the input's scale and offset move instead of the pixels, and nothing is rounded.
    """
    image = model.architecture.input
    # scale · (b0 + share (b - b0)) + offset = (share · scale) · b + [offset + scale · b0 · (1 - share)]
    offset = image.offset + image.scale * background * (1 - share)
    moved = replace(model.architecture, input=replace(image, scale=image.scale * share, offset=offset))
    return open_network(moved, model.weights)


def _input_gradients(
    network: Network, images: NDArray[np.uint8], targets: NDArray[np.integer[Any]]
) -> NDArray[np.float64]:
    """Compute dz/dx (N, H, W, C)."""
    check_deadline()
    dlogits = dlogits_of_logit(targets, network.architecture.num_classes)
    return np.asarray(network.layer_gradients(images, dlogits, ["input"])["input"], np.float64)


def _subtract_background(model: Model, images: NDArray[np.uint8], background: int) -> NDArray[np.float64]:
    """Compute x - x0 (N, H, W, C) after the network's scaling, in which its offset cancels."""
    return (images.astype(np.float64) - background) * model.architecture.input.scale


def _occlusion(model: Model, images: NDArray[np.uint8], targets: NDArray[np.integer[Any]], background: int) -> Maps:
    """Compute for each pixel how far the target's logit falls, on average over the patches of background that cover it.

    The patches overlap by half: on 28 x 28 pixels they are 4 x 4 and begin at 0, 2, 4, ..., 24 of each axis, so most
    pixels lie under four of them.
    """
    height, width = images.shape[1:3]
    side = max(1, round(min(height, width) / _PATCHES))
    step = max(1, side // 2)
    indices = np.arange(len(images))
    unblanked = model.logits(images)[indices, targets].astype(np.float64)
    # For each pixel the sum of the falls, and the number of patches on it, which is the same in all images.
    falls, covered = np.zeros(images.shape[:3]), np.zeros((height, width))
    corners = [(top, left) for top in _starts(height, side, step) for left in _starts(width, side, step)]
    # Several patches at once, since few images would keep few threads busy.
    num_corners = max(1, _IMAGES_AT_ONCE // len(images))
    for first in range(0, len(corners), num_corners):
        check_deadline()
        batch = corners[first : first + num_corners]
        logits = _logits_without_patches(model, images, batch, side, background)
        for patch_logits, (top, left) in zip(logits, batch, strict=True):
            fall = unblanked - patch_logits[indices, targets]
            falls[:, top : top + side, left : left + side] += fall[:, None, None]
            covered[top : top + side, left : left + side] += 1
    return np.asarray(falls / covered)


def _logits_without_patches(
    model: Model, images: NDArray[np.uint8], corners: list[tuple[int, int]], side: int, background: int
) -> NDArray[np.float32]:
    """Compute the logits (patches, N, K) of the images with a patch of background at each of `corners` in turn."""
    blanked = np.broadcast_to(images, (len(corners), *images.shape)).copy()  # (patches, N, H, W, C)
    for patched, (top, left) in zip(blanked, corners, strict=True):
        patched[:, top : top + side, left : left + side] = background
    logits = logits_of_distinct(model, blanked.reshape(-1, *images.shape[1:]))
    return logits.reshape(len(corners), len(images), -1)


def logits_of_distinct(model: Model, images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Compute the logits (N, K) of `images` (N, H, W, C), once for equal images.

    Blanking pixels that are background anyway gives the same image again and again: images a, b, a have the numbers
    0, 1, 0, and the model classifies the first a and b.
    """
    numbers = dict[bytes, int]()
    indices = [numbers.setdefault(image.tobytes(), len(numbers)) for image in images]
    firsts = np.unique(indices, return_index=True)[1]
    return model.logits(images[firsts])[indices]


def _starts(pixels: int, side: int, step: int) -> list[int]:
    """List where squares of `side` begin so that they cover all `pixels`, the last flush with the end."""
    return sorted({*range(0, pixels - side + 1, step), pixels - side})


_METHODS: Mapping[Method, Callable[[Model, NDArray[np.uint8], NDArray[np.integer[Any]], int], Maps]] = {
    "gradient_times_input": _gradient_times_input,
    "integrated_gradients": _integrate_gradients,
    "occlusion": _occlusion,
}
