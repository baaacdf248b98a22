"""Models for TensorFlow Lite, now called LiteRT: `write_tflite` converts one, `open_tflite` runs such a file.

Either may import TensorFlow, which takes seconds and writes to the error stream; that stream is closed to it meanwhile.
"""

from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convscope.base.errors import ConvscopeError, MissingPackageError
from convscope.base.files import write_bytes
from convscope.base.versions import install_command
from convscope.engine.keras.backend import quiet
from convscope.engine.network import check_images
from convscope.interchange.formats import DTYPES, Dtype
from convscope.training.model import Model

_BLOCK = 256  # images at once: maps of the widest preset then take some 100 MB
_MOST_BYTES = 2**31  # what the format's 32-bit offsets reach


def write_tflite(
    model: Model, path: Path, *, dtype: Dtype = "float32", calibration_images: NDArray[np.uint8] | None = None
) -> None:
    """Write `model` to `path` (by custom `.tflite`) through TensorFlow's converter, whole or not at all.

    The file's signature takes `images` (N, H, W, C) uint8 for any N and gives `logits` and `probabilities`, (N, K)
    float32. It needs TFLite's built-in operators alone.

    Args:
        dtype: `float16` halves the size: weights are rounded to 11 significant bits and read back as float32. `int8`
            makes it a quarter, and all layers compute in integers: weights get 255 levels a filter, and each layer's
            output 256 levels over the range that it has on `calibration_images`.
        calibration_images: (N, H, W, C) uint8, for `int8` alone; some hundred training images of all classes. The
            least value in them is used as 0 and the largest for 255, so that a byte stays the byte that it is.

    Raises:
        ValueError: if `dtype` is none of the three; if calibration images are missing, given without use, empty, or
            not of the size the model reads.
        ConvscopeError: if TensorFlow is not installed, cannot convert the model, or `path` cannot be written.
    """
    if dtype not in DTYPES:
        raise ValueError(f"dtype is {dtype!r}; it must be one of {', '.join(DTYPES)}")
    if (calibration_images is None) == (dtype == "int8"):
        raise ValueError(f"calibration_images are for dtype int8, which needs them; dtype is {dtype}")
    if calibration_images is not None:
        check_images(calibration_images, model.architecture.input.shape)
        if len(calibration_images) == 0:
            raise ValueError("calibration_images hold no image; give some hundred")
    with quiet():
        content = _converted(_import_tensorflow(), model, dtype, calibration_images)
    write_bytes(path, content)


@dataclass(frozen=True)
class TfliteModel:
    """A file that `write_tflite` wrote, opened by an interpreter.

    Attributes:
        runtime: what computes it, with its version.
    """

    runtime: str
    _run: Any
    _num_classes: int

    def logits(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return (N, K) for images (N, H, W, C) uint8, computed block by block."""
        blocks = [np.zeros((0, self._num_classes), np.float32)]
        for start in range(0, len(images), _BLOCK):
            blocks.append(self._run(images=np.ascontiguousarray(images[start : start + _BLOCK]))["logits"])
        return np.concatenate(blocks)


def open_tflite(path: Path) -> TfliteModel:
    """Return the file in `path` that `write_tflite` wrote, ready to run in LiteRT, or else in TensorFlow's interpreter.

    Raises:
        ConvscopeError: if neither is installed, or the file is missing, damaged, of other inputs and outputs, or needs
            more than the built-in operators.
    """
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise ConvscopeError(f"{path}: is larger than 2 GiB, the limit for TFLite files; export the model again")
        content = path.read_bytes()
    except OSError as error:
        raise ConvscopeError(f"{path}: cannot be read ({error.strerror or error}); check the path") from error
    with quiet():
        interpreters, runtime = _import_interpreter()
        builtin = interpreters.OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
        try:
            # Refuse operators of TensorFlow, which its interpreter would run: some write files.
            interpreters.Interpreter(model_content=content, experimental_op_resolver_type=builtin).allocate_tensors()
            interpreter = interpreters.Interpreter(model_content=content)
            interpreter.allocate_tensors()
            runner = interpreter.get_signature_runner("serving_default")
            given, made = runner.get_input_details(), runner.get_output_details()
            if given.keys() != {"images"} or given["images"]["dtype"] is not np.uint8 or "logits" not in made:
                raise ValueError("it does not turn images of bytes into logits")
            return TfliteModel(runtime, runner, int(made["logits"]["shape"][-1]))
        except (ValueError, RuntimeError) as error:
            reason = str(error).strip().partition("\n")[0]
            raise ConvscopeError(
                f"{path}: is not a TFLite file of convscope ({reason}); export the model again"
            ) from error


def _converted(tf: Any, model: Model, dtype: Dtype, calibration_images: NDArray[np.uint8] | None) -> bytes:
    from convscope.interchange.tensorflow_graph import answers

    # A converter that quantises makes the bytes of the input itself, out of numbers.
    given = tf.TensorSpec(
        (None, *model.architecture.input.shape), tf.float32 if dtype == "int8" else tf.uint8, "images"
    )
    module = tf.Module()
    module.answers = tf.function(lambda images: answers(model, images), input_signature=[given], autograph=False)
    converter = tf.lite.TFLiteConverter.from_concrete_functions([module.answers.get_concrete_function()], module)
    if dtype == "float16":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.target_spec.supported_types = [tf.float16]
    if calibration_images is not None:
        images = _of_full_range(calibration_images)
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = lambda: ([image[None].astype(np.float32)] for image in images)
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = tf.uint8
    try:
        return bytes(converter.convert())
    except Exception as error:  # the converter raises whatever its passes meet
        reason = str(error).strip().partition("\n")[0]
        raise ConvscopeError(f"TensorFlow cannot convert the model to TFLite in {dtype} ({reason})") from error


def _of_full_range(images: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return images whose least value is 0 and whose largest is 255, changed in two places at most."""
    images = images.copy()
    values = images.reshape(-1)
    least, largest = int(values.argmin()), len(values) - 1 - int(values[::-1].argmax())
    values[largest] = 255
    values[least] = 0
    return images


def _import_tensorflow() -> Any:
    try:
        import tensorflow as tf
    except ImportError as error:
        raise MissingPackageError(f"TensorFlow is not installed; run {install_command('tflite')}") from error
    return tf


def _import_interpreter() -> tuple[Any, str]:
    try:
        from ai_edge_litert import interpreter
    except ImportError:
        tf = _import_tensorflow()
        from tensorflow.lite.python import interpreter

        return interpreter, f"TensorFlow Lite of TensorFlow {tf.__version__}"
    return interpreter, f"LiteRT {version('ai-edge-litert')}"
