"""Choose the backend of Keras, and do what differs between backends: gradients, threads, TF32, messages.

A backend is imported when it is first used, because that takes seconds.
"""

import json
import os
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convscope.base.errors import EngineError, MissingPackageError
from convscope.base.versions import install_command

BACKENDS = ("tensorflow", "jax", "torch")
"""Those that can train. If nothing names one, the first that is installed is used."""
BACKEND_VARIABLE = "KERAS_BACKEND"

Array = NDArray[np.float32]


def _install() -> str:
    return f"run {' or '.join(map(install_command, BACKENDS))}"


def backend_name() -> str:
    """Find the backend that Keras computes with in this process, or would if it were imported now.

    That is what KERAS_BACKEND says, or else Keras's own keras.json, or else the first of `BACKENDS` that is installed.

    Raises:
        MissingPackageError: if Keras or that backend is not installed.
        EngineError: if the backend cannot train.
    """
    if find_spec("keras") is None:
        raise MissingPackageError(f"engine keras needs Keras, which is not installed; {_install()}")
    if (imported := sys.modules.get("keras")) is not None:  # its backend cannot change any more
        return str(imported.config.backend())
    if backend := os.environ.get(BACKEND_VARIABLE):
        if backend not in BACKENDS:
            raise EngineError(f"{BACKEND_VARIABLE} is {backend!r}; engine keras needs one of {', '.join(BACKENDS)}")
        if find_spec(backend) is None:
            raise MissingPackageError(f"{BACKEND_VARIABLE} is {backend!r}, which is not installed; {_install()}")
        return backend
    for name in (_read_keras_json(), *BACKENDS):  # keras.json may name one that cannot train, which is passed over
        if name in BACKENDS and find_spec(name) is not None:
            return name
    raise MissingPackageError(
        f"engine keras needs {', '.join(BACKENDS[:-1])} or {BACKENDS[-1]}, none is installed; {_install()}"
    )


@cache
def load_keras() -> Any:
    """Import Keras with the backend that `backend_name` names, and return the module.

    Raises:
        MissingPackageError: as `backend_name` does; also if Keras or the backend cannot be imported, or Keras is older
            than 3.
        EngineError: as `backend_name` does.
    """
    backend = backend_name()
    os.environ[BACKEND_VARIABLE] = backend  # Keras reads it when it is imported
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # otherwise TensorFlow reports its start on stderr
    try:
        with quiet():
            keras = import_module("keras")
    except Exception as error:  # a damaged installation may raise anything
        reason = str(error).partition("\n")[0]
        raise MissingPackageError(
            f"engine keras: Keras on {backend} cannot be imported ({reason}); {_install()}"
        ) from error
    if int(keras.__version__.partition(".")[0]) < 3:
        raise MissingPackageError(f"engine keras needs Keras 3, but {keras.__version__} is installed; {_install()}")
    if keras.config.backend() not in BACKENDS:
        raise EngineError(
            f"Keras has been imported with backend {keras.config.backend()!r}; "
            f"set {BACKEND_VARIABLE} to one of {', '.join(BACKENDS)} and start again"
        )
    return keras


def versions() -> dict[str, str]:
    """Find the versions of Keras and of its backend, which imports both; raises as `load_keras` does."""
    keras = load_keras()
    backend = keras.config.backend()
    return {"keras": keras.__version__, backend: str(import_module(backend).__version__)}


def set_threads(threads: int | None) -> None:
    """Set the backend's number of threads: torch takes it always, tensorflow before it has computed, jax never."""
    if threads is None:
        return
    backend = load_keras().config.backend()
    module = import_module(backend)
    if backend == "torch":
        module.set_num_threads(threads)
    elif backend == "tensorflow":
        with suppress(RuntimeError):  # it has begun to compute
            module.config.threading.set_intra_op_parallelism_threads(threads)
            module.config.threading.set_inter_op_parallelism_threads(threads)


@contextmanager
def float32_products() -> Iterator[None]:
    """Within the block, have a GPU multiply float32 numbers exactly, and not rounded to the 11 bits of TF32."""
    backend = load_keras().config.backend()
    module = import_module(backend)
    with ExitStack() as stack:
        if backend == "jax":
            stack.enter_context(module.default_matmul_precision("float32"))
        elif backend == "tensorflow":
            rounding = module.config.experimental
            # `callback` restores the present setting at the end, also after an error.
            stack.callback(rounding.enable_tensor_float_32_execution, rounding.tensor_float_32_execution_enabled())
            rounding.enable_tensor_float_32_execution(False)
        elif module.cuda.is_available():
            for part in (module.backends.cudnn, module.backends.cuda.matmul):
                stack.callback(setattr, part, "allow_tf32", part.allow_tf32)
                part.allow_tf32 = False
        yield


@contextmanager
def predicting() -> Iterator[None]:
    """Within the block, use `float32_products`, and have PyTorch keep nothing for gradients."""
    with float32_products():
        if load_keras().config.backend() == "torch":
            with import_module("torch").no_grad():
                yield
        else:
            yield


def value_and_gradients(function: Callable[[Sequence[Any]], Any], arrays: Sequence[Array]) -> tuple[float, list[Array]]:
    """Compute a function's value at `arrays`, and its gradient with respect to each of them.

    Args:
        function: takes a list of the backend's tensors, one for each array, and returns one number as a tensor.
    """
    keras = load_keras()
    tensors = [keras.ops.convert_to_tensor(array) for array in arrays]
    if not tensors:  # the network has no weights
        return float(keras.ops.convert_to_numpy(function(tensors))), []
    match keras.config.backend():
        case "jax":
            value, gradients = import_module("jax").value_and_grad(function)(tensors)
        case "tensorflow":
            with import_module("tensorflow").GradientTape() as tape:
                tape.watch(tensors)
                value = function(tensors)
            # Zero for an array that the value does not depend on, as JAX gives it; by default it would be None.
            gradients = tape.gradient(value, tensors, unconnected_gradients="zero")
        case _:
            tensors = [tensor.clone().requires_grad_() for tensor in tensors]
            value = function(tensors)
            gradients = import_module("torch").autograd.grad(value, tensors, materialize_grads=True)
    return float(keras.ops.convert_to_numpy(value)), [to_numpy(gradient) for gradient in gradients]


def to_numpy(tensor: Any) -> Array:
    """Copy a tensor or variable to an array, which no later step of training changes."""
    return np.array(load_keras().ops.convert_to_numpy(tensor), np.float32)


def _read_keras_json() -> str:
    """Read the backend from Keras's own file; "" if there is none, or it cannot be read."""
    folder = os.environ.get("KERAS_HOME") or Path.home() / ".keras"
    try:
        configured = json.loads((Path(folder) / "keras.json").read_text(encoding="utf-8"))
        return str(configured["backend"])
    except (OSError, KeyError, TypeError, ValueError, RecursionError):
        return ""


@contextmanager
def quiet() -> Iterator[None]:
    """Mute warnings and the error stream of the whole process within the block."""
    # By the file descriptor 2, since the C++ code of backends does not write through `sys.stderr`.
    sys.stderr.flush()
    stream, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        sys.stderr.flush()
        os.dup2(stream, 2)
        os.close(stream)
        os.close(nowhere)
