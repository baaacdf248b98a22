"""Layers that normalise the numbers of an image by their own mean and variance, in training and prediction alike."""

from dataclasses import dataclass
from typing import ClassVar

from convscope.architecture.arguments import check_count, check_positive_fraction, label
from convscope.architecture.layers.types import Shape
from convscope.architecture.layers.windows import SameShape
from convscope.base.errors import ArchitectureError

__all__ = ["GroupNormalization", "LayerNormalization", "NormalizingLayer"]


class _ScaledByChannel(SameShape):
    """Base of layers that scale and shift each channel by learned numbers, `gamma` and `beta`, each (C,)."""

    def weight_shapes(self, input_shape: Shape) -> dict[str, Shape]:
        return dict.fromkeys(("gamma", "beta"), input_shape[-1:])


@dataclass(frozen=True)
class LayerNormalization(_ScaledByChannel):
    """The channels of each pixel minus their mean, divided by their standard deviation, then scaled and shifted.

    Mean and variance are those of the C numbers of a pixel, of a vector those of all its numbers. Weights, each (C,):
    `gamma` and `beta`. Source: Ba, Kiros and Hinton 2016, equations 3 and 4.
    """

    epsilon: float = 1e-3
    name: str = ""
    kind: ClassVar[str] = "LayerNormalization"

    def __post_init__(self) -> None:
        check_positive_fraction(self, "epsilon")


@dataclass(frozen=True)
class GroupNormalization(_ScaledByChannel):
    """Each group of channels minus its mean, divided by its standard deviation, then scaled and shifted.

    The C channels are cut into `groups` equal parts. Mean and variance are those of all pixels of a part. Weights, each
    (C,): `gamma` and `beta`. With as many groups as channels it is an instance normalisation.

    Source: Wu and He 2018, section 3.1.
    """

    groups: int = 32
    epsilon: float = 1e-3
    name: str = ""
    kind: ClassVar[str] = "GroupNormalization"

    def __post_init__(self) -> None:
        check_count(self, "groups")
        check_positive_fraction(self, "epsilon")

    def output_shape(self, input_shape: Shape) -> Shape:
        if input_shape[-1] % self.groups:
            raise ArchitectureError(
                f"{label(self)} has {self.groups} groups, but {input_shape[-1]} input channels; choose groups that "
                "divide them"
            )
        return input_shape


NormalizingLayer = LayerNormalization | GroupNormalization
