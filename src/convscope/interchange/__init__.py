"""Models of other programs in: files of Keras, ONNX and others, read as networks, with the scaling of their images."""

from convscope.interchange.imported import Imported as Imported
from convscope.interchange.importing import import_model as import_model, read_network as read_network
from convscope.interchange.keras_files import from_keras as from_keras
from convscope.interchange.scaling import Scaling as Scaling, ScalingTable as ScalingTable
from convscope.interchange.scaling_search import (
    UnclearScalingError as UnclearScalingError,
    find_scaling as find_scaling,
)
from convscope.interchange.torch_files.live import from_torch as from_torch
