"""ONNX files, read as layers.

`onnx` is imported by the functions when they are called.
"""

from convscope.interchange.onnx_files.reading import read_onnx as read_onnx
