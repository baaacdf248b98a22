"""Models of other programs in: files of Keras, ONNX and others, read as networks, with the scaling of their images."""

from .imported import Imported as Imported
from .importing import import_model as import_model, read_network as read_network
from .keras_files import from_keras as from_keras
from .scaling import Scaling as Scaling, ScalingTable as ScalingTable
from .scaling_search import (
    UnclearScalingError as UnclearScalingError,
    find_scaling as find_scaling,
)
from .torch_files.live import from_torch as from_torch
