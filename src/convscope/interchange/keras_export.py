"""A model as a Keras model, and as a `.keras` file that Keras opens by itself, on any of its backends.

Such a file is a zip archive. Beside what Keras puts there it holds `convscope.json`, which Keras does not look at: the
class names, the architecture and where the model came from. They are lost when Keras writes the model again.
"""

import io
import json
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convscope.base.arguments import checked
from convscope.base.errors import ConvscopeError
from convscope.base.files import write_bytes
from convscope.engine.keras import build_keras, load_keras, versions
from convscope.engine.keras.backend import predicting, quiet, to_numpy
from convscope.engine.keras.builder import Output
from convscope.interchange.keras_files.reading import DESCRIPTION
from convscope.training.model import Model

SUFFIX = ".keras"
_FORMAT = 1  # of what `DESCRIPTION` holds
_BLOCK = 256  # images whose logits are computed at once
_MOST_CONFIG_BYTES = 1 << 24  # a network of a thousand layers has one of 1 MB
_MODULES = ("keras", "keras.layers", "keras.initializers", "keras.src.models.functional")
"""From where Keras may take classes for a file: layers and initialisers, none of which runs what a file says."""


@dataclass(frozen=True, eq=False)
class KerasRunner:
    """A Keras model from a file, computed by Keras on the backend of this process.

    Attributes:
        model: what Keras made of the file.
        runtime: the versions of Keras and its backend, in words.
    """

    model: Any
    runtime: str

    def logits(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return (N, K), the file's "logits" for images (N, H, W, C) uint8."""
        result = np.empty((len(images), self.model.output["logits"].shape[-1]), np.float32)
        with predicting():
            for start in range(0, len(images), _BLOCK):
                block = slice(start, start + _BLOCK)
                result[block] = to_numpy(self.model(np.asarray(images[block]), training=False)["logits"])
        return result


@checked
def to_keras(model: Model, *, output: Output = "both") -> Any:
    """Return `model` as a Keras model in float32, on the backend of this process.

    It takes images (N, H, W, C) from 0 to 255 as they are in the data set, float32 or uint8, under the name "images".
    Its layers have the names of ours; see `convscope.engine.keras.builder` for those that take several. Its logits are
    those of `model` but for the rounding of float32, 1e-6 of the largest.

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
    with tempfile.TemporaryDirectory() as folder:
        written = Path(folder) / f"model{SUFFIX}"
        keras_model = to_keras(model)
        with quiet():  # Keras asks for TensorFlow then, on any backend
            keras_model.save(written)
        archive = io.BytesIO(written.read_bytes())
    with zipfile.ZipFile(archive, "a", zipfile.ZIP_DEFLATED) as file:
        file.writestr(DESCRIPTION, json.dumps(_description(model), allow_nan=False, ensure_ascii=False))
    write_bytes(path, archive.getvalue())


def open_keras(path: Path | str) -> KerasRunner:
    """Return the model in the `.keras` file at `path` as Keras itself opens it, in its safe mode.

    Only a file whose classes are Keras's own layers and initialisers is given to Keras.

    Raises:
        ConvscopeError: if the file is missing, damaged, or of a model without an output "logits".
        MissingPackageError: if Keras or a backend is missing.
    """
    path = Path(path)
    keras = load_keras()
    try:
        _check_config(path)
        with quiet():
            model = keras.saving.load_model(path, compile=False, safe_mode=True)
    except FileNotFoundError as error:
        raise ConvscopeError(f"{path}: not found; give an existing {SUFFIX} file") from error
    except Exception as error:  # Keras raises whatever its parts raise
        words = str(error).partition("\n")[0][:200] or type(error).__name__
        raise ConvscopeError(f"{path}: Keras cannot open it ({words}); use another copy") from error
    outputs = getattr(model, "output", None)
    if not isinstance(outputs, dict) or "logits" not in outputs:
        raise ConvscopeError(f"{path}: a Keras model, but without an output 'logits'; write it with write_keras")
    runtime = " on ".join(f"{_TITLES.get(name, name)} {version}" for name, version in versions().items())
    return KerasRunner(model, runtime)


_TITLES = {"keras": "Keras", "tensorflow": "TensorFlow", "jax": "JAX", "torch": "PyTorch"}


def _description(model: Model) -> dict[str, Any]:
    return {
        "format": _FORMAT,
        "architecture": model.architecture.to_dict(),
        "class_names": list(model.class_names),
        "provenance": dict(model.provenance),
        "weights_sha256": model.weights_sha256,
        **({"calibration": dict(model.calibration)} if model.calibration else {}),
        **({"handwriting": model.handwriting.to_dict()} if model.handwriting else {}),
    }


def _check_config(path: Path) -> None:
    """Raise `ValueError` if the file's configuration is too large, or names a class that no network needs."""
    with zipfile.ZipFile(path) as file:
        size = file.getinfo("config.json").file_size
        if size > _MOST_CONFIG_BYTES:
            raise ValueError(f"config.json has {size:,} bytes")
        waiting = [json.loads(file.read("config.json"))]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            name, module = value.get("class_name"), value.get("module")
            if name is not None and module not in _MODULES and name != "__keras_tensor__":  # the mark of a connection
                raise ValueError(f"it names {module}.{name}, which is not a layer of Keras")
            if name == "Lambda":
                raise ValueError("it has a Lambda layer, which holds code")
            waiting += value.values()
        elif isinstance(value, list):
            waiting += value
