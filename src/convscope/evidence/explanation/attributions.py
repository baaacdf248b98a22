"""Which pixels an answer rests on, by three methods: `attribute` takes images and one logit of each to a map of each.

A map says how one logit of this network depends on the pixels near this image, by its method's own meaning of
"depends"; methods disagree, and none says why the network is as it is.
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
"""(N, H, W), a number a pixel, summed over its channels."""

INTEGRATION_STEPS = 32  # of the path from the background to the image
_IMAGES_AT_ONCE = 2000  # answered by one call
_PATCHES = 7  # an occluded square is a seventh of the shorter side, and moves by half of itself


@checked
def attribute(
    model: Model,
    images: NDArray[np.uint8],
    targets: NDArray[np.integer[Any]],
    method: Method,
    *,
    background: int = 0,
) -> Maps:
    """Score the pixels of each of `images` (N, H, W, C) uint8 by what they count for its logit `targets` (N,).

    Logits are explained, not probabilities: a probability also falls because another logit rises. Scores are signed,
    below zero where a pixel opposes the logit.

    Args:
        background: the grey level, 0 to 255, that stands for "nothing there": x0, and what blanked pixels get.

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


def logits_of_distinct(model: Model, images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return the logits (N, K) of `images` (N, H, W, C); equal images are computed once.

    Blanking pixels that are background anyway gives the same image again and again.
    """
    numbers = dict[bytes, int]()
    indices = [numbers.setdefault(image.tobytes(), len(numbers)) for image in images]
    firsts = np.unique(indices, return_index=True)[1]
    return model.logits(images[firsts])[indices]


def _input_gradients(
    network: Network, images: NDArray[np.uint8], targets: NDArray[np.integer[Any]]
) -> NDArray[np.float64]:
    """Return dz/dx (N, H, W, C), by the image as the network reads it."""
    check_deadline()
    dlogits = dlogits_of_logit(targets, network.architecture.num_classes)
    return np.asarray(network.layer_gradients(images, dlogits, ["input"])["input"], np.float64)


def _from_background(model: Model, images: NDArray[np.uint8], background: int) -> NDArray[np.float64]:
    """Return x - x0 (N, H, W, C)."""
    return (images.astype(np.float64) - background) * model.architecture.input.scale


def _gradient_times_input(
    model: Model, images: NDArray[np.uint8], targets: NDArray[np.integer[Any]], background: int
) -> Maps:
    gradients = _input_gradients(model.network, images, targets)
    return np.asarray((_from_background(model, images, background) * gradients).sum(axis=3))


def _integrated_gradients(
    model: Model, images: NDArray[np.uint8], targets: NDArray[np.integer[Any]], background: int
) -> Maps:
    total = np.zeros(images.shape)
    for step in range(INTEGRATION_STEPS):
        share = (step + 0.5) / INTEGRATION_STEPS
        total += _input_gradients(_network_on_the_way(model, share, background), images, targets)
    steps = _from_background(model, images, background)
    return np.asarray((steps * total / INTEGRATION_STEPS).sum(axis=3))


def _network_on_the_way(model: Model, share: float, background: int) -> Network:
    """Return the network that reads from an image what the model would read `share` of the way from the background.

    Images are bytes, so the way is gone in the input's scale and offset, where nothing has to be rounded.
    """
    image = model.architecture.input
    offset = image.offset + image.scale * background * (1 - share)
    moved = replace(model.architecture, input=replace(image, scale=image.scale * share, offset=offset))
    return open_network(moved, model.weights)


def _occlusion(model: Model, images: NDArray[np.uint8], targets: NDArray[np.integer[Any]], background: int) -> Maps:
    height, width = images.shape[1:3]
    side = max(1, round(min(height, width) / _PATCHES))
    step = max(1, side // 2)
    indices = np.arange(len(images))
    whole = model.logits(images)[indices, targets].astype(np.float64)
    falls, covered = np.zeros(images.shape[:3]), np.zeros((height, width))
    corners = [(top, left) for top in _starts(height, side, step) for left in _starts(width, side, step)]
    at_once = max(1, _IMAGES_AT_ONCE // len(images))  # places: a call for a few images would keep few threads busy
    for first in range(0, len(corners), at_once):
        check_deadline()
        now = corners[first : first + at_once]
        blanked = np.broadcast_to(images, (len(now), *images.shape)).copy()
        for patched, (top, left) in zip(blanked, now, strict=True):
            patched[:, top : top + side, left : left + side] = background
        answers = logits_of_distinct(model, blanked.reshape(-1, *images.shape[1:])).reshape(len(now), len(images), -1)
        for answer, (top, left) in zip(answers, now, strict=True):
            fall = whole - answer[indices, targets]
            falls[:, top : top + side, left : left + side] += fall[:, None, None]
            covered[top : top + side, left : left + side] += 1
    return np.asarray(falls / covered)


def _starts(pixels: int, side: int, step: int) -> list[int]:
    """Return where squares of `side` begin so that they cover all `pixels`, the last one flush with the end."""
    return sorted({*range(0, pixels - side + 1, step), pixels - side})


_METHODS: Mapping[Method, Callable[[Model, NDArray[np.uint8], NDArray[np.integer[Any]], int], Maps]] = {
    "gradient_times_input": _gradient_times_input,
    "integrated_gradients": _integrated_gradients,
    "occlusion": _occlusion,
}
