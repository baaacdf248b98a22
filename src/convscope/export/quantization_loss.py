"""Find the layers that 8 bits spoil: compute each layer alone in 8 bits, and all in 8 bits but the weights of one.

Numbers are rounded to those that 8-bit integers stand for and computed with in float32, so any part of a network can be
rounded by itself. A layer in 8 bits has rounded weights and a rounded output; the scales are chosen as the format does.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convscope.data.datasets import evenly
from convscope.export.c_header.arithmetic import activate, compute_step, scale_images
from convscope.export.c_header.fixed_point import HIGHEST, LOWEST, Scale, choose_scale
from convscope.export.c_header.quantization import MARGIN, QuantizedStep, quantize, split_images
from convscope.export.c_header.steps import ComputedStep, plan_steps
from convscope.export.records import LayerLoss, QuantizationLoss, compare_logits
from convscope.training.model import Model

Array = NDArray[Any]
"""float32 here."""
_MAX_IMAGES, _MIN_IMAGES = 1000, 50
_MAX_MACS = 5e10  # of all images and layers: some seconds
_BLOCK_VALUES = 2**20  # numbers of all steps at a time, few enough for the processor's cache


@dataclass(frozen=True)
class _Scheme:
    """How a format quantises.

    Attributes:
        margin: what the ranges of the calibration images are multiplied by.
        stride: the ranges come from every so many calibration images.
        float_kinds: kinds of layers whose weights stay float. If there are any, so do the sums of a dense layer
            without a relu.
        rounds_logits: true if the logits have 8 bits, too.
        splits_normalization: true if a batch normalisation that is not folded rounds its product before its sum.
    """

    margin: float = 1.0
    stride: int = 1
    float_kinds: frozenset[str] = frozenset()
    rounds_logits: bool = False
    splits_normalization: bool = False


_SCHEMES: Mapping[str, _Scheme] = {
    "c": _Scheme(margin=MARGIN, stride=2),
    "onnx": _Scheme(float_kinds=frozenset({"BatchNormalization", "PReLU"})),
    "tflite": _Scheme(rounds_logits=True, splits_normalization=True),
}


def measure_layers_in_int8(
    model: Model,
    calibration_images: NDArray[np.uint8],
    images: NDArray[np.uint8],
    format: str = "c",
    float_layers: Sequence[str] = (),
) -> QuantizationLoss:
    """Measure what 8 bits in each layer of `model` change on images (N, H, W, C) uint8, as `format` quantises it.

    Args:
        calibration_images: (M, H, W, C) uint8, those that the export is given.
        images: at most 1,000 of them are computed, sampled evenly, and fewer of a large network.
        format: c, onnx or tflite.
        float_layers: layers whose weights stay float.

    Raises:
        ConvscopeError: if the model is an ensemble, or computes numbers that are not finite.
    """
    scheme = _SCHEMES[format]
    simulation = _Simulation(model, calibration_images, scheme)
    steps = [quantized.step for quantized in simulation.network.steps]
    kinds = {layer.name: layer.kind for layer in model.architecture.layers}
    layers: dict[str, list[int]] = defaultdict(list)  # the steps that round, by the layer's name
    for number, step in enumerate(steps):
        if kinds[step.layers[0]] == "PReLU" and format != "c":  # one operator there, whose last step gives the output
            layers[step.layers[0]] = [number]
        elif step.kind not in ("max_pool", "pad"):
            layers[step.layers[0]].append(number)
    macs = max(model.architecture.macs * (len(layers) + 1), 1)
    count = int(np.clip(_MAX_MACS / macs, _MIN_IMAGES, _MAX_IMAGES))
    images = images[evenly(len(images), count)]
    outputs = frozenset(number for numbers in layers.values() for number in numbers)
    in_float = {*float_layers, *(layer for layer in layers if kinds[layer] in scheme.float_kinds)}
    weights = frozenset(n for n in outputs if steps[n].kernel is not None and not in_float & {*steps[n].layers})
    blocks = []
    for block in split_images(tuple(steps), model.architecture.input, images, _BLOCK_VALUES):
        exact, rounded = simulation.start(block)
        logits = [simulation.compute(exact, frozenset(), frozenset()), simulation.compute(rounded, weights, outputs)]
        for numbers in layers.values():
            part, start = frozenset(numbers), numbers[0] + 1  # values before its first step are computed already
            logits.append(simulation.compute(exact[:start], part & weights, part & outputs))
            logits.append(simulation.compute(rounded[:start], weights - part, outputs) if part & weights else logits[1])
        blocks.append(logits)
    expected, *others = (np.concatenate(parts) for parts in zip(*blocks, strict=True))
    total, *differences = (compare_logits(expected, logits) for logits in others)
    losses = [
        LayerLoss(layer=layer, alone=alone, without=without if weights & {*layers[layer]} else None)
        for layer, alone, without in zip(layers, differences[::2], differences[1::2], strict=True)
    ]
    losses.sort(key=lambda loss: (-loss.alone.num_changed, -loss.alone.largest))
    return QuantizationLoss(num_images=len(images), total=total, layers=tuple(losses))


class _Simulation:
    """A network whose steps may have rounded weights, and rounded outputs.

    Attributes:
        network: the same in integers.
    """

    def __init__(self, model: Model, calibration_images: NDArray[np.uint8], scheme: _Scheme) -> None:
        plan = plan_steps(model, splits_normalization=scheme.splits_normalization)
        self.network = quantize(model, calibration_images[:: scheme.stride], plan, scheme.margin)
        self._has_float_sums = bool(scheme.float_kinds)
        self._exact, self._rounded = list[ComputedStep](), list[ComputedStep]()
        for quantized in self.network.steps:
            step, kernel = quantized.step, quantized.kernel
            if step.kernel is not None and step.bias is not None and kernel is not None:
                scales = quantized.units / quantized.input_scales[0].scale
                kernel = kernel * (scales.reshape(kernel.shape[2:]) if step.kind == "depthwise" else scales)
                step = replace(step, kernel=step.kernel.astype(np.float32), bias=step.bias.astype(np.float32))
                self._rounded.append(replace(step, kernel=kernel.astype(np.float32)))
            else:
                self._rounded.append(step)
            self._exact.append(step)
        logits = model.logits(calibration_images)
        self._logit_scale = choose_scale(float(logits.min()), float(logits.max())) if scheme.rounds_logits else None

    def start(self, images: NDArray[np.uint8]) -> tuple[list[Array], list[Array]]:
        """Start two lists of values with the numbers of images, as they are and rounded."""
        image = scale_images(images, self.network.image.scale, self.network.image.offset).astype(np.float32)
        return [image], [_round(image, self.network.scales[0])]

    def compute(self, values: list[Array], weights: frozenset[int], outputs: frozenset[int]) -> Array:
        """Append to `values` those that are missing, and return the last: the logits (N, K).

        Args:
            weights, outputs: the steps whose weights and whose outputs are rounded.
        """
        for number in range(len(values) - 1, len(self._exact)):
            quantized = self.network.steps[number]
            step = (self._rounded if number in weights else self._exact)[number]
            y = compute_step(step, [values[value] for value in step.reads])
            if number in outputs and self._rounds_sums(quantized):
                y = _round(y, quantized.sum_scale)
            y = activate(step.activation, step.slope, y)
            if number in outputs:
                y = _round(y, quantized.output_scale or self._logit_scale)
            values.append(y.astype(np.float32, copy=False))
        return values[-1].reshape(len(values[-1]), -1)

    def _rounds_sums(self, quantized: QuantizedStep) -> bool:
        """True if a step's sums have 8 bits before its activation, which then reads 256 numbers."""
        is_relu = quantized.step.activation in ("relu6", "leaky_relu")
        return quantized.table is not None and (quantized.step.kind != "dense" or is_relu or not self._has_float_sums)


def _round(x: Array, scale: Scale | None) -> Array:
    """Round numbers to those of 8-bit integers."""
    if scale is None:
        return x
    steps = np.floor((x - np.float32(scale.residue)) / np.float32(scale.scale) + np.float32(0.5))
    steps = np.clip(steps, LOWEST - scale.zero, HIGHEST - scale.zero)
    return np.asarray(steps * np.float32(scale.scale) + np.float32(scale.residue), np.float32)
