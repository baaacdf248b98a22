"""Layers that compute number by number and keep the shape, for maps and vectors."""

from dataclasses import dataclass
from typing import ClassVar, get_args

from convscope.architecture.arguments import check_choice, check_fraction, check_not_negative, check_positive_fraction
from convscope.architecture.layers.activations import ActivationName
from convscope.architecture.layers.types import Shape
from convscope.architecture.layers.windows import SameShape

__all__ = ["Activation", "BatchNormalization", "Dropout", "ElementwiseLayer", "PReLU"]


@dataclass(frozen=True)
class Dropout(SameShape):
    """In training, each number becomes zero with probability `rate`, and 1 / (1 - rate) times as large otherwise.

    So the mean stays the same, and outside training the layer changes nothing. Source: Srivastava and others 2014,
    section 10.
    """

    rate: float
    name: str = ""
    kind: ClassVar[str] = "Dropout"

    def __post_init__(self) -> None:
        check_fraction(self, "rate")

    @property
    def dropped(self) -> int:
        """The rate in units of 2^-24: the engines drop a number if its 24 random bits are below this."""
        # A whole number of 24 bits, the mantissa of a float32, is exact in every engine.
        return int(self.rate * 2**24)


@dataclass(frozen=True)
class BatchNormalization(SameShape):
    """Each channel minus its mean, divided by its standard deviation, then scaled and shifted by learned numbers.

    In training, mean and variance are those of the batch, over all axes but the last. Predictions use the moving ones,
    which each training step sets to `moving · momentum + batch · (1 - momentum)`. A bias just before this layer has no
    effect; `use_bias=False` leaves it out. Weights, each (C,): `gamma`, `beta`, `moving_mean` and `moving_variance`;
    the last two are not trained by gradients.

    Source: Ioffe and Szegedy 2015, algorithm 1. As in Keras, the moving variance is that of the batch itself, and not
    m / (m - 1) times as large as in their algorithm 2.
    """

    momentum: float = 0.99
    epsilon: float = 1e-3
    activation: ActivationName = "linear"
    name: str = ""
    kind: ClassVar[str] = "BatchNormalization"

    def __post_init__(self) -> None:
        check_fraction(self, "momentum")
        check_positive_fraction(self, "epsilon")
        check_choice(self, "activation", get_args(ActivationName))

    def weight_shapes(self, input_shape: Shape) -> dict[str, Shape]:
        return dict.fromkeys(("gamma", "beta", "moving_mean", "moving_variance"), input_shape[-1:])


@dataclass(frozen=True)
class Activation(SameShape):
    """An activation as a layer of its own, number by number.

    `negative_slope` is the factor of leaky_relu for numbers below zero; the other activations ignore it. `softmax` may
    only end a network; the logits are then the input of this layer.
    """

    activation: ActivationName = "relu"
    negative_slope: float = 0.2
    name: str = ""
    kind: ClassVar[str] = "Activation"

    def __post_init__(self) -> None:
        check_choice(self, "activation", get_args(ActivationName))
        check_not_negative(self, "negative_slope")


@dataclass(frozen=True)
class PReLU(SameShape):
    """Each number itself if it is above zero, otherwise times a slope that is learned for its channel.

    Weights: `alpha` (C,), in Keras that of `PReLU(shared_axes=[1, 2])` on maps. Source: He and others 2015, equation 1.
    """

    name: str = ""
    kind: ClassVar[str] = "PReLU"

    def weight_shapes(self, input_shape: Shape) -> dict[str, Shape]:
        # One slope for a channel and not for each cell, so that maps may have any size.
        return {"alpha": input_shape[-1:]}


ElementwiseLayer = Dropout | BatchNormalization | Activation | PReLU
