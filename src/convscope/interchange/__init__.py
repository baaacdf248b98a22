"""Models in and out: files of Keras, ONNX and others, both ways, with the proof that they predict the same."""

from convscope.interchange.formats import DTYPES, FORMATS, ExportOptions, export_model
from convscope.interchange.imported import Imported
from convscope.interchange.importing import import_model, read_network
from convscope.interchange.keras_export import to_keras
from convscope.interchange.keras_files import from_keras
from convscope.interchange.parity import Parity, ParityTable, measure_parity
from convscope.interchange.scaling import Scaling, ScalingTable
from convscope.interchange.scaling_search import UnclearScalingError, find_scaling
from convscope.interchange.torch_export import to_torch
from convscope.interchange.torch_files.live import from_torch

__all__ = [
    "DTYPES",
    "FORMATS",
    "ExportOptions",
    "Imported",
    "Parity",
    "ParityTable",
    "Scaling",
    "ScalingTable",
    "UnclearScalingError",
    "export_model",
    "find_scaling",
    "from_keras",
    "from_torch",
    "import_model",
    "measure_parity",
    "read_network",
    "to_keras",
    "to_torch",
]
