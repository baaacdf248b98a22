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
from convscope.export.records import Difference, LayerLoss, QuantizationLoss
from convscope.training.model import Model

Array = NDArray[Any]
"""float32 here."""
_MAX_IMAGES, _MIN_IMAGES = 1000, 50
_MAX_MACS = 3e10  # of all images and layers: some seconds
_BLOCK_VALUES = 2**20  # numbers of all steps at a time, few enough for the processor's cache


@dataclass(frozen=True)
class _Scheme:
    """How a format quantises.

    Attributes:
        margin: what the ranges of the calibration images are multiplied by.
        stride: the ranges come from every so many calibration images.
        float_kinds: kinds of layers whose weights stay float. If there are any, so do the sums of a dense layer
            without a relu.
        rounds_inside: true if a `PReLU` is several steps, each with a rounded output.
        rounds_logits: true if the logits have 8 bits, too.
        splits_normalization: true if a batch normalisation that is not folded rounds its product before its sum.
    """

    margin: float = 1.0
    stride: int = 1
    float_kinds: frozenset[str] = frozenset()
    rounds_inside: bool = False
    rounds_logits: bool = False
    splits_normalization: bool = False


_SCHEMES: Mapping[str, _Scheme] = {
    "c": _Scheme(margin=MARGIN, stride=2, rounds_inside=True),
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
    layers: dict[str, list[int]] = defaultdict(list)  # the steps that round, by the layer's name
    for number, step in enumerate(steps):
        if step.kind not in ("max_pool", "pad"):
            layers[step.layers[0]].append(number)
    count = int(np.clip(_MAX_MACS / (model.architecture.macs * (len(layers) + 1)), _MIN_IMAGES, _MAX_IMAGES))
    images = images[evenly(len(images), count)]
    kinds = {layer.name: layer.kind for layer in model.architecture.layers}
    outputs = frozenset(
        number
        for layer, numbers in layers.items()
        for number in (numbers if scheme.rounds_inside or kinds[layer] != "PReLU" else numbers[-1:])
    )
    weights = frozenset(
        number
        for layer, numbers in layers.items()
        for number in numbers
        if steps[number].kernel is not None
        and kinds[layer] not in scheme.float_kinds
        and not {*float_layers} & {*steps[number].layers}
    )
    expected, total, alone, without = list[Array](), list[Array](), defaultdict(list), defaultdict(list)
    for block in split_images(tuple(steps), model.architecture.input, images, _BLOCK_VALUES):
        exact, rounded = simulation.compute_image(block)
        expected.append(simulation.compute(exact, frozenset(), frozenset()))
        total.append(simulation.compute(rounded, weights, outputs))
        for layer, numbers in layers.items():
            part, start = frozenset(numbers), numbers[0] + 1  # values before its first step are computed already
            alone[layer].append(simulation.compute(exact[:start], part & weights, part & outputs))
            if part & weights:
                without[layer].append(simulation.compute(rounded[:start], weights - part, outputs))
    losses = [
        LayerLoss(
            layer=layer,
            alone=_compare(expected, alone[layer]),
            without=_compare(expected, without[layer]) if layer in without else None,
        )
        for layer in layers
    ]
    losses.sort(key=lambda loss: (-loss.alone.num_changed, -loss.alone.largest))
    return QuantizationLoss(num_images=len(images), total=_compare(expected, total), layers=tuple(losses))


class _Simulation:
    """A network of which each step may have rounded weights, and a rounded output.

    Attributes:
        network: the same in integers.
    """

    def __init__(self, model: Model, calibration_images: NDArray[np.uint8], scheme: _Scheme) -> None:
        steps = plan_steps(model, splits_normalization=scheme.splits_normalization)
        self.network = quantize(model, calibration_images[:: scheme.stride], steps, scheme.margin)
        self._scheme = scheme
        self._exact = [_with_kernel(quantized.step, None) for quantized in self.network.steps]
        self._rounded = [_with_kernel(quantized.step, _to_kernel(quantized)) for quantized in self.network.steps]
        logits = model.logits(calibration_images)
        self._logit_scale = choose_scale(float(logits.min()), float(logits.max())) if scheme.rounds_logits else None

    def compute_image(self, images: NDArray[np.uint8]) -> tuple[list[Array], list[Array]]:
        """Compute the numbers of images, as they are and rounded, each as the first value of a list."""
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
        is_float = quantized.step.kind == "dense" and not is_relu and bool(self._scheme.float_kinds)
        return quantized.table is not None and not is_float


def _to_kernel(quantized: QuantizedStep) -> NDArray[np.float64] | None:
    """Compute the kernel that the integers of a step stand for."""
    if quantized.kernel is None:
        return None
    units: Array | None = quantized.logit_scales  # what 1 stands for in the sums of each channel
    if units is None:
        assert quantized.multipliers is not None
        assert quantized.shifts is not None
        assert quantized.sum_scale is not None
        units = np.ldexp(quantized.multipliers, -quantized.shifts) * quantized.sum_scale.scale
    scales = np.asarray(units, np.float64) / quantized.input_scales[0].scale
    return quantized.kernel * (
        scales.reshape(quantized.kernel.shape[2:]) if quantized.step.kind == "depthwise" else scales
    )


def _with_kernel(step: ComputedStep, kernel: NDArray[np.float64] | None) -> ComputedStep:
    """Give a step its weights in float32, and another kernel if there is one."""
    if step.kernel is None or step.bias is None:
        return step
    kernel = step.kernel if kernel is None else kernel
    return replace(step, kernel=kernel.astype(np.float32), bias=step.bias.astype(np.float32))


def _round(x: Array, scale: Scale | None) -> Array:
    """Round numbers to those of 8-bit integers."""
    if scale is None:
        return x
    steps = np.floor((x - np.float32(scale.residue)) / np.float32(scale.scale) + np.float32(0.5))
    steps = np.clip(steps, LOWEST - scale.zero, HIGHEST - scale.zero)
    return np.asarray(steps * np.float32(scale.scale) + np.float32(scale.residue), np.float32)


def _compare(expected: list[Array], logits: list[Array]) -> Difference:
    a, b = np.concatenate(expected), np.concatenate(logits)
    changed = int((a.argmax(axis=1) != b.argmax(axis=1)).sum())
    return Difference(num_changed=changed, largest=float(np.abs(a - b).max()))
