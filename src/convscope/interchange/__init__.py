"""Models of other programs in: files of Keras, ONNX and others, read as networks, with the scaling of their images."""

from convscope.interchange.imported import Imported
from convscope.interchange.importing import import_model, read_network
from convscope.interchange.keras_files import from_keras
from convscope.interchange.scaling import Scaling, ScalingTable
from convscope.interchange.scaling_search import UnclearScalingError, find_scaling
from convscope.interchange.torch_files.live import from_torch

__all__ = [
    "Imported",
    "Scaling",
    "ScalingTable",
    "UnclearScalingError",
    "find_scaling",
    "from_keras",
    "from_torch",
    "import_model",
    "read_network",
]
