"""The stages of a network in a form that does not depend on the program that wrote it, and the matching of two lists.

Two files of the same network differ in what they call layers: one has a batch normalisation of its own, another has it
in the weights of the convolution; one has an activation as a layer, another as a property; one pads in a layer of its
own. Here all are folded, and layers that compute nothing at prediction are left out.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, replace
from difflib import SequenceMatcher
from typing import Any
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from convscope.architecture.table import get_source_name
from convscope.training.folding import WEIGHTED, FoldedStage, Plan, compute_scale_and_shift

_MAX_NEIGHBOURS = 16  # stages before and behind a stage that tell it from its like
_SILENT = ("Branch", "Flatten", "Dropout")
# Fields of layers that say nothing about what they compute, or that a stage states in another form.
_NO_FACT = {"name", "from_layer", "padding", "use_bias", "activation", "negative_slope", "momentum", "rate"}


@dataclass(frozen=True, eq=False)
class Stage:
    """A layer with all that was folded into it.

    Attributes:
        kind: what it does; a depthwise convolution is one with a group for each channel.
        layer: the name of the layer that gives it its weights.
        label: the kind of that layer.
        output: the name of the layer that has its output.
        facts: what it computes, in words: the fields of its layer, zeros around its input, activation and shape.
        reads: the numbers of the stages that it reads, -1 for the image.
    """

    kind: str
    layer: str
    label: str
    output: str
    facts: Mapping[str, str]
    reads: tuple[int, ...]
    weights: Mapping[str, NDArray[np.float64]]

    @property
    def signature(self) -> tuple[object, ...]:
        shapes = {name: array.shape for name, array in self.weights.items()}
        return (self.kind, *sorted(self.facts.items()), *sorted(shapes.items()))


def list_stages(plan: Plan) -> list[Stage]:
    """List the stages of a plan that compute something, by their distance from the image.

    Files differ in the order of branches, so stages with the same distance are sorted by what they do.
    """
    stages: list[Stage] = []
    numbers = {"input": -1}  # of the stage that has the output of a layer
    current, pending = -1, ((0, 0), (0, 0))  # the stage that the next reads, and the zeros that wait for it
    read_again = {get_source_name(stage.layer) for stage in plan.stages}
    for position, stage in enumerate(plan.stages):
        source = get_source_name(stage.layer)
        if stage.kind == "Branch":
            current = numbers[source]
        elif stage.kind == "ZeroPadding2D" and _joins_next(plan, position, read_again):
            pending = stage.layer.padding
        elif stage.kind == "Activation" and current >= 0 and _takes_activation(stages[current], read_again):
            activation = "linear" if stage is plan.stages[-1] else _name_activation(stage)
            facts = {**stages[current].facts, "activation": activation}
            stages[current] = replace(stages[current], facts=facts, output=stage.outputs[-1])
        elif stage.kind not in _SILENT and (stage.kind, stage.activation) != ("Activation", "linear"):
            reads = (current, *([numbers[source]] if source else ()))
            facts = dict(_list_facts(stage, pending, is_last=stage is plan.stages[-1]))
            stages.append(_make_stage(stage, facts, reads))
            current, pending = len(stages) - 1, ((0, 0), (0, 0))
        numbers |= dict.fromkeys(stage.outputs, current)
    return _sort_stages(stages)


def _make_stage(stage: FoldedStage, facts: dict[str, str], reads: tuple[int, ...]) -> Stage:
    weights, kind = _name_weights(stage), stage.kind
    if kind == "DepthwiseConv2D":
        kind, kernel = "Conv2D", weights["kernel"]
        rows, columns, channels, multiplier = kernel.shape
        weights["kernel"] = kernel.reshape(rows, columns, 1, channels * multiplier)
        del facts["depth_multiplier"]
        facts |= {"filters": str(channels * multiplier), "groups": str(channels)}
    if kind == "GroupNormalization" and facts["groups"] == "1" and len(stage.output_shape) == 1:
        kind = "LayerNormalization"  # of a vector they are the same
        del facts["groups"]
    return Stage(kind, stage.name, stage.kind, stage.outputs[-1], facts, reads, weights)


def _sort_stages(stages: list[Stage]) -> list[Stage]:
    distances = {-1: 0}
    for number, stage in enumerate(stages):
        distances[number] = 1 + max(distances[source] for source in stage.reads)
    # Of branches that begin alike, what comes before and behind decides: a label of a stage and of its neighbours, and
    # then of theirs.
    labels = {-1: 0} | {number: crc32(repr(stage.signature).encode()) for number, stage in enumerate(stages)}
    readers = {number: [r for r, stage in enumerate(stages) if number in stage.reads] for number in labels}
    for _ in stages[:_MAX_NEIGHBOURS]:
        near = {
            number: (
                labels[number],
                *(sorted(labels[n] for n in numbers) for numbers in (stage.reads, readers[number])),
            )
            for number, stage in enumerate(stages)
        }
        labels = {-1: 0} | {number: crc32(repr(values).encode()) for number, values in near.items()}
    order = sorted(range(len(stages)), key=lambda n: (distances[n], str(stages[n].signature), labels[n]))
    positions = {-1: -1} | {number: position for position, number in enumerate(order)}
    return [
        replace(stages[number], reads=tuple(positions[source] for source in stages[number].reads)) for number in order
    ]


def match_stages(first: list[Stage], second: list[Stage]) -> Iterator[tuple[int | None, int | None]]:
    """Match the stages of two networks in their order; None stands for a stage that the other network lacks.

    Stages between the equal ones are matched by their kinds, as changed ones.
    """
    a, b = [stage.signature for stage in first], [stage.signature for stage in second]
    for tag, a0, a1, b0, b1 in SequenceMatcher(None, a, b, autojunk=False).get_opcodes():
        if tag == "equal":
            yield from zip(range(a0, a1), range(b0, b1), strict=True)
            continue
        kinds = [stage.kind for stage in first[a0:a1]], [stage.kind for stage in second[b0:b1]]
        for inner, i0, i1, j0, j1 in SequenceMatcher(None, *kinds, autojunk=False).get_opcodes():
            left, right = range(a0 + i0, a0 + i1), range(b0 + j0, b0 + j1)
            if inner == "equal":
                yield from zip(left, right, strict=True)
            else:
                yield from ((number, None) for number in left)
                yield from ((None, number) for number in right)


def describe_changes(first: Stage, second: Stage) -> str:
    """Describe in words how two matched stages differ in what they compute; "" if they do not."""
    names = dict.fromkeys([*first.facts, *second.facts])
    changes = [(name, first.facts.get(name, "none"), second.facts.get(name, "none")) for name in names]
    return ", ".join(f"{name.replace('_', ' ')} {old} → {new}" for name, old, new in changes if old != new)


def _joins_next(plan: Plan, position: int, read_again: set[str]) -> bool:
    """True if the zeros of a padding layer are read by the next convolution alone, which can add them itself."""
    following = plan.stages[position + 1 : position + 2]
    is_read = bool(read_again & set(plan.stages[position].outputs))
    return not is_read and any(stage.kind in WEIGHTED and hasattr(stage.layer, "window") for stage in following)


def _takes_activation(stage: Stage, read_again: set[str]) -> bool:
    return stage.facts.get("activation") == "linear" and stage.output not in read_again


def _list_facts(stage: FoldedStage, pending: Any, is_last: bool) -> Iterator[tuple[str, str]]:
    for field in fields(stage.layer):
        # The ε of a batch normalisation is part of its factor.
        if field.name not in _NO_FACT and (field.name != "epsilon" or stage.kind != "BatchNormalization"):
            value = getattr(stage.layer, field.name)
            if field.name == "dilation_rate":  # along an axis of one weight it does nothing
                value = tuple(
                    1 if size == 1 else rate for size, rate in zip(stage.layer.kernel_size, value, strict=True)
                )
            yield field.name, _to_text(value)
    if hasattr(stage.layer, "window"):
        zeros = np.add(stage.layer.window.frame(stage.input_shape), pending)
        yield "zeros around", "none" if not zeros.any() else " and ".join(map(_to_text, zeros.tolist()))
    # The numbers before a softmax decide, so a file that ends with it and one that does not are the same.
    yield "activation", "linear" if is_last else _name_activation(stage)
    yield "output", _to_text(stage.output_shape)


def _name_activation(stage: FoldedStage) -> str:
    return f"{stage.activation} {stage.slope:g}" if stage.activation == "leaky_relu" else stage.activation


def _to_text(value: Any) -> str:
    if isinstance(value, tuple | list):
        return " × ".join(map(str, value))
    return f"{value:g}" if isinstance(value, float) else str(value)


def _name_weights(stage: FoldedStage) -> dict[str, NDArray[np.float64]]:
    if stage.kind == "BatchNormalization":  # statistics and ε of many values give the same factor and shift
        return dict(zip(("factor", "shift"), compute_scale_and_shift(stage), strict=True))
    weights = dict(stage.weights)
    if stage.kind in WEIGHTED and "bias" not in weights:
        weights["bias"] = np.zeros(stage.output_shape[-1])
    return weights
