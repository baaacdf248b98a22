"""Models out: files for other programs, with the proof that they predict the same."""

from convscope.export.formats import (
    DTYPES as DTYPES,
    FORMATS as FORMATS,
    ExportOptions as ExportOptions,
    export_model as export_model,
)
from convscope.export.keras import to_keras as to_keras
from convscope.export.parity import Parity as Parity, ParityTable as ParityTable, measure_parity as measure_parity
from convscope.export.torch import to_torch as to_torch
