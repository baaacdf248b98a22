"""The layers as data: what each one is called, what shape it gives, what weights it has, what it costs.

A layer is a frozen dataclass with the names and arguments that Keras gives it. It computes nothing: the engines do.
Shapes are without the batch: (H, W, C) for maps, (units,) for vectors.
"""

from convscope.architecture.layers.convolutions import Conv2D, Dense, DepthwiseConv2D
from convscope.architecture.layers.elementwise import Activation, BatchNormalization, Dropout, PReLU
from convscope.architecture.layers.joining import Add, Branch, Concatenate, SoftVoting
from convscope.architecture.layers.poolings import (
    AveragePooling2D,
    GlobalAveragePooling2D,
    GlobalMaxPooling2D,
    MaxPooling2D,
)
from convscope.architecture.layers.reshaping import Flatten, ZeroPadding2D
from convscope.architecture.layers.types import NON_TRAINABLE_WEIGHTS, ActivationName, Frame, Padding, Pair, Shape
from convscope.architecture.layers.windows import Window, padding_before, same_padding

Layer = (
    Conv2D
    | DepthwiseConv2D
    | MaxPooling2D
    | AveragePooling2D
    | GlobalMaxPooling2D
    | GlobalAveragePooling2D
    | Flatten
    | ZeroPadding2D
    | Dropout
    | BatchNormalization
    | Activation
    | PReLU
    | Add
    | Branch
    | Concatenate
    | SoftVoting
    | Dense
)

__all__ = [
    "NON_TRAINABLE_WEIGHTS",
    "Activation",
    "ActivationName",
    "Add",
    "AveragePooling2D",
    "BatchNormalization",
    "Branch",
    "Concatenate",
    "Conv2D",
    "Dense",
    "DepthwiseConv2D",
    "Dropout",
    "Flatten",
    "Frame",
    "GlobalAveragePooling2D",
    "GlobalMaxPooling2D",
    "Layer",
    "MaxPooling2D",
    "PReLU",
    "Padding",
    "Pair",
    "Shape",
    "SoftVoting",
    "Window",
    "ZeroPadding2D",
    "padding_before",
    "same_padding",
]
