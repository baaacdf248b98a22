"""The image that activates a filter most: `synthesize` finds it by gradient ascent from grey, no data set needed.

What it finds is a local maximum from one start, under the regularisation of its parameters: another start finds another
image, and none of them need look like anything that the network was trained on. Real images tell people more about a
filter than such images do (Borowski and others 2020).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, cast

import numpy as np
from numpy.typing import NDArray

from convscope.architecture import Architecture, Branch, Dense, DepthwiseConv2D, Flatten
from convscope.architecture.table import leading_to
from convscope.base.arguments import Seed, checked
from convscope.base.records import Count, Fraction, NonNegative, Positive, Record, from_attributes
from convscope.base.streams import random_stream
from convscope.engine import Network, open_network
from convscope.evidence.explanation.filter_layers import FilterLayer, Window, filter_layers
from convscope.evidence.records import Coordinate
from convscope.training.model import Model

_GREY = 127.5
_NOISES = (8.0, 32.0, 128.0)  # standard deviations of the start around grey, in grey levels, the first that will do
_REGULARISED = 0.75  # of the steps; the rest sharpens what they have found


class SynthesisRecord(Record, kw_only=True):
    """How images were made for filters, and for which place of the map; the attributes are those of `Synthesis`."""

    method: Literal["gradient ascent"]
    place: tuple[Coordinate, Coordinate]
    steps: Positive
    step_size: NonNegative
    jitter: Count
    blur: NonNegative
    decay: Fraction
    seed: int


@dataclass(frozen=True, eq=False)
class Synthesis:
    """Images made for the filters of one layer, one each.

    Attributes:
        filters: a channel of the layer's map, or a number of its vector, for each image.
        images: (n, H, W, C) uint8. Outside `window` they are noise, which the filter does not see.
        place: (row, column), the middle of the feature map, whose output was made high.
        window: the pixels that this place reads: what was changed.
        activations: (n,) float32, the filter's highest output on its image, anywhere on the map.
        start_activations: (n,) float32, the same on the image that the ascent began with.
        steps, step_size, jitter, blur, decay, seed: how they were made; see `synthesize`.
    """

    layer: str
    filters: tuple[int, ...]
    images: NDArray[np.uint8] = field(repr=False)
    place: tuple[int, int]
    window: Window
    activations: NDArray[np.float32] = field(repr=False)
    start_activations: NDArray[np.float32] = field(repr=False)
    steps: int
    step_size: float
    jitter: int
    blur: float
    decay: float
    seed: int

    def to_record(self) -> SynthesisRecord:
        return from_attributes(SynthesisRecord, self, method="gradient ascent")


@checked
def synthesize(
    model: Model,
    layer: str,
    filters: Sequence[int] | None = None,
    *,
    steps: int = 128,
    step_size: float = 48.0,
    jitter: int = 1,
    blur: float = 0.6,
    decay: float = 0.005,
    seed: Seed = 0,
) -> Synthesis:
    """Return for each of `filters` of `layer` (all by default) an image that activates its middle output strongly.

    The output is taken before its activation, which rises wherever the output does (of gelu: where it is positive), so
    that the gradient does not vanish where a relu is silent. Each step moves an image along its gradient, divided by
    the root of its mean square over the window, and cuts it off at 0 and 255; the steps shrink evenly to nothing. For
    the first three quarters it is regularised, less and less. The ascent goes on in floats; only what the network reads
    is rounded to whole grey levels.

    Args:
        layer: a convolution, or in a network without one a hidden dense layer.
        steps: how many steps are taken from grey with a little noise, or with more where the layers before are silent
            at grey.
        step_size: the first step, root mean square of its pixels in grey levels.
        jitter: by how many pixels at most the image is moved before a gradient is taken (an eighth of the window's
            shorter side at most).
        blur: the standard deviation in pixels of a Gaussian blur after each step; where the window is narrower than 5
            pixels there is none.
        decay: the share of its distance from grey that each pixel loses in a step.
        seed: of the start and the jitter.

    Raises:
        KeyError: for a layer that has no such filters.
        ValueError: if a filter is not one of the layer's or none is given, or a number is out of its range.

    Source: Erhan and others 2009, section 3; the decay: Simonyan and others 2014, equation 1; the blur: Yosinski and
    others 2015, section 3; the jitter: Mordvintsev and others 2015, as in Olah and others 2017.
    """
    found = _filter_layer(model, layer)
    chosen = tuple(range(found.num_filters)) if filters is None else tuple(int(one) for one in filters)
    _check(found, chosen, steps=steps, step_size=step_size, jitter=jitter, blur=blur, decay=decay)
    height, width, channels = model.architecture.input.shape
    middle = ((found.map_size[0] - 1) // 2, (found.map_size[1] - 1) // 2)
    window = found.window(middle, (height, width))
    side = min(window[2] - window[0], window[3] - window[1])
    jitter, blur = min(jitter, side // 8), blur if side >= 5 else 0.0
    stream = random_stream(seed, "synthesis")
    is_alone = _is_window_enough(model.architecture, found)
    network = _picking_network(model, found, chosen, middle, window if is_alone else None)
    start = _start(network, window, stream.normal(0, 1, (1, height, width, channels)), len(chosen))
    made = _ascend(
        network,
        start,
        window,
        stream.integers(-jitter, jitter, (steps, 2), endpoint=True),
        step_size=step_size,
        blur=blur,
        decay=decay,
    )
    name = found.row.layer.name
    return Synthesis(
        layer,
        chosen,
        made,
        middle,
        window,
        _highest(model, name, chosen, made),
        _highest(model, name, chosen, _rounded(start)),
        steps=steps,
        step_size=step_size,
        jitter=jitter,
        blur=blur,
        decay=decay,
        seed=seed,
    )


def _start(network: Network, window: Window, noise: NDArray[np.float64], count: int) -> NDArray[np.float64]:
    """Return images (count, H, W, C) to begin at: grey, each with as little of `noise` as lets its logit rise.

    Where every filter of the first layers is silent at grey no gradient comes through; noise wakes some. All take the
    same noise, so that each image is what it would be alone.
    """
    start, waiting = np.empty((count, *noise.shape[1:])), np.ones(count, bool)
    for strength in _NOISES:
        start[waiting] = np.clip(_GREY + strength * noise, 0, 255)
        gradient = _gradients(network, window, start)
        waiting &= ~gradient.reshape(count, -1).any(axis=1)
        if not waiting.any():
            break
    return start


def _ascend(
    network: Network,
    start: NDArray[np.float64],
    window: Window,
    shifts: NDArray[np.int64],
    *,
    step_size: float,
    blur: float,
    decay: float,
) -> NDArray[np.uint8]:
    """Return images (n, H, W, C), logit i of image i raised, by a step for each of the `shifts` (steps, 2)."""
    from scipy.ndimage import gaussian_filter

    top, left, bottom, right = window
    steps = len(shifts)
    sign = np.sign(network.architecture.input.scale)  # of the gradient by the pixel against that by the number read
    images = start.copy()
    for step, shift in enumerate(shifts):
        strength = max(0.0, 1 - step / (_REGULARISED * steps))
        moved = np.roll(images, shift, (1, 2)) if strength else images
        gradient = _gradients(network, window, moved)
        if strength:
            gradient = np.roll(gradient, -shift, (1, 2))
        inside = gradient[:, top:bottom, left:right]
        scale = np.sqrt(np.square(inside).mean(axis=(1, 2, 3), keepdims=True))
        rate = sign * step_size * (1 - step / steps)
        part = images[:, top:bottom, left:right] + rate * inside / np.where(scale > 0, scale, 1)
        if strength:
            part = _GREY + (1 - decay * strength) * (part - _GREY)
            if blur:
                part = gaussian_filter(part, (0, blur * strength, blur * strength, 0), mode="nearest")
        images[:, top:bottom, left:right] = np.clip(part, 0, 255)
    return _rounded(images)


def _gradients(network: Network, window: Window, images: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the gradient (n, H, W, C) of logit i by image i, for a network that reads images or their window alone."""
    dlogits = np.eye(len(images), network.architecture.num_classes)
    top, left, bottom, right = window
    if network.architecture.input.shape == images.shape[1:]:
        top, left, bottom, right = 0, 0, *images.shape[1:3]
    part = _rounded(images[:, top:bottom, left:right])
    gradients = np.zeros(images.shape)
    gradients[:, top:bottom, left:right] = network.layer_gradients(part, dlogits, ["input"])["input"]
    return gradients


def _is_window_enough(architecture: Architecture, found: FilterLayer) -> bool:
    """Return whether a network that reads an output's window alone computes that output, as it does without padding."""
    rows = architecture.table[: architecture.layers.index(found.row.layer) + 1]
    windows = [getattr(row.layer, "window", None) for row in rows]
    if any(isinstance(row.layer, Branch) for row in rows):
        return False  # the branches' windows may differ in size
    return all(
        row.input_shape == row.output_shape if window is None else window.padding == "valid"
        for row, window in zip(rows, windows, strict=True)
    )


def _picking_network(
    model: Model, found: FilterLayer, chosen: Sequence[int], middle: tuple[int, int], window: Window | None = None
) -> Network:
    """Return the network up to the filters' layer, its logits the chosen filters' middle outputs before activation.

    Of that layer only the chosen filters are computed, but for a depthwise one. The middle is picked by a depthwise
    kernel as large as the map, with a single one in it; a second logit, where only one filter is chosen, is zero.

    Args:
        window: of the middle, where the network is to read that alone, and its map is that one place.
    """
    image, map_size = model.architecture.input, found.map_size
    if window is not None:
        image = replace(image, height=window[2] - window[0], width=window[3] - window[1])
        map_size, middle = (1, 1), (0, 0)
    layers = list(model.architecture.layers)
    first, last = (model.architecture.row(name).layer for name in (found.layer, found.row.layer.name))
    block = {layer.name for layer in layers[layers.index(first) : layers.index(last) + 1]}
    changed: dict[str, dict[str, Any]] = {last.name: {"activation": "linear"}}
    picked = np.asarray(chosen)
    weights = dict(model.weights)
    if not isinstance(first, DepthwiseConv2D):
        changed.setdefault(first.name, {})["units" if isinstance(first, Dense) else "filters"] = len(chosen)
        for name in block:
            weights |= {key: weight[..., picked] for key, weight in weights.items() if key.startswith(f"{name}/")}
        picked = np.arange(len(chosen))
    kept: list[Any] = [
        replace(cast(Any, layer), **changed.get(layer.name, {}))
        for layer in leading_to(model.architecture.layers, last.name)
    ]
    added: list[Any] = [Dense(max(2, len(chosen)), use_bias=False)]
    is_map = len(found.row.output_shape) == 3
    if is_map:
        added = [DepthwiseConv2D(map_size, use_bias=False), Flatten(), *added]
    architecture = Architecture(image, (*kept, *added))
    shapes = architecture.weight_shapes
    names = [layer.name for layer in architecture.layers[len(kept) :]]
    weights = {name: weights[name] for name in shapes if name.partition("/")[0] not in names}
    if is_map:
        weights[f"{names[0]}/kernel"] = np.zeros(shapes[f"{names[0]}/kernel"], np.float32)
        weights[f"{names[0]}/kernel"][middle] = 1
    weights[f"{names[-1]}/kernel"] = np.zeros(shapes[f"{names[-1]}/kernel"], np.float32)
    weights[f"{names[-1]}/kernel"][picked, np.arange(len(chosen))] = 1
    return open_network(architecture, weights)


def _highest(model: Model, layer: str, filters: Sequence[int], images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return (n,), the highest output of each image's own filter."""
    outputs = model.activations(images, [layer])[layer]
    highest = outputs.reshape(len(images), -1, outputs.shape[-1]).max(axis=1)
    return np.asarray(highest[np.arange(len(filters)), list(filters)])


def _rounded(images: NDArray[np.float64]) -> NDArray[np.uint8]:
    return np.rint(images).astype(np.uint8)


def _filter_layer(model: Model, layer: str) -> FilterLayer:
    found = {one.layer: one for one in filter_layers(model.architecture)}
    if layer not in found:
        known = f"the layers are {', '.join(found)}" if found else "this network has none"
        raise KeyError(f"no layer {layer!r} with filters; {known}")
    return found[layer]


def _check(found: FilterLayer, filters: Sequence[int], **numbers: float) -> None:
    if not filters:
        raise ValueError("filters is empty; give at least one")
    for one in filters:
        if not 0 <= one < found.num_filters:
            raise ValueError(f"filter is {one}; {found.layer} has filters 0 to {found.num_filters - 1}")
    for name, least in (("steps", 1), ("jitter", 0), ("blur", 0), ("decay", 0)):
        if not numbers[name] >= least:
            raise ValueError(f"{name} is {numbers[name]}; it must be at least {least}")
    if not numbers["step_size"] > 0:
        raise ValueError(f"step_size is {numbers['step_size']}; it must be above 0")
    if not numbers["decay"] <= 1:
        raise ValueError(f"decay is {numbers['decay']}; it must be at most 1")
