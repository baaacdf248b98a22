"""ONNX files: written from a model, run by ONNX Runtime, and read as layers.

`onnx` and `onnxruntime` are imported by the functions when they are called.
"""

from convscope.interchange.onnx_files.reading import read_onnx as read_onnx
from convscope.interchange.onnx_files.running import open_onnx as open_onnx
from convscope.interchange.onnx_files.versions import DEFAULT_OPSET as DEFAULT_OPSET
from convscope.interchange.onnx_files.writing import write_onnx as write_onnx
