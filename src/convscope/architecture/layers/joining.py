"""Layers that join branches, so that a list of layers can be any network; most read an earlier layer by its name."""

from dataclasses import dataclass
from typing import ClassVar, get_args

from convscope.architecture.arguments import check_choice, check_count, check_name, label
from convscope.architecture.layers.activations import ActivationName
from convscope.architecture.layers.types import Shape
from convscope.architecture.layers.windows import SameShape
from convscope.base.errors import ArchitectureError

__all__ = ["Add", "Branch", "Concatenate", "JoiningLayer", "Multiply", "SoftVoting"]


@dataclass(frozen=True)
class Add(SameShape):
    """The sum of the outputs of the previous layer and of the layer called `from_layer`, which have the same shape.

    It makes a list of layers a residual network: the layers between the two learn a difference from their input.
    `activation` is applied after the addition. Source: He and others 2016, equation 1.
    """

    from_layer: str
    activation: ActivationName = "linear"
    name: str = ""
    kind: ClassVar[str] = "Add"

    def __post_init__(self) -> None:
        check_name(self, "from_layer")
        check_choice(self, "activation", get_args(ActivationName))


@dataclass(frozen=True)
class _ReadsEarlier(SameShape):
    """Base of the layers that read the output of the layer called `from_layer`."""

    from_layer: str
    name: str = ""
    kind: ClassVar[str] = ""

    def __post_init__(self) -> None:
        check_name(self, "from_layer")


@dataclass(frozen=True)
class Multiply(_ReadsEarlier):
    """The output of the layer called `from_layer`, multiplied by that of the previous layer.

    The previous layer has the same shape, or a number for each channel, (C,) or (1, 1, C), which multiplies all pixels
    of the channel. A global pooling, two `Dense` and this layer are a squeeze-and-excitation block, in which a network
    weights its channels. The methods take the shape of the earlier layer as `input_shape`.

    Source: Hu and others 2018, section 3.
    """

    kind: ClassVar[str] = "Multiply"


@dataclass(frozen=True)
class Branch(_ReadsEarlier):
    """The output of the layer called `from_layer` again, instead of that of the previous layer.

    It starts a branch: the layers after it continue from that earlier output. The previous layer ends another branch,
    which an `Add`, a `Multiply` or a `Concatenate` reads by its name.
    """

    kind: ClassVar[str] = "Branch"


@dataclass(frozen=True)
class Concatenate(_ReadsEarlier):
    """The channels of the layer called `from_layer`, followed by those of the previous layer.

    Both have the same rows and columns, or are vectors. The methods take the shape of both together as `input_shape`:
    maps of 8 and of 16 channels are an input of 24.
    """

    kind: ClassVar[str] = "Concatenate"


@dataclass(frozen=True)
class SoftVoting(SameShape):
    """The logits of an ensemble: their softmax is the mean of its members' softmax probabilities.

    It reads the concatenated logits of `members` networks, and may only end a network:

    y[k] = log((1 / members) Σ_i softmax(x_i)[k]) + (1 / members) Σ_i log Σ_j exp(x_i[j])

    The first part alone would have the same softmax, as the second is one number for all classes. But log softmax(x)
    is x - log Σ_j exp(x[j]), so the second part gives back what the logarithm takes: an ensemble of equal members has
    the logits x of a member.
    """

    members: int
    name: str = ""
    kind: ClassVar[str] = "SoftVoting"

    def __post_init__(self) -> None:
        check_count(self, "members")

    def output_shape(self, input_shape: Shape) -> Shape:
        if len(input_shape) != 1 or input_shape[0] % self.members:
            raise ArchitectureError(
                f"{label(self)} reads shape {input_shape}; it must be a vector of the logits of {self.members} "
                "members, all of equal length"
            )
        # The members' logits lie one after another: members · K numbers become K.
        return (input_shape[0] // self.members,)


JoiningLayer = Add | Multiply | Branch | Concatenate | SoftVoting
