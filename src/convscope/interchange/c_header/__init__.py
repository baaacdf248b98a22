"""A model as one C99 header for microcontrollers, in float32 or in integers of 8 bits or less, without any library."""

from convscope.interchange.c_header.header import CType, write_c
from convscope.interchange.c_header.quantization import QuantizedNetwork, quantize
from convscope.interchange.c_header.runner import open_c
from convscope.interchange.c_header.simulation import Deviation, measure_deviation, simulate

__all__ = [
    "CType",
    "Deviation",
    "QuantizedNetwork",
    "measure_deviation",
    "open_c",
    "quantize",
    "simulate",
    "write_c",
]
