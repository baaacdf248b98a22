"""Architectures as data: layers, networks, presets, the layer table and the diagram."""

from convscope.architecture import layers as layers, presets as presets
from convscope.architecture.layers import *  # noqa: F403 (every kind of layer, which `layers` lists)
from convscope.architecture.network import Architecture as Architecture
from convscope.architecture.table import Input as Input, LayerRow as LayerRow, ReceptiveField as ReceptiveField
