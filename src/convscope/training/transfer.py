"""Start from a trained network: its architecture and weights for other images or other classes.

Model, image size and class names to what training starts from. What fits is taken over as it is; of the output each
class that the model knows by its name. The rest starts as a new network's does.
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
    """What training starts from.

    Attributes:
        architecture: that of the model, with an output for each of the new classes.
        weights: float32 arrays by name.
        kept_classes: those whose output weights were the model's.
        new_classes: those whose output weights start at random.
    """

    architecture: Architecture
    weights: Mapping[str, NDArray[np.float32]] = field(repr=False)
    kept_classes: tuple[str, ...]
    new_classes: tuple[str, ...]

    @property
    def state(self) -> TrainingState:
        """What `train` takes as `state`, before the first epoch."""
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
    """Return what a network for images (H, W, C) of these classes starts from, if it starts from `model`.

    Classes are known by their names alone: a digit "3" and a dress numbered "3" count as one, unless `new_output` says
    that all outputs are to start at random. Where the classes are the same, nothing is drawn, and training goes on from
    the model, but for what the optimizer remembered.

    >>> import convscope as cs
    >>> data = cs.load_dataset("mnist").train.take(range(256))
    >>> model, _ = cs.train(cs.presets.cnn, data, cs.Recipe(epochs=1))
    >>> start = cs.transfer(model, (28, 28, 1), ("3", "8", "x"))
    >>> start.kept_classes, start.new_classes
    (('3', '8'), ('x',))
    >>> start.weights["dense_1/bias"].shape
    (3,)

    Raises:
        ArchitectureError: if the model reads images of another size and its weights depend on that, or other channels,
            or no layer gives its outputs that could be given others.
    """
    source = model.architecture
    if class_names == model.class_names and image_shape == source.input.shape and not new_output:
        return Transfer(source, dict(model.weights), class_names, ())
    architecture, output = _for_classes(source, image_shape, len(class_names))
    weights = initial_weights(architecture, seed)
    places = {} if new_output else {name: place for place, name in enumerate(model.class_names)}
    kept = [place for place, name in enumerate(class_names) if name in places]
    taken = [places[class_names[place]] for place in kept]
    for name, weight in weights.items():
        old, is_output = model.weights[name], name.partition("/")[0] in output
        if is_output and not kept:
            continue
        if (weight.shape[:-1] if is_output else weight.shape) != (old.shape[:-1] if is_output else old.shape):
            remedies = "use images of its size, `new_output`" if is_output else "use images of its size"
            raise ArchitectureError(
                f"images of {image_shape} need {name} of {weight.shape}, but the model, trained on "
                f"{source.input.shape}, has {old.shape}; {remedies}, or a model with global pooling"
            )
        if is_output:
            weight[..., kept] = old[..., taken]
        else:
            weights[name] = old
    known = {class_names[place] for place in kept}
    return Transfer(
        architecture,
        weights,
        tuple(name for name in class_names if name in known),
        tuple(name for name in class_names if name not in known),
    )


def _for_classes(source: Architecture, image_shape: Shape, num_classes: int) -> tuple[Architecture, frozenset[str]]:
    """Return the architecture for other images and so many classes, and the layers whose weights are one a class."""
    height, width, channels = image_shape
    if channels != source.input.channels:
        raise ArchitectureError(
            f"the images have {channels} channels, but the model needs {source.input.channels}; use images with as many"
        )
    layers, output = list(source.layers), set[str]()
    for place in reversed(range(len(layers))):
        layer = layers[place]
        output.add(layer.name)
        if isinstance(layer, Dense):
            layers[place] = replace(layer, units=num_classes)
            break
        if isinstance(layer, Conv2D):
            layers[place] = replace(layer, filters=num_classes)
            break
        if isinstance(layer, DepthwiseConv2D):  # its kernel has the classes in another axis
            raise ArchitectureError(
                f"{source.name}: {layer.name} is part of the output and cannot be changed to other classes; use "
                "the same classes"
            )
    try:
        found = Architecture(replace(source.input, height=height, width=width), tuple(layers), source.name)
        if found.num_classes == num_classes:
            return found, frozenset(output)
    except ArchitectureError as error:
        raise ArchitectureError(f"{source.name} does not fit images of {image_shape}: {error}") from error
    raise ArchitectureError(
        f"{source.name}: its outputs do not come from a single layer, so they cannot become {num_classes}; use the "
        "same classes"
    )
