"""Architectures as data: layers, networks, presets, the layer table and the diagram."""

from convscope.architecture import layers as layers
from convscope.architecture import presets as presets
from convscope.architecture.layers import *  # noqa: F403 (every kind of layer, which `layers` lists)
from convscope.architecture.network import Architecture
from convscope.architecture.table import Input, LayerRow, ReceptiveField

__all__ = ["Architecture", "Input", "LayerRow", "ReceptiveField", "presets"]
__all__ += layers.__all__
