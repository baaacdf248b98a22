"""Assemble steps to an architecture: a list of named layers, with a `Branch` before each that reads an earlier one."""

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
    """Assemble the layers that compute the tensor `end`, and the scaling of the input.

    A step knows the steps that it reads; in the list of layers, each reads the one before it. Of a residual block, the
    steps are conv, conv_1 (reads conv), conv_2 (reads conv) and add (reads conv_2 and conv_1). The layers are conv,
    conv_1, Branch(conv), conv_2, add with `from_layer` conv_1.

    Raises:
        ModelFileError: if the tensor is not (N, K) in our order, or if no layers lead to it.
        ArchitectureError: if the layers are no network, as with an activation other than softmax at the end.
    """
    last = _find_last_step(state, end)
    steps = _sort_steps(last)
    first = _find_first_step(steps)
    root = first.source
    assert root is not None
    steps = [step for step in steps if step.depth > first.depth]  # all steps but the image and its scaling
    if not steps:
        raise ModelFileError("it has no layers")
    height, width, channels = root.shape
    check_no_autoencoder(end.index.size, height * width * channels)
    image = Input(height, width, channels, float(root.weights["scale"]), float(root.weights["offset"]))
    # By the identity of each step, since two steps may be equal in all else.
    names = _make_names(steps) | {id(step): "input" for step in _list_sources(steps) if step.depth == first.depth}
    weights: dict[str, NDArray[np.float32]] = {}
    for step in steps:
        for weight, array in step.weights.items():
            # A float64 beyond float32 becomes infinity; `check_weights` refuses it by name.
            with np.errstate(over="ignore"):
                weights[f"{names[id(step)]}/{weight}"] = np.ascontiguousarray(array, np.float32)
    return Architecture(image, tuple(_list_layers(steps, names)), NAMELESS), weights


def _list_layers(steps: list[Step], names: dict[int, str]) -> list[Layer]:
    """List the layers of sorted steps, with a Branch before each that does not read the layer before it."""
    layers: list[Layer] = []
    previous = "input"  # the name of the layer before
    for step in steps:
        assert step.layer is not None
        changes: dict[str, Any] = {"name": names[id(step)]}
        source = names[id(step.source)]
        second = "" if step.second_source is None else names[id(step.second_source)]
        if previous == second and _is_symmetric(step):
            source, second = second, source
        if source != previous or (second and not layers):  # a layer that joins two cannot be the first
            layers.append(Branch(source))
        if second:
            changes["from_layer"] = second
        layers.append(replace(step.layer, **changes))
        previous = names[id(step)]
    return layers


def _is_symmetric(step: Step) -> bool:
    """True for a sum, or a product of values of one shape."""
    shapes = [source.shape for source in (step.source, step.second_source) if source is not None]
    return step.kind == "Add" or (step.kind == "Multiply" and shapes[0] == shapes[1])


def _find_last_step(state: State, end: FileTensor) -> Step:
    """Find the step whose output is the class scores, and make it end in a softmax if the file does."""
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
        last, is_softmax = _split_sigmoid(state, last), True
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
    return last


def _split_sigmoid(state: State, last: Step) -> Step:
    """Replace the one sigmoid at the end of a network by two logits: sigmoid(z) = softmax(0, z)[1]."""
    step = last.source if last.kind == "Flatten" and last.source is not None else last
    if step.activation != "sigmoid":
        raise ModelFileError(
            "gives a single number without a sigmoid, as a regression does. If it is the logit of the second of two "
            "classes, end the network in a sigmoid"
        )
    state.notes.append(
        "its one output is the probability of the second of two classes (sigmoid): it became two logits, 0 and what "
        "the sigmoid is taken of, whose softmax is the same"
    )
    if step.kind == "Activation":
        assert step.source is not None
        step = step.source
    else:
        step = with_activation(step, "linear")
    if len(step.shape) == 3:
        step = state.work.step(step, Flatten())
    if step.kind != "Dense":  # z becomes (0, z) in a layer of its own
        return state.work.step(step, Dense(2, use_bias=False), {"kernel": np.array([[0, 1]], np.float32)})
    assert step.source is not None
    # A second output with zeros for weights, before the first: the logit 0.
    weights = {name: np.concatenate([np.zeros_like(array), array], axis=-1) for name, array in step.weights.items()}
    layer: Any = step.layer
    return state.work.step(step.source, replace(layer, units=2), weights)


def _sort_steps(last: Step) -> list[Step]:
    """Sort the steps that lead to `last`: each comes after the steps that it reads, and steps on maps come first.

    Between them stand only vectors that maps are computed from. A step's `source` is visited last, so the step mostly
    follows it directly and needs no Branch: if d reads its source c and b, and both read a, the order is a b c d.
    """
    order: list[Step] = []
    seen: set[int] = set()
    waiting = [(last, False)]  # depth-first without recursion: a deep network must not exhaust Python's stack
    while waiting:
        step, is_ready = waiting.pop()
        if is_ready:  # the second visit: all that it reads is in the order
            order.append(step)
        elif id(step) not in seen:
            seen.add(id(step))
            waiting.append((step, True))
            sources = filter(None, (step.source, step.second_source))
            waiting += [(source, False) for source in sources if id(source) not in seen]
    before_maps: set[int] = set()  # all that maps are computed from, also the vectors that multiply maps
    for step in reversed(order):
        read = [source for source in (step.source, step.second_source) if source is not None]
        if id(step) in before_maps or any(len(source.shape) == 3 for source in read):
            before_maps.update(map(id, read))
    return sorted(order, key=lambda step: len(step.shape) == 1 and id(step) not in before_maps)  # stable


def _find_first_step(steps: list[Step]) -> Step:
    """Find the step of the scaled image.

    Raises:
        ModelFileError: if two branches scale it differently.
    """
    first_steps = [step for step in _list_sources(steps) if step.depth == 1]  # `make_image_step` makes two steps
    scalings = {
        (float(root.weights["scale"]), float(root.weights["offset"])) for step in first_steps if (root := step.source)
    }
    if len(scalings) > 1:
        raise ModelFileError("two of its branches scale the image differently; scale it once, before both")
    # Without layers, the steps are only these two: the image and its scaling.
    return first_steps[0] if first_steps else steps[1]


def _list_sources(steps: list[Step]) -> list[Step]:
    return [source for step in steps for source in (step.source, step.second_source) if source is not None]


def _make_names(steps: list[Step]) -> dict[int, str]:
    """Name each step by its own name, numbered if another step has it, or as Keras would."""
    names = [getattr(step.layer, "name", "") for step in steps]
    make_unique = FreeNames(["input"])
    # Each name goes to its first step without a number, before any numbered name could take it.
    unnumbered = {name: make_unique(name) for name in dict.fromkeys(names) if name}
    return {
        id(step): unnumbered.pop(name, "") or make_unique(name or keras_stem(step.kind))
        for step, name in zip(steps, names, strict=True)
    }
