"""Models out: files for other programs, with the proof that they predict the same."""

from .formats import (
    DTYPES as DTYPES,
    FORMATS as FORMATS,
    ExportOptions as ExportOptions,
    export_model as export_model,
)
from .keras import to_keras as to_keras
from .parity import Parity as Parity, ParityTable as ParityTable, measure_parity as measure_parity
from .torch import to_torch as to_torch
