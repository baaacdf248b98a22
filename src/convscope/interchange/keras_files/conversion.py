"""One Keras layer as layers of ours: what it becomes, what it stores, and how one gets from these to our weights."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from convscope.architecture import Layer, Shape
from convscope.interchange.keras_files.activations import Slope


class UnsupportedError(Exception):
    """Why a layer cannot be taken over and what would be needed; without the layer's name."""


@dataclass(frozen=True)
class Part:
    """A layer of ours, and where its weights come from.

    Attributes:
        layer: without a name.
        suffix: what its name has behind the Keras layer's, where one layer becomes several.
        sources: for each weight, the variable of the Keras layer, or the numbers it always is (one, or one a channel).
    """

    layer: Layer
    sources: Mapping[str, str | tuple[float, ...]] = field(default_factory=dict)
    suffix: str = ""


@dataclass(frozen=True)
class Conversion:
    """What one Keras layer becomes.

    Attributes:
        variables: the shapes of what the Keras layer stores, in the order in which it stores them.
        activation: what follows the last part, if anything.
        notes: sentences on what was turned into what; `{}` stands for the layer.
    """

    parts: tuple[Part, ...] = ()
    variables: Mapping[str, Shape] = field(default_factory=dict)
    activation: Slope | None = None
    notes: tuple[str, ...] = ()
