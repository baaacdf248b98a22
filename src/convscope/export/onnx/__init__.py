"""ONNX files, written from a model and run by ONNX Runtime.

`onnx` and `onnxruntime` are imported by the functions when they are called.
"""

from convscope.export.onnx.running import open_onnx as open_onnx
from convscope.export.onnx.writing import write_onnx as write_onnx
