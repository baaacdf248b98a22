"""Attribute a logit to the pixels of an image, by two methods.

With z the logit, x the image as the network reads it, and x0 an empty image, all background:

    gradient times input    (x - x0) · dz/dx at x
    integrated gradients    (x - x0) · the mean of dz/dx on the straight path from x0 to x

If z = 2 a - b for two pixels, and they are a, b = 3, 1 on a background of 0, both give the pixels 6 and -1: their
parts of z. A network is not linear, so there the methods differ: the gradient sees tiny changes at the image only, and
integrated gradients the whole way from the background.

A map shows how a logit of this network depends on the pixels near this image. Each method has its own meaning of
"depends"; they disagree, and none explains why the network is as it is.
"""

from dataclasses import replace
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from convscope.base.arguments import checked
from convscope.base.deadline import check_deadline
from convscope.engine import Network, open_network
from convscope.engine.loss import dlogits_of_logit
from convscope.training.model import Model

Method = Literal["gradient_times_input", "integrated_gradients"]
METHODS: tuple[Method, ...] = get_args(Method)

Maps = NDArray[np.float64]
"""(N, H, W), a number for each pixel, summed over its channels."""

INTEGRATION_STEPS = 32  # steps of the path from the background to the image


@checked
def attribute(
    model: Model, images: NDArray[np.uint8], targets: NDArray[np.integer[Any]], method: Method, *, background: int = 0
) -> Maps:
    """Score the pixels of `images` (N, H, W, C) uint8 by their contribution to each image's logit `targets` (N,).

    Logits are explained, not probabilities: a probability also falls because another logit rises. Scores are signed,
    below zero where a pixel opposes the logit.

    Args:
        background: the grey level, 0 to 255, of an empty image, x0.

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
    # x - x0 (N, H, W, C) after the network's scaling, in which its offset cancels.
    steps = (images.astype(np.float64) - background) * model.architecture.input.scale
    if method == "gradient_times_input":
        gradients = _input_gradients(model.network, images, targets)
    else:
        gradients = _integrate_gradients(model, images, targets, background)
    return np.asarray((steps * gradients).sum(axis=3))


def _integrate_gradients(
    model: Model, images: NDArray[np.uint8], targets: NDArray[np.integer[Any]], background: int
) -> NDArray[np.float64]:
    """Average dz/dx (N, H, W, C) along the path from the background to the image."""
    total = np.zeros(images.shape)
    for step in range(INTEGRATION_STEPS):
        share = (step + 0.5) / INTEGRATION_STEPS  # midpoints, whose error falls with the square of the steps
        total += _input_gradients(_make_intermediate_network(model, share, background), images, targets)
    return total / INTEGRATION_STEPS  # a power of two, so nothing is rounded


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
