"""Start from a trained network: its architecture and weights for other images or other classes.

Weights that fit are copied; in the output layer, those of each class whose name the model knows. The others start at
random, as those of a new network do.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from convscope.architecture import Architecture, Conv2D, Dense, DepthwiseConv2D, Shape
from convscope.base.arguments import Seed, checked
from convscope.base.errors import ArchitectureError
from convscope.engine import initial_weights
from convscope.training import TrainingState
from convscope.training.model import Model


@dataclass(frozen=True, eq=False)
class Transfer:
    """The start of a training from a trained network.

    Attributes:
        architecture: the model's, with an output for each of the new classes.
        weights: float32 arrays by name.
        kept_classes: classes whose output weights are the model's.
        new_classes: classes whose output weights start at random.
    """

    architecture: Architecture
    weights: Mapping[str, NDArray[np.float32]] = field(repr=False)
    kept_classes: tuple[str, ...]
    new_classes: tuple[str, ...]

    @property
    def state(self) -> TrainingState:
        """The `state` for `train`, before the first epoch."""
        return TrainingState(self.weights)


@checked
def transfer(
    model: Model,
    image_shape: tuple[int, int, int],
    class_names: tuple[str, ...],
    seed: Seed = 0,
    *,
    new_output: bool = False,
) -> Transfer:
    """Make the start of a training on images (H, W, C) of the classes `class_names` from the weights of `model`.

    Classes are known by their names alone: a digit "3" and a dress numbered "3" count as the same, unless `new_output`
    starts all outputs at random. For the same classes nothing is drawn at random, and training continues from the
    model, without the optimizer's state.

    >>> import convscope as cs
    >>> data = cs.load_dataset("mnist").train.take(range(256))
    >>> model, _ = cs.train(cs.presets.cnn, data, cs.Recipe(epochs=1))
    >>> start = cs.transfer(model, (28, 28, 1), ("3", "8", "x"))
    >>> start.kept_classes, start.new_classes
    (('3', '8'), ('x',))
    >>> start.weights["dense_1/bias"].shape
    (3,)

    Raises:
        ArchitectureError: if the model reads other channels or, with weights that depend on it, another image size, or
            its outputs do not come from a single layer.
    """
    source = model.architecture
    # Nothing changes, so all weights are copied. The search for an output layer below could fail for no reason.
    if class_names == model.class_names and image_shape == source.input.shape and not new_output:
        return Transfer(source, dict(model.weights), class_names, ())
    architecture, output = _adapt(source, image_shape, len(class_names))
    weights = initial_weights(architecture, seed)
    # A model of ten digits gets the classes 3, 8 and x: kept = [0, 1], old_kept = [3, 8]. So outputs 0 and 1 get the
    # weights of the model's outputs 3 and 8, and output 2 stays random.
    old_labels = {} if new_output else {name: label for label, name in enumerate(model.class_names)}
    kept = [label for label, name in enumerate(class_names) if name in old_labels]
    old_kept = [old_labels[class_names[label]] for label in kept]
    for name, weight in weights.items():
        old, is_output = model.weights[name], name.partition("/")[0] in output
        if is_output and not kept:
            continue
        # The last axis of an output's kernel (..., K) and bias (K,) has the classes, whose number may differ.
        num_axes = weight.ndim - 1 if is_output else weight.ndim
        if weight.shape[:num_axes] != old.shape[:num_axes]:
            remedies = "use images of its size, `new_output`" if is_output else "use images of its size"
            raise ArchitectureError(
                f"images of {image_shape} need {name} of {weight.shape}, but the model, trained on "
                f"{source.input.shape}, has {old.shape}; {remedies}, or a model with global pooling"
            )
        if is_output:
            weight[..., kept] = old[..., old_kept]
        else:
            weights[name] = old
    kept_classes = tuple(name for name in class_names if name in old_labels)
    return Transfer(architecture, weights, kept_classes, tuple(name for name in class_names if name not in old_labels))


def _adapt(source: Architecture, image_shape: Shape, num_classes: int) -> tuple[Architecture, frozenset[str]]:
    """Adapt an architecture to other images and classes; also return the layers with weights for each class."""
    height, width, channels = image_shape
    if channels != source.input.channels:
        raise ArchitectureError(
            f"the images have {channels} channels, but the model needs {source.input.channels}; use images with as many"
        )
    layers, output = list(source.layers), set[str]()
    # From the end to the first layer that sets the number of outputs; layers passed on the way, such as an Activation
    # or a pooling, belong to the output too, because their shapes follow from it.
    for index in reversed(range(len(layers))):
        layer = layers[index]
        output.add(layer.name)
        if isinstance(layer, Dense):
            layers[index] = replace(layer, units=num_classes)
            break
        if isinstance(layer, Conv2D):
            layers[index] = replace(layer, filters=num_classes)
            break
        if isinstance(layer, DepthwiseConv2D):  # its kernel has the classes in another axis
            raise ArchitectureError(
                f"{source.name}: {layer.name} is part of the output and cannot be changed to other classes; use "
                "the same classes"
            )
    try:
        architecture = Architecture(replace(source.input, height=height, width=width), tuple(layers), source.name)
        if architecture.num_classes == num_classes:
            return architecture, frozenset(output)
    except ArchitectureError as error:
        raise ArchitectureError(f"{source.name} does not fit images of {image_shape}: {error}") from error
    raise ArchitectureError(
        f"{source.name}: its outputs do not come from a single layer, so they cannot become {num_classes}; use the "
        "same classes"
    )
