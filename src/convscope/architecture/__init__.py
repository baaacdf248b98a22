"""Architectures as data: layers, networks, presets, the layer table and the diagram."""

from convscope.architecture import layers as layers
from convscope.architecture import presets as presets
from convscope.architecture.layers import *  # noqa: F403 (every kind of layer, which `layers` lists)
from convscope.architecture.network import Architecture as Architecture
from convscope.architecture.table import Input as Input
from convscope.architecture.table import LayerRow as LayerRow
from convscope.architecture.table import ReceptiveField as ReceptiveField
