"""Export a model as a Keras model, or as a `.keras` file that Keras opens without convscope, on any backend.

The file is a zip archive. To Keras's members it adds `convscope.json`, which Keras ignores: the class names, the
architecture and the provenance. They are lost when Keras writes the model again.
"""

import io
import json
import tempfile
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convscope.base.arguments import checked
from convscope.base.errors import ConvscopeError, first_line
from convscope.base.files import write_bytes
from convscope.engine.keras import build_keras, load_keras, versions
from convscope.engine.keras.backend import predicting, quiet, to_numpy
from convscope.engine.keras.builder import Output
from convscope.export.runner import FileRunner
from convscope.interchange.keras_files.reading import DESCRIPTION
from convscope.training.model import Model

SUFFIX = ".keras"


@checked
def to_keras(model: Model, *, output: Output = "both") -> Any:
    """Convert `model` to a Keras model in float32, on the backend of this process.

    Its input "images" is (N, H, W, C), uint8 or float32 from 0 to 255. Its layers have the names of ours;
    `convscope.engine.keras.builder` describes those that need several. Its logits are those of `model` within 1e-6 of
    the largest.

    Args:
        output: "both" is a functional model that gives a dict of "logits" (N, K) and "probabilities" (N, K); "logits"
            or "probabilities" is a `keras.Sequential` that gives one of them, functional where a layer reads an earlier
            one.

    Raises:
        ValueError: for another `output`.
        MissingPackageError: if Keras or a backend is missing.
    """
    return build_keras(model.architecture, model.weights, output=output)


def write_keras(model: Model, path: Path | str) -> None:
    """Write `to_keras(model)` to a `.keras` file, whole or not at all.

    Raises:
        ConvscopeError: if the name does not end in `.keras`, or the file cannot be written.
        MissingPackageError: if Keras or a backend is missing.
    """
    path = Path(path)
    if path.suffix != SUFFIX:
        raise ConvscopeError(f"{path}: Keras opens only files whose names end in {SUFFIX}; rename it")
    with tempfile.TemporaryDirectory() as folder:  # Keras writes only to a path, and not whole or not at all
        keras_file = Path(folder) / f"model{SUFFIX}"
        keras_model = to_keras(model)
        with quiet():  # Keras imports TensorFlow here, on any backend
            keras_model.save(keras_file)
        archive = io.BytesIO(keras_file.read_bytes())
    description = {
        "architecture": model.architecture.to_dict(),
        "class_names": list(model.class_names),
        "provenance": dict(model.provenance),
        "weights_sha256": model.weights_sha256,
    }
    with zipfile.ZipFile(archive, "a", zipfile.ZIP_DEFLATED) as file:
        file.writestr(DESCRIPTION, json.dumps(description, allow_nan=False, ensure_ascii=False))
    write_bytes(path, archive.getvalue())


def open_keras(path: Path | str) -> FileRunner:
    """Open a `.keras` file that `write_keras` wrote, in Keras itself and in its safe mode.

    Raises:
        ConvscopeError: if the file is missing, damaged, or of a model without an output "logits".
        MissingPackageError: if Keras or a backend is missing.
    """
    keras = load_keras()
    try:
        with quiet():
            model = keras.saving.load_model(path, compile=False, safe_mode=True)
    except Exception as error:  # Keras raises whatever its parts raise
        raise ConvscopeError(f"{path}: Keras cannot open it ({first_line(error)}); use another copy") from error
    outputs = getattr(model, "output", None)
    if not isinstance(outputs, dict) or "logits" not in outputs:
        raise ConvscopeError(f"{path}: a Keras model, but without an output 'logits'; write it with write_keras")

    def run(images: NDArray[np.uint8]) -> NDArray[np.float32]:
        with predicting():
            return to_numpy(model(images, training=False)["logits"])

    return FileRunner(" on ".join(f"{_TITLES.get(name, name)} {version}" for name, version in versions().items()), run)


_TITLES = {"keras": "Keras", "tensorflow": "TensorFlow", "jax": "JAX", "torch": "PyTorch"}
