"""Models out: files for other programs, with the proof that they predict the same."""

from convscope.export.formats import DTYPES, FORMATS, ExportOptions, export_model
from convscope.export.keras import to_keras
from convscope.export.parity import Parity, ParityTable, measure_parity
from convscope.export.torch import to_torch

__all__ = [
    "DTYPES",
    "FORMATS",
    "ExportOptions",
    "Parity",
    "ParityTable",
    "export_model",
    "measure_parity",
    "to_keras",
    "to_torch",
]
