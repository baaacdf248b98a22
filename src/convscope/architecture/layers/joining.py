"""The layers that read an earlier layer by its name, so that a list of layers is a network of several branches."""

from dataclasses import dataclass
from typing import ClassVar, get_args

from convscope.architecture.arguments import check_choice, check_name
from convscope.architecture.layers.windows import ActivationName, SameShape


@dataclass(frozen=True)
class Add(SameShape):
    """The sum of what the layer before gives and what the layer called `from_layer` gave, both of one shape.

    It makes a list of layers a residual network: what stands between the two learns the difference from its input.
    Source: He and others 2016, equation 1; `activation` is what they apply after the addition.
    """

    from_layer: str
    activation: ActivationName = "linear"
    name: str = ""
    kind: ClassVar[str] = "Add"

    def __post_init__(self) -> None:
        check_name(self, "from_layer")
        check_choice(self, "activation", get_args(ActivationName))


@dataclass(frozen=True)
class Branch(SameShape):
    """What the layer called `from_layer` gave, again; the layer before is not read.

    It starts a branch: the layers behind it go on from that earlier output. What stood before is the end of another
    branch, which an `Add` or a `Concatenate` reads by its name.
    """

    from_layer: str
    name: str = ""
    kind: ClassVar[str] = "Branch"

    def __post_init__(self) -> None:
        check_name(self, "from_layer")


@dataclass(frozen=True)
class Concatenate(SameShape):
    """The channels that the layer called `from_layer` gave, and behind them those that the layer before gives.

    Both have the same rows and columns; vectors have none. `input_shape` is that of the two together.
    """

    from_layer: str
    name: str = ""
    kind: ClassVar[str] = "Concatenate"

    def __post_init__(self) -> None:
        check_name(self, "from_layer")
