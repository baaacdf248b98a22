"""Architectures as data: layers, networks, presets, the layer table and the diagram."""

from convscope.architecture import presets as presets
from convscope.architecture.layers import (
    Activation,
    ActivationName,
    Add,
    AveragePooling2D,
    BatchNormalization,
    Conv2D,
    Dense,
    DepthwiseConv2D,
    Dropout,
    Flatten,
    GlobalAveragePooling2D,
    GlobalMaxPooling2D,
    Layer,
    MaxPooling2D,
    Padding,
    Shape,
    ZeroPadding2D,
)
from convscope.architecture.network import Architecture
from convscope.architecture.table import Input, LayerRow, ReceptiveField

__all__ = [
    "Activation",
    "ActivationName",
    "Add",
    "Architecture",
    "AveragePooling2D",
    "BatchNormalization",
    "Conv2D",
    "Dense",
    "DepthwiseConv2D",
    "Dropout",
    "Flatten",
    "GlobalAveragePooling2D",
    "GlobalMaxPooling2D",
    "Input",
    "Layer",
    "LayerRow",
    "MaxPooling2D",
    "Padding",
    "ReceptiveField",
    "Shape",
    "ZeroPadding2D",
    "presets",
]
