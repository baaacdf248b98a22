"""Architectures as data: layers, networks, presets, the layer table and the diagram."""

from convscope.architecture import presets as presets
from convscope.architecture.layers import Activation, Conv2D, Dense, Flatten, Layer, MaxPooling2D, Padding, Shape
from convscope.architecture.network import Architecture
from convscope.architecture.table import Input, LayerRow, ReceptiveField

__all__ = [
    "Activation",
    "Architecture",
    "Conv2D",
    "Dense",
    "Flatten",
    "Input",
    "Layer",
    "LayerRow",
    "MaxPooling2D",
    "Padding",
    "ReceptiveField",
    "Shape",
    "presets",
]
