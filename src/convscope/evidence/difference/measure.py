"""Compare two networks layer by layer: structure, weights, outputs on the same images, and the answers these change."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from msgspec import structs
from numpy.typing import NDArray

from convscope.architecture import Architecture
from convscope.base.errors import ConvscopeError
from convscope.evidence.difference.records import (
    ChangedAnswer,
    Compared,
    LayerDifference,
    NetworkDifference,
    OutputDifference,
    WeightDifference,
)
from convscope.evidence.difference.stages import Stage, describe_changes, list_stages, match_stages
from convscope.training.folding import WEIGHTED, Plan, make_plan
from convscope.training.model import Model

_BLOCK = 100  # images at once; the maps of the widest preset then take about 40 MB
_CLOSE = 0.1  # of the largest weight; 8 bits change weights by less than a hundredth, 4 bits by a fourteenth
_MAX_CHANGED = 100  # changed answers that are listed
_Pair = tuple[Stage | None, Stage | None]


def compare_networks(
    a: Model,
    b: Model,
    images: NDArray[np.uint8],
    *,
    described: tuple[Compared, Compared],
    images_name: str = "images",
    notes: Sequence[str] = (),
    on_progress: Callable[[int, int], None] | None = None,
) -> NetworkDifference:
    """Compare two networks.

    Args:
        images: (N, H, W, C) uint8; if the networks read other images than each other, none is used.
        described: what the networks are called.
        images_name: the images in words, after their number.
        notes: sentences for the result.
        on_progress: called with the number of images so far and in all.

    Raises:
        ConvscopeError: if a network gives logits that are not finite.
    """
    image, other_image = a.architecture.input, b.architecture.input
    # Where they scale bytes differently, the scaling becomes part of the first weights.
    folds = not np.allclose((image.scale, image.offset), (other_image.scale, other_image.offset), rtol=1e-6, atol=1e-9)
    plans = make_plan(a, fold=True, fold_input=folds), make_plan(b, fold=True, fold_input=folds)
    first, second = (list_stages(plan) for plan in plans)
    pairs: list[_Pair] = [
        (None if i is None else first[i], None if j is None else second[j]) for i, j in match_stages(first, second)
    ]
    partner = {-1: -1} | {
        first.index(left): second.index(right) for left, right in pairs if left is not None and right is not None
    }
    layers = [_compare_layer(left, right, partner) for left, right in pairs]
    notes = [*notes, *_describe_inputs(a, b, plans)]
    result = NetworkDifference(
        a=described[0],
        b=described[1],
        notes=tuple(notes),
        layers=tuple(layers),
        images="",
        num_images=0,
        logits=None,
        num_changed=None,
        changed=(),
    )
    if image.shape != other_image.shape or a.architecture.num_classes != b.architecture.num_classes:
        return result
    outputs, logits, answers = _compare_outputs(a, b, pairs, images, on_progress)
    layers = [structs.replace(layer, outputs=output) for layer, output in zip(layers, outputs, strict=True)]
    changed = np.flatnonzero(answers[0] != answers[1])
    if changed.size:
        layers = _swap_weights((a, b), plans, pairs, layers, images, is_same_structure=result.is_same_structure)
    return structs.replace(
        result,
        layers=tuple(layers),
        images=images_name,
        num_images=len(images),
        logits=logits,
        num_changed=len(changed),
        changed=tuple(
            ChangedAnswer(image=int(i), a=a.class_names[answers[0][i]], b=b.class_names[answers[1][i]])
            for i in changed[:_MAX_CHANGED]
        ),
    )


def find_scaling_between(a: Model, b: Model) -> tuple[float, float]:
    """Find the scale and the offset of bytes with which `a`, which has none, would compute what `b` does.

    `b` may have its scaling in the weights of its first layer. If these are close to a multiple of the weights of `a`,
    the factor is the scale, and what the biases differ by is the offset times the sum of each filter's weights.
    """
    image = b.architecture.input
    first, second = (
        next((stage for stage in make_plan(model, fold=True, fold_input=True).stages if stage.kind in WEIGHTED), None)
        for model in (a, b)
    )
    if first is None or second is None or first.weights["kernel"].shape != second.weights["kernel"].shape:
        return image.scale, image.offset
    kernel, target = first.weights["kernel"], second.weights["kernel"]
    scale = float((kernel * target).sum() / max((kernel**2).sum(), 1e-30))
    if image.scale != 1 or np.abs(target - scale * kernel).max() > _CLOSE * np.abs(target).max():
        return image.scale, image.offset
    sums = kernel.sum(axis=(0, 1) if first.kind == "DepthwiseConv2D" else tuple(range(kernel.ndim - 1))).ravel()
    biases = second.weights.get("bias", 0) - first.weights.get("bias", np.zeros(len(sums)))
    return scale, float((sums * biases).sum() / max((sums**2).sum(), 1e-30))


def describe(name: str, program: str, architecture: Architecture) -> Compared:
    """Describe a network for the heading of a comparison."""
    return Compared(name=name, program=program, num_layers=len(architecture.layers), parameters=architecture.parameters)


def _describe_inputs(a: Model, b: Model, plans: tuple[Plan, Plan]) -> list[str]:
    first, second = a.architecture.input, b.architecture.input
    if first.shape != second.shape:
        return [f"A reads images of {_to_text(first.shape)}, B of {_to_text(second.shape)}."]
    if np.allclose((plans[0].scale, plans[0].offset), (plans[1].scale, plans[1].offset), rtol=1e-6, atol=1e-9):
        return []
    formulas = [f"byte · {plan.scale:.6g} + {plan.offset:.6g}" for plan in plans]
    return [f"A reads {formulas[0]}, B {formulas[1]}."]


def _to_text(shape: Sequence[int]) -> str:
    return " × ".join(map(str, shape))


def _compare_layer(a: Stage | None, b: Stage | None, partner: Mapping[int, int]) -> LayerDifference:
    if a is None or b is None:
        only = a or b
        assert only is not None
        names = (only.layer, None) if b is None else (None, only.layer)
        return LayerDifference(a=names[0], b=names[1], kind=only.label, change="", weights=None, outputs=None)
    change = describe_changes(a, b)
    reads = tuple(partner.get(number, -2) for number in a.reads)
    # The order of what is added does not matter.
    if not change and (sorted(reads) != sorted(b.reads) if a.kind == "Add" else reads != b.reads):
        change = f"{a.label} reads other layers"
    return LayerDifference(
        a=a.layer, b=b.layer, kind=a.label, change=change, weights=_compare_weights(a, b), outputs=None
    )


def _compare_weights(a: Stage, b: Stage) -> WeightDifference | None:
    if not a.weights or {n: w.shape for n, w in a.weights.items()} != {n: w.shape for n, w in b.weights.items()}:
        return None
    first, second = (np.concatenate([stage.weights[name].ravel() for name in a.weights]) for stage in (a, b))
    distance = np.abs(first - second)
    return WeightDifference(
        equal=bool((first == second).all()),
        largest=float(distance.max()),
        mean=float(distance.mean()),
        largest_weight=float(np.abs(first).max()),
    )


class _Sums:
    """The difference of two outputs over all blocks of images."""

    def __init__(self) -> None:
        self.largest, self.total, self.count, self.size = 0.0, 0.0, 0, 0.0

    def add(self, a: NDArray[Any], b: NDArray[Any]) -> None:
        distance = np.abs(a.astype(np.float64) - b)
        self.largest, self.size = max(self.largest, distance.max()), max(self.size, np.abs(a).max())
        self.total, self.count = self.total + distance.sum(), self.count + distance.size

    def to_record(self) -> OutputDifference:
        mean = self.total / self.count
        return OutputDifference(largest=float(self.largest), mean=float(mean), largest_output=float(self.size))


def _compare_outputs(
    a: Model,
    b: Model,
    pairs: Sequence[_Pair],
    images: NDArray[np.uint8],
    on_progress: Callable[[int, int], None] | None,
) -> tuple[list[OutputDifference | None], OutputDifference, NDArray[np.int64]]:
    """Compare the outputs of each pair and the logits; also return the answers (2, N)."""
    compared = [
        left is not None and right is not None and left.facts["output"] == right.facts["output"]
        for left, right in pairs
    ]
    sums, logits, answers = [_Sums() for _ in pairs], _Sums(), np.zeros((2, len(images)), np.int64)
    for start in range(0, len(images), _BLOCK):
        block = np.ascontiguousarray(images[start : start + _BLOCK])
        both = a.logits(block), b.logits(block)
        for letter, numbers in zip("AB", both, strict=True):
            if not np.isfinite(numbers).all():
                raise ConvscopeError(
                    f"{letter} gives logits that are not finite for these images; train it again, or import it with "
                    f"another scaling"
                )
        logits.add(*both)
        answers[:, start : start + len(block)] = [numbers.argmax(axis=1) for numbers in both]
        names = [[stage.output for stage in side if stage is not None] for side in zip(*pairs, strict=True)]
        first, second = a.activations(block, names[0]), b.activations(block, names[1])
        for number, (left, right) in enumerate(pairs):
            if compared[number] and left is not None and right is not None:
                sums[number].add(first[left.output], second[right.output])
        if on_progress is not None:
            on_progress(start + len(block), len(images))
    outputs = [total.to_record() if is_compared else None for total, is_compared in zip(sums, compared, strict=True)]
    # The last layer's activations are probabilities, or logits if its file has no softmax.
    if compared and compared[-1]:
        outputs[-1] = logits.to_record()
    return outputs, logits.to_record(), answers


def _swap_weights(
    models: tuple[Model, Model],
    plans: tuple[Plan, Plan],
    pairs: Sequence[_Pair],
    layers: Sequence[LayerDifference],
    images: NDArray[np.uint8],
    *,
    is_same_structure: bool,
) -> list[LayerDifference]:
    """Count the answers that the weights of each layer change, alone and as the only ones that do not."""
    a, b = (_fold_model(model, plan) for model, plan in zip(models, plans, strict=True))
    expected, result = a.predict(images), list(layers)
    for number, (layer, (left, right)) in enumerate(zip(layers, pairs, strict=True)):
        if layer.weights is None or layer.weights.equal or left is None or right is None or left.kind not in WEIGHTED:
            continue
        # In another structure, a layer may have another task, such as the scaling of its neighbour.
        if not is_same_structure and layer.weights.largest > _CLOSE * layer.weights.largest_weight:
            continue
        with_b, with_a = (
            replace(model, weights={**model.weights, **_name_weights(stage.layer, weights)})
            for model, stage, weights in ((a, left, right.weights), (b, right, left.weights))
        )
        result[number] = structs.replace(
            layer,
            changed_alone=int((with_b.predict(images) != expected).sum()),
            changed_without=int((with_a.predict(images) != expected).sum()),
        )
    return result


def _fold_model(model: Model, plan: Plan) -> Model:
    """Make the same network with batch normalisations folded into the layers before them, as in `plan`."""
    architecture, weights = model.architecture, dict(model.weights)
    folded = {stage.name: stage for stage in plan.stages}
    layers = []
    layer: Any
    for layer in architecture.layers:
        stage = folded.get(layer.name)
        if stage is None and layer.kind == "BatchNormalization":  # folded: √(variance + ε) = 1, so it changes nothing
            for name, value in (("gamma", 1), ("beta", 0), ("moving_mean", 0), ("moving_variance", 1 - layer.epsilon)):
                weights[f"{layer.name}/{name}"] = np.full_like(weights[f"{layer.name}/{name}"], value)
        elif stage is not None and layer.kind in WEIGHTED:
            bias = np.zeros(stage.output_shape[-1])
            weights |= _name_weights(layer.name, {"bias": bias, **stage.weights})
            layer = replace(layer, use_bias=True)
        layers.append(layer)
    image = replace(architecture.input, scale=plan.scale, offset=plan.offset)
    return replace(model, architecture=replace(architecture, input=image, layers=tuple(layers)), weights=weights)


def _name_weights(layer: str, weights: Mapping[str, NDArray[np.float64]]) -> dict[str, NDArray[np.float32]]:
    return {f"{layer}/{name}": array.astype(np.float32) for name, array in weights.items()}
