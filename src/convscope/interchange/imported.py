"""What a reader of files of other programs returns, how its input is scaled, and how it becomes a `Model`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convscope.architecture import (
    Add,
    Architecture,
    BatchNormalization,
    Branch,
    Concatenate,
    Conv2D,
    Layer,
)
from convscope.architecture.network import FreeNames
from convscope.base.errors import InterchangeError
from convscope.interchange.scaling import Scaling, ScalingTable
from convscope.training.model import Model

NAMELESS = "imported"
"""What a network is called that its file gives no name."""
SCALES_BYTES = 1 / 32
"""A network that multiplies its input by no more than this is given bytes, and no numbers near 1."""


@dataclass(frozen=True, eq=False)
class Imported:
    """A network read from a file, before it is known what its answers mean.

    Attributes:
        architecture: its `input` says what the file itself does to the numbers that it is given.
        weights: float32 arrays by name, in Keras layout.
        notes: sentences on what became what, and on what the file left open.
        class_names: K names, where the file says them.
        program: which program wrote it, with its version where the file says it.
        reads_bytes: whether the numbers that it is given are the bytes of an image.
        scaling: what was done so that it reads bytes; None if the file did so.
        scalings: those that were tried, where it was not known.
        weights_file: beside the file, where its weights lie in one of their own.
    """

    architecture: Architecture
    weights: Mapping[str, NDArray[np.float32]] = field(repr=False)
    notes: tuple[str, ...] = ()
    class_names: tuple[str, ...] | None = None
    program: str = ""
    reads_bytes: bool = False
    scaling: Scaling | None = None
    scalings: ScalingTable | None = None
    weights_file: Path | None = None

    def scaled(self, scaling: Scaling) -> "Imported":
        """Return the network for images as they are in the data set, whose bytes become numbers as `scaling` says.

        A scale and an offset for all channels are the input's. One for each channel is a `BatchNormalization` in front,
        another order of channels a `Conv2D` of 1 x 1; all other layers stay as they are in the file.

        Raises:
            InterchangeError: if the network scales bytes itself and would do so twice.
            ValueError: if the scaling is for another number of channels.
        """
        architecture, weights, notes = self.architecture, self.weights, [f"a byte becomes {scaling.formula}"]
        image = architecture.input
        scales, offsets = scaling.numbers(image.channels)
        if self.reads_bytes and (np.abs(scales) <= SCALES_BYTES).all():
            raise InterchangeError(
                f"it scales bytes itself, and {scaling.formula} before it would scale them twice; with a scale of 1, "
                "only the rest is done to a byte"
            )
        scales, offsets = image.scale * scales, image.scale * offsets + image.offset
        if np.ptp(scales) == np.ptp(offsets) == 0 and not scaling.bgr:
            image = replace(image, scale=float(scales[0]), offset=float(offsets[0]))
            architecture = replace(architecture, input=image)
        else:
            name = FreeNames(layer.name for layer in architecture.layers)("scaling")
            layer: BatchNormalization | Conv2D = BatchNormalization(name=name)
            # A normalisation by nothing: √(0.999 + 0.001) = 1.
            new = {"gamma": scales, "beta": offsets, "moving_mean": 0 * scales, "moving_variance": 0 * scales + 0.999}
            if scaling.bgr:  # a convolution of one pixel gives each channel another place
                layer = Conv2D(image.channels, (1, 1), name=name)
                new = {"kernel": np.diag(scales)[None, None, :, ::-1], "bias": offsets[::-1]}
            weights = {f"{layer.name}/{name}": array.astype(np.float32) for name, array in new.items()} | dict(weights)
            image = replace(image, scale=1.0, offset=0.0)
            behind = (_reading(network_layer, "input", layer.name) for network_layer in architecture.layers)
            architecture = replace(architecture, input=image, layers=(layer, *behind))
            notes.append(f"the numbers of each channel are the layer `{layer.name}`, which training would change")
        return replace(
            self,
            architecture=architecture,
            weights=weights,
            notes=(*self.notes, *notes),
            reads_bytes=True,
            scaling=scaling,
        )

    def to_model(self, class_names: Sequence[str] | None = None, **source: object) -> Model:
        """Return the model; its classes are called `class_names`, as the file says, or by their numbers.

        Args:
            source: what else its provenance says of the file, as plain JSON.

        Raises:
            ValueError: if the names are not as many as the logits.
        """
        names = class_names or self.class_names or [str(label) for label in range(self.architecture.num_classes)]
        said = {**source, "program": self.program, "notes": list(self.notes)}
        said |= {} if self.scaling is None else {"scaling": self.scaling.to_dict()}
        said |= {} if self.scalings is None else {"scalings": self.scalings.to_dict()["rows"]}
        return Model(self.architecture, self.weights, tuple(names), {"imported": said})


def scales_bytes(architecture: Architecture, weights: Mapping[str, NDArray[Any]]) -> bool:
    """Say whether a network makes its input so small that it is given bytes, also channel by channel at its front."""
    scales, first = np.array(architecture.input.scale), architecture.layers[0]
    if isinstance(first, BatchNormalization):
        gamma, variance = (weights[f"{first.name}/{name}"] for name in ("gamma", "moving_variance"))
        scales = scales * gamma / np.sqrt(variance + first.epsilon)
    return bool((np.abs(scales) <= SCALES_BYTES).all())


def _reading(layer: Layer, old: str, new: str) -> Layer:
    """Return a layer that reads the earlier layer `new` where it read `old`."""
    if isinstance(layer, Add | Branch | Concatenate) and layer.from_layer == old:
        return replace(layer, from_layer=new)
    return layer
