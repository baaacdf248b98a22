"""Architectures as data: layers, networks, presets, the layer table and the diagram."""

from convscope.architecture import presets as presets
from convscope.architecture.layers import (
    Activation,
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
)
from convscope.architecture.network import Architecture
from convscope.architecture.table import Input, LayerRow, ReceptiveField

__all__ = [
    "Activation",
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
    "presets",
]
