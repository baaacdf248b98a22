"""A model as one C99 header for microcontrollers, in float32 or in integers of 8 bits or less, without any library."""

from convscope.export.c_header.header import write_c as write_c
from convscope.export.c_header.runner import open_c as open_c
