"""A network read from a file of another program, until its input is scaled and it becomes a `Model`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convscope.architecture import Add, Architecture, BatchNormalization, Branch, Concatenate, Conv2D, Layer
from convscope.architecture.network import FreeNames
from convscope.base.errors import InterchangeError
from convscope.interchange.scaling import Scaling, ScalingTable
from convscope.training.model import Model

ROUNDS = (
    "it computes in whole numbers: its weights became float32, and what it rounds and cuts off on the way is not here"
)
"""The note on a quantised network."""
NAMELESS = "imported"
"""The name of a network whose file has none."""
MAX_BYTE_SCALE = 1 / 32
"""A network that multiplies its input by no more than this expects bytes: numbers up to 1 would nearly vanish."""


@dataclass(frozen=True, eq=False)
class Imported:
    """A network read from a file, before the meaning of its input and its classes is settled.

    Attributes:
        architecture: its `input` holds the scaling that the file itself applies.
        weights: float32 arrays by name, in Keras layout.
        notes: sentences on conversions, and on what the file left open.
        class_names: K names, if the file has them.
        program: the program that wrote the file, with its version if the file has it.
        reads_bytes: True if the network's input is the bytes of an image.
        scaling: the scaling that was added so that it reads bytes; None if the file has its own.
        scalings: the scalings that were tried, if none was stated.
        weights_file: a second file with the weights, if they are not in the file itself.
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

    def apply_scaling(self, scaling: Scaling) -> "Imported":
        """Make a copy that reads the bytes of an image and scales them by `scaling`.

        A scale and an offset for all channels become the input's. One for each channel becomes a `BatchNormalization`
        before the first layer, another order of channels a `Conv2D` of 1 x 1.

        Raises:
            InterchangeError: if the network scales bytes itself and would do so twice.
            ValueError: if the scaling is for another number of channels.
        """
        image = self.architecture.input
        scales, offsets = scaling.numbers(image.channels)
        if self.reads_bytes and (np.abs(scales) <= MAX_BYTE_SCALE).all():
            raise InterchangeError(
                f"it scales bytes itself, and {scaling.formula} before it would scale them twice; with a scale of 1, "
                "only the rest is done to a byte"
            )
        # First the given scaling, then that of the file: s · (scale · byte + offset) + o.
        scales, offsets = image.scale * scales, image.scale * offsets + image.offset
        notes = (*self.notes, f"a byte becomes {scaling.formula}")
        scaled = replace(self, notes=notes, reads_bytes=True, scaling=scaling)
        if np.ptp(scales) == np.ptp(offsets) == 0 and not scaling.bgr:
            image = replace(image, scale=float(scales[0]), offset=float(offsets[0]))
            return replace(scaled, architecture=replace(self.architecture, input=image))
        return scaled._insert_scaling_layer(scales, offsets, scaling.bgr)

    def _insert_scaling_layer(self, scales: NDArray[Any], offsets: NDArray[Any], is_bgr: bool) -> "Imported":
        """Make a copy whose first layer computes `byte * scales[c] + offsets[c]` for each channel c."""
        name = FreeNames(layer.name for layer in self.architecture.layers)("scaling")
        layer: BatchNormalization | Conv2D = BatchNormalization(name=name)
        # √(variance + ε) = √(0.999 + 0.001) = 1: the layer only multiplies by gamma and adds beta.
        new = {"gamma": scales, "beta": offsets, "moving_mean": 0 * scales, "moving_variance": 0 * scales + 0.999}
        if is_bgr:  # a convolution of one pixel: input channel c becomes output channel 2 - c
            layer = Conv2D(len(scales), (1, 1), name=name)
            new = {"kernel": np.diag(scales)[None, None, :, ::-1], "bias": offsets[::-1]}
        weights = {f"{name}/{part}": array.astype(np.float32) for part, array in new.items()} | dict(self.weights)
        image = replace(self.architecture.input, scale=1.0, offset=0.0)
        # Branches that read the image must read the scaled one.
        redirected = (_redirect(network_layer, "input", name) for network_layer in self.architecture.layers)
        architecture = replace(self.architecture, input=image, layers=(layer, *redirected))
        note = f"the numbers of each channel are the layer `{name}`, which training would change"
        return replace(self, architecture=architecture, weights=weights, notes=(*self.notes, note))

    def to_model(self, class_names: Sequence[str] | None = None, **source: object) -> Model:
        """Make a model, with classes named by `class_names`, by the file, or by their numbers.

        `source` is recorded in its provenance, as JSON. Raises ValueError if there are not K names.
        """
        names = class_names or self.class_names or [str(label) for label in range(self.architecture.num_classes)]
        provenance = {**source, "program": self.program, "notes": list(self.notes)}
        provenance |= {} if self.scaling is None else {"scaling": self.scaling.to_dict()}
        provenance |= {} if self.scalings is None else {"scalings": self.scalings.to_dict()["rows"]}
        return Model(self.architecture, self.weights, tuple(names), {"imported": provenance})


def scales_bytes(architecture: Architecture, weights: Mapping[str, NDArray[Any]]) -> bool:
    """True if a network must read bytes, because its input or first layer multiplies by at most `MAX_BYTE_SCALE`."""
    scales, first = np.array(architecture.input.scale), architecture.layers[0]
    if isinstance(first, BatchNormalization):
        gamma, variance = (weights[f"{first.name}/{name}"] for name in ("gamma", "moving_variance"))
        scales = scales * gamma / np.sqrt(variance + first.epsilon)
    return bool((np.abs(scales) <= MAX_BYTE_SCALE).all())


def _redirect(layer: Layer, old: str, new: str) -> Layer:
    """Make a layer read the earlier layer `new` instead of `old`."""
    if isinstance(layer, Add | Branch | Concatenate) and layer.from_layer == old:
        return replace(layer, from_layer=new)
    return layer
