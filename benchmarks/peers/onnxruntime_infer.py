"""Time ONNX Runtime's inference of `cnn`: seconds of 10,000 images in the best way found, and of one image alone.

The graph is written by onnx.helper from the weights in an .npz (Keras layout, convscope's names) and reads float32
pixels (N, 1, 26, 26) from 0 to 1, the part of the image that the network reads. Making such pixels from bytes, which
convscope does within its own time, is done beforehand here and not measured, nor is loading the model. Each run tries
pooling before and after relu, several batch sizes, and threads within one session or one session a thread, and gives
the best. With `logits` in the .npz (of the first test images), the largest difference to them is given, so that both
are known to compute the same.
"""

import os
import statistics
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import measurement
import mnist
import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

os.environ["ORT_DISABLE_TELEMETRY"] = "1"  # before the import, which prepares it
import onnxruntime

BATCH_SIZES = (16, 32, 64, 128, 250, 1000)
SINGLES = 2000


def make_cnn_graph(weights: dict[str, np.ndarray], *, pool_first: bool) -> onnx.ModelProto:
    """Make `cnn` as ONNX reads it: maps before rows and columns, so the first dense kernel's rows move as well."""
    first, second = (weights[f"{name}/kernel"].transpose(3, 2, 0, 1) for name in ("conv2d", "conv2d_1"))
    dense = weights["dense/kernel"].reshape(5, 5, 32, 128).transpose(2, 0, 1, 3).reshape(800, 128)
    arrays = {
        "k0": first,
        "b0": weights["conv2d/bias"],
        "k1": second,
        "b1": weights["conv2d_1/bias"],
        "k2": dense,
        "b2": weights["dense/bias"],
        "k3": weights["dense_1/kernel"],
        "b3": weights["dense_1/bias"],
    }
    nodes = [
        helper.make_node("Conv", ["pixels", "k0", "b0"], ["c0"]),
        *make_relu_and_pool("c0", "m0", pool_first),
        helper.make_node("Conv", ["m0", "k1", "b1"], ["c1"]),
        *make_relu_and_pool("c1", "m1", pool_first),
        helper.make_node("Flatten", ["m1"], ["f"]),
        helper.make_node("Gemm", ["f", "k2", "b2"], ["d"]),
        helper.make_node("Relu", ["d"], ["r2"]),
        helper.make_node("Gemm", ["r2", "k3", "b3"], ["logits"]),
    ]
    graph = helper.make_graph(
        nodes,
        "cnn",
        [helper.make_tensor_value_info("pixels", TensorProto.FLOAT, ["N", 1, 26, 26])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["N", 10])],
        [numpy_helper.from_array(np.ascontiguousarray(array), name) for name, array in arrays.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    return model


def make_relu_and_pool(source: str, target: str, pool_first: bool) -> list[onnx.NodeProto]:
    """Make the two nodes between `source` and `target`, in either order: they commute."""
    pooling = {"kernel_shape": [2, 2], "strides": [2, 2]}
    between = f"{target}-half"
    if pool_first:
        return [
            helper.make_node("MaxPool", [source], [between], **pooling),
            helper.make_node("Relu", [between], [target]),
        ]
    return [
        helper.make_node("Relu", [source], [between]),
        helper.make_node("MaxPool", [between], [target], **pooling),
    ]


def open_session(model: onnx.ModelProto, threads: int) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    return onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])


def infer(session: onnxruntime.InferenceSession, pixels: np.ndarray, size: int) -> np.ndarray:
    """Compute the logits (N, 10) of all images, `size` at a time."""
    parts = [session.run(None, {"pixels": pixels[i : i + size]})[0] for i in range(0, len(pixels), size)]
    return np.concatenate(parts)


def make_ways(models: dict[str, onnx.ModelProto], pixels: np.ndarray, threads: int) -> dict[str, Callable[[], None]]:
    """Return, by name, a function for each way to classify all images with `threads` threads."""
    functions: dict[str, Callable[[], None]] = {}
    for order, model in models.items():
        whole = open_session(model, threads)
        singles = [open_session(model, 1) for _ in range(threads)] if threads > 1 else []
        shares = np.array_split(pixels, threads)
        pool = ThreadPoolExecutor(threads)
        for size in BATCH_SIZES:
            functions[f"{order}, batches of {size}"] = lambda whole=whole, size=size: infer(whole, pixels, size)
            if singles:
                functions[f"{order}, batches of {size}, one session a thread"] = (
                    lambda pool=pool, singles=singles, shares=shares, size=size: list(
                        pool.map(infer, singles, shares, [size] * len(shares))
                    )
                )
    return functions


def main() -> None:
    options = measurement.arguments(__doc__, weights="weights.npz", repetitions=5)
    with np.load(options.weights) as archive:
        arrays = dict(archive)
    expected = arrays.pop("logits", None)
    _, (images, _) = mnist.load()
    pixels = mnist.read_part(images)[:, np.newaxis].astype(np.float32) / np.float32(255)
    models = {
        "relu first": make_cnn_graph(arrays, pool_first=False),
        "pooling first": make_cnn_graph(arrays, pool_first=True),
    }
    alone = {order: open_session(model, options.threads) for order, model in models.items()}
    differences = [0.0]
    if expected is not None:
        part = pixels[: len(expected)]
        differences = [float(np.abs(infer(session, part, 64) - expected).max()) for session in alone.values()]
    tried = {}
    for name, classify in make_ways(models, pixels, options.threads).items():
        tried[name] = measurement.seconds_of(classify, 1 + options.repetitions)[1:]
    best = min(tried, key=lambda name: statistics.median(tried[name]))
    singles = {}
    for order, session in alone.items():
        seconds = measurement.seconds_of(lambda session=session: session.run(None, {"pixels": pixels[:1]}), SINGLES)
        singles[order] = statistics.median(seconds[SINGLES // 10 :])
    measurement.report(
        tried[best],
        packages=["onnxruntime", "onnx"],
        threads=options.threads,
        configuration=f"opset 17, {best}, float pixels made beforehand",
        single_seconds=min(singles.values()),
        single_by_order=singles,
        by_way={name: statistics.median(seconds) for name, seconds in tried.items()},
        max_difference=max(differences),
    )


main()
