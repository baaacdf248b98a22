"""The layers as data: their arguments, output shapes, weights and costs.

A layer is a frozen dataclass with Keras's names and arguments. It computes nothing: the engines do.
Shapes are without the batch: (H, W, C) for maps, (units,) for vectors. Each file lists its layers in `__all__`.
"""

from convscope.architecture.layers import convolutions, elementwise, joining, normalizations, poolings, reshaping
from convscope.architecture.layers.activations import *  # noqa: F403
from convscope.architecture.layers.convolutions import *  # noqa: F403
from convscope.architecture.layers.elementwise import *  # noqa: F403
from convscope.architecture.layers.joining import *  # noqa: F403
from convscope.architecture.layers.normalizations import *  # noqa: F403
from convscope.architecture.layers.poolings import *  # noqa: F403
from convscope.architecture.layers.reshaping import *  # noqa: F403
from convscope.architecture.layers.types import *  # noqa: F403
from convscope.architecture.layers.windows import *  # noqa: F403

Layer = (
    convolutions.WeightedLayer
    | poolings.PoolingLayer
    | reshaping.ReshapingLayer
    | elementwise.ElementwiseLayer
    | normalizations.NormalizingLayer
    | joining.JoiningLayer
)
