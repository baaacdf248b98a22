"""Models in and out: files of Keras, ONNX and others, both ways, with the proof that they answer the same."""

from convscope.interchange.formats import DTYPES, FORMATS, ExportOptions, export_model
from convscope.interchange.imported import Imported
from convscope.interchange.importing import import_model, read_network
from convscope.interchange.parity import Parity, ParityTable, measure_parity

__all__ = [
    "DTYPES",
    "FORMATS",
    "ExportOptions",
    "Imported",
    "Parity",
    "ParityTable",
    "export_model",
    "import_model",
    "measure_parity",
    "read_network",
]
