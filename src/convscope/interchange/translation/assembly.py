"""Steps in a row, with a `Branch` wherever one goes on from an earlier one, as an architecture with named weights."""

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convscope.architecture import Architecture, Branch, Dense, Flatten, Input, Layer
from convscope.architecture.network import FreeNames, keras_stem
from convscope.interchange.imported import NAMELESS
from convscope.interchange.refusal import ModelFileError
from convscope.interchange.translation.outputs import check_classes, check_no_autoencoder
from convscope.interchange.translation.state import State, new_layer
from convscope.interchange.translation.steps import FileTensor, Step, with_activation


def assemble(state: State, end: FileTensor) -> tuple[Architecture, dict[str, NDArray[np.float32]]]:
    """Assemble the layers that compute the value `end`, and the scaling of the input.

    Raises:
        ModelFileError: if the value is not (N, K) in our order: maps are no classes; or if no layers lead to it.
        ArchitectureError: if the layers are no network: an activation at the end.
    """
    is_softmax = end.curve in ("softmax", "log_softmax")
    if is_softmax:
        end = replace(end, curve="")
    end = state.finish(end)
    last = end.step
    check_classes("its output", end.index.shape)
    state.work.spend(end.index.size)
    if not (end.index.ravel() == np.arange(end.index.size)).all():
        raise ModelFileError("its outputs are not in the order of a layer")
    if len(last.shape) == 3:
        last = state.work.step(last, Flatten())
    if end.index.size == 1:
        last, is_softmax = _two_classes(state, last), True
    elif not is_softmax and last.activation == "sigmoid":
        raise ModelFileError(
            f"is a multi-label network, with a sigmoid for each of its {end.index.size} outputs, so an image may have "
            "several labels or none; convscope needs exactly one class for each image: train it with softmax"
        )
    if is_softmax:
        if last.layer is not None and last.activation == "linear":
            last = with_activation(last, "softmax")
        else:
            last = state.work.step(last, new_layer("Activation", "a softmax by itself", activation="softmax"))
    steps = _row(last)
    first = _first(steps)
    root = first.before
    assert root is not None
    steps = [step for step in steps if step.depth > first.depth]
    if not steps:
        raise ModelFileError("it has no layers")
    height, width, channels = root.shape
    check_no_autoencoder(end.index.size, height * width * channels)
    image = Input(height, width, channels, float(root.weights["scale"]), float(root.weights["offset"]))
    names = _names(steps) | {id(step): "input" for step in _sources(steps) if step.depth == first.depth}
    layers: list[Layer] = []
    weights: dict[str, NDArray[np.float32]] = {}
    before = "input"
    for step in steps:
        assert step.layer is not None
        changes: dict[str, Any] = {"name": names[id(step)]}
        wanted, second = names[id(step.before)], "" if step.other is None else names[id(step.other)]
        if step.kind == "Add" and before == second:  # a sum has no order
            wanted, second = second, wanted
        if wanted != before or (second and not layers):  # a first layer joins nothing
            layers.append(Branch(wanted))
        if second:
            changes["from_layer"] = second
        layers.append(replace(step.layer, **changes))
        before = names[id(step)]
        for weight, array in step.weights.items():
            # Infinity where a float64 is beyond float32: what makes the model refuses it by name.
            with np.errstate(over="ignore"):
                weights[f"{names[id(step)]}/{weight}"] = np.ascontiguousarray(array, np.float32)
    return Architecture(image, tuple(layers), NAMELESS), weights


def _two_classes(state: State, last: Step) -> Step:
    """Return the two logits of a network whose one output is a sigmoid."""
    before = last.before if last.kind == "Flatten" and last.before is not None else last
    if before.activation != "sigmoid":
        raise ModelFileError(
            "gives a single number without a sigmoid, as a regression does. If it is the logit of the second of two "
            "classes, end the network in a sigmoid"
        )
    state.notes.append(
        "its one output is the probability of the second of two classes (sigmoid): it became two logits, 0 and what "
        "the sigmoid is taken of, whose softmax is the same"
    )
    if before.kind == "Activation":
        assert before.before is not None
        before = before.before
    else:
        before = with_activation(before, "linear")
    if len(before.shape) == 3:
        before = state.work.step(before, Flatten())
    if before.kind != "Dense":
        return state.work.step(before, Dense(2, use_bias=False), {"kernel": np.array([[0, 1]], np.float32)})
    assert before.before is not None
    weights = {name: np.concatenate([np.zeros_like(array), array], axis=-1) for name, array in before.weights.items()}
    layer: Any = before.layer
    return state.work.step(before.before, replace(layer, units=2), weights)


def _row(last: Step) -> list[Step]:
    """Return all steps that lead to `last`, each behind those that it reads, and all that read maps before the others.

    Of what a step reads, `before` comes last: so the step mostly stands straight behind it.
    """
    row: list[Step] = []
    seen: set[int] = set()
    waiting = [(last, False)]
    while waiting:
        step, is_ready = waiting.pop()
        if is_ready:
            row.append(step)
        elif id(step) not in seen:
            seen.add(id(step))
            waiting.append((step, True))
            waiting += [
                (read, False) for read in (step.before, step.other) if read is not None and id(read) not in seen
            ]
    return sorted(row, key=lambda step: step.before is not None and len(step.before.shape) == 1)


def _first(steps: list[Step]) -> Step:
    """Return the image as the layers read it.

    Raises:
        ModelFileError: if two of them read it in other scalings.
    """
    first_steps = [step for step in _sources(steps) if step.depth == 1]
    scalings = {
        (float(root.weights["scale"]), float(root.weights["offset"])) for step in first_steps if (root := step.before)
    }
    if len(scalings) > 1:
        raise ModelFileError("two of its branches scale the image differently; scale it once, before both")
    return first_steps[0] if first_steps else steps[1]


def _sources(steps: list[Step]) -> list[Step]:
    return [read for step in steps for read in (step.before, step.other) if read is not None]


def _names(steps: list[Step]) -> dict[int, str]:
    """Return a name for each step: its own, numbered if another has it, or one as Keras would give it."""
    own = [getattr(step.layer, "name", "") for step in steps]
    free = FreeNames(["input"])
    first = {name: free(name) for name in dict.fromkeys(own) if name}  # before others are numbered
    return {
        id(step): first.pop(name, "") or free(name or keras_stem(step.kind))
        for step, name in zip(steps, own, strict=True)
    }
