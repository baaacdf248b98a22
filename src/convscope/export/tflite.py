"""Convert models for TensorFlow Lite, now called LiteRT, and run the files.

Both may import TensorFlow, which takes seconds and writes to the error stream; meanwhile its output is discarded.
"""

from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convscope.base.errors import ConvscopeError, first_line
from convscope.base.files import write_bytes
from convscope.base.versions import require
from convscope.engine.keras.backend import quiet
from convscope.export.formats import Dtype, check_calibration
from convscope.export.records import MemoryUse
from convscope.export.runner import FileRunner
from convscope.interchange.tflite_files.flatbuffer import read_root
from convscope.interchange.tflite_files.tensors import read_tensors
from convscope.training.model import Model


def write_tflite(
    model: Model, path: Path, *, dtype: Dtype = "float32", calibration_images: NDArray[np.uint8] | None = None
) -> None:
    """Write `model` to `path` (usually `.tflite`) through TensorFlow's converter, whole or not at all.

    The file's signature takes `images` (N, H, W, C) uint8 for any N and gives `logits` and `probabilities`, (N, K)
    float32. It needs TFLite's built-in operators only.

    Args:
        dtype: `float16` halves the size: weights are rounded to 11 significant bits and read back as float32. `int8`
            quarters it, and all layers compute in integers: weights have 255 levels for each filter, and each layer's
            output 256 levels over its range on `calibration_images`.
        calibration_images: (N, H, W, C) uint8, for `int8` alone; some hundred training images of all classes.

    Raises:
        ConvscopeError: if TensorFlow is not installed, cannot convert the model, or `path` cannot be written.
    """
    check_calibration(model, dtype, calibration_images)
    images = calibration_images if dtype == "int8" else None
    with quiet():
        content = _convert(require("tensorflow", "TensorFlow", "tflite"), model, dtype, images)
    write_bytes(path, content)


def open_tflite(path: Path) -> FileRunner:
    """Open a file that `write_tflite` wrote, in LiteRT or else in TensorFlow's interpreter.

    TensorFlow's interpreter runs operators that write files: open only files that you wrote, or whose writer you trust.

    Raises:
        MissingPackageError: if neither is installed.
        ConvscopeError: if the file is missing, damaged, or not of `write_tflite`.
    """
    with quiet():
        interpreters, runtime = _import_interpreter()
        try:
            content = path.read_bytes()
            interpreter = interpreters.Interpreter(model_content=content)
            interpreter.allocate_tensors()
            runner = interpreter.get_signature_runner("serving_default")
            if runner.get_input_details().keys() != {"images"} or "logits" not in runner.get_output_details():
                raise ValueError("it does not turn images into logits")
            memory = MemoryUse(flash_bytes=len(content), arena_bytes=_measure_arena(content), stack_bytes=None)
        except (OSError, ValueError, RuntimeError) as error:
            raise ConvscopeError(
                f"{path}: is not a TFLite file of convscope ({first_line(error)}); export the model again"
            ) from error
    return FileRunner(runtime, lambda images: runner(images=images)["logits"], memory)


def _measure_arena(content: bytes) -> int:
    """Measure the largest sum of tensors that are needed at the same time, for one image, in bytes.

    The interpreter adds memory of its own, and gaps between tensors.
    """
    # Fields of a model: 2 graphs, 4 buffers; of a graph: 1 inputs, 2 outputs, 3 operators, which have 1 and 2 too.
    model = read_root(content)
    graph = model.tables(2)[0]
    calls = [{*operator.numbers(1, "<i4"), *operator.numbers(2, "<i4")} for operator in graph.tables(3)]
    calls = [{*graph.numbers(1, "<i4")}, *calls, {*graph.numbers(2, "<i4")}]
    sums = np.zeros(len(calls), np.int64)
    for number, tensor in enumerate(read_tensors(graph, model.tables(4))):
        times = [time for time, numbers in enumerate(calls) if number in numbers]
        if tensor.data is None and times:  # no constant
            sums[times[0] : times[-1] + 1] += tensor.num_bytes
    return int(sums.max())


def _convert(tf: Any, model: Model, dtype: Dtype, calibration_images: NDArray[np.uint8] | None) -> bytes:
    """Convert a model by TensorFlow's converter; `calibration_images` set the ranges of int8, None for other types."""
    from convscope.export.tensorflow_graph import compute_outputs

    # For int8 the network is built with float32 images, because the converter itself makes an input of bytes of them.
    signature = tf.TensorSpec(
        (None, *model.architecture.input.shape), tf.float32 if dtype == "int8" else tf.uint8, "images"
    )
    module = tf.Module()
    module.answers = tf.function(
        lambda images: compute_outputs(model, images), input_signature=[signature], autograph=False
    )
    converter = tf.lite.TFLiteConverter.from_concrete_functions([module.answers.get_concrete_function()], module)
    if dtype == "float16":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.target_spec.supported_types = [tf.float16]
    if calibration_images is not None:
        images = _extend_range(calibration_images)
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = lambda: ([image[None].astype(np.float32)] for image in images)
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = tf.uint8
    try:
        return bytes(converter.convert())
    except Exception as error:  # the converter raises whatever its passes meet
        raise ConvscopeError(f"TensorFlow cannot convert the model to {dtype} ({first_line(error)})") from error


def _extend_range(images: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Copy images, with one smallest value set to 0 and one largest to 255.

    With the range of all bytes, the converter's scale for the input is 1: a byte stays the byte that it is.
    """
    images = images.copy()
    values = images.reshape(-1)
    # If all values are equal, each is smallest and largest. Then the first becomes 0 and the last 255.
    smallest, largest = int(values.argmin()), len(values) - 1 - int(values[::-1].argmax())
    values[largest] = 255
    values[smallest] = 0
    return images


def _import_interpreter() -> tuple[Any, str]:
    try:
        from ai_edge_litert import interpreter
    except ImportError:
        tf = require("tensorflow", "TensorFlow", "tflite")
        from tensorflow.lite.python import interpreter

        return interpreter, f"TensorFlow Lite of TensorFlow {tf.__version__}"
    return interpreter, f"LiteRT {version('ai-edge-litert')}"
