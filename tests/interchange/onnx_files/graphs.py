"""Build small ONNX files by hand, and run ONNX Runtime on them."""

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

import convscope as cs
from convscope.interchange.onnx_files.versions import require

RNG = np.random.default_rng(5)


def node(operator: str, inputs: str, output: str, **attributes) -> onnx.NodeProto:
    """Make a node that computes `output` from `inputs`: names separated by spaces, `-` for an omitted one."""
    names = ["" if name == "-" else name for name in inputs.split()]
    return helper.make_node(operator, names, [output], name=f"n_{output}", **attributes)


def numbers(*shape: int) -> np.ndarray:
    return RNG.normal(0, 0.5, shape).astype(np.float32)


def proto(
    nodes, constants=None, shape=("N", 2, 9, 7), output="y", opset: int = 17, dtype=TensorProto.FLOAT
) -> onnx.ModelProto:
    """Make a model that reads `x` of `shape` and computes `output`, in file format 8, which old runtimes read too."""
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", dtype, shape)],
        [helper.make_tensor_value_info(output, TensorProto.FLOAT, None)],
        [numpy_helper.from_array(np.asarray(array), name) for name, array in (constants or {}).items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)


def save(model: onnx.ModelProto, folder: Path) -> Path:
    path = folder / "file.onnx"
    path.write_bytes(model.SerializeToString())
    return path


def compute_in_runtime(model: onnx.ModelProto, images: np.ndarray, axes=(0, 3, 1, 2)) -> np.ndarray:
    """Compute the output for images (N, H, W, C) / 255 with the axes in the order `axes`, in ONNX Runtime."""
    session = _session(model.SerializeToString())
    inputs = (images.astype(np.float32) / 255).transpose(axes)
    inputs = inputs.reshape([len(inputs), *session.get_inputs()[0].shape[1:]])  # one row an image for (N, numbers)
    return session.run(None, {"x": inputs})[0]


def compute_outputs_in_runtime(path: Path, images: np.ndarray) -> dict[str, np.ndarray]:
    """Compute all outputs of a file that convscope wrote, in ONNX Runtime."""
    session = _session(path.read_bytes())
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(names, {"images": images}), strict=True))


def _session(content: bytes):
    onnxruntime = require("onnxruntime")
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # errors, but no warnings
    return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])


def to_model(imported) -> cs.Model:
    """Make a model of an imported network, with the scaling byte / 255 if the file has none."""
    imported = imported if imported.reads_bytes else imported.apply_scaling(cs.Scaling())
    names = tuple(map(str, range(imported.architecture.num_classes)))
    return cs.Model(imported.architecture, imported.weights, imported.class_names or names)
