"""ONNX files: written from a model, and run by ONNX Runtime.

`onnx` and `onnxruntime` are imported by the functions when they are called.
"""

from convscope.interchange.onnx_files.running import OnnxRunner, open_onnx
from convscope.interchange.onnx_files.versions import DEFAULT_OPSET
from convscope.interchange.onnx_files.writing import DTYPES, Dtype, write_onnx

__all__ = ["DEFAULT_OPSET", "DTYPES", "Dtype", "OnnxRunner", "open_onnx", "write_onnx"]
