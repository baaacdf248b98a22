"""Read networks from files of other programs and make models of them.

The readers trust no file, and run nothing in it.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from importlib import import_module
from pathlib import Path

from convscope.base.arguments import check_name, checked
from convscope.base.errors import InterchangeError
from convscope.base.files import file_digest, inside, open_file
from convscope.data.datasets import DatasetLike
from convscope.interchange.imported import NAMELESS, Imported
from convscope.interchange.scaling import Scaling
from convscope.interchange.scaling_search import with_scaling
from convscope.storage import load_model
from convscope.training.model import Model

_READERS = {
    "Keras": ("keras_files", "read_keras"),
    "PyTorch": ("torch_files.reading", "read_torch"),
    "TensorFlow.js": ("keras_files.tensorflow_js", "read_tensorflow_js"),
    "TensorFlow Lite": ("tflite_files", "read_tflite"),
    "ONNX": ("onnx_files", "read_onnx"),
}
"""The module and function that reads the files of each program, imported only when such a file is read."""


def read_network(
    path: Path | str,
    *,
    architecture: Path | None = None,
    image_shape: tuple[int, int, int] | None = None,
    output: str | None = None,
) -> Imported:
    """Read a network from a file of Keras (`.keras`, `.h5`, `.weights.h5`), PyTorch (`.pt2`), TensorFlow Lite,
    TensorFlow.js (`model.json`), ONNX or convscope.

    Args:
        architecture: a JSON file, of convscope or of Keras, for a file that holds weights alone.
        image_shape: (H, W, C), for a network that reads images of any size, or as vectors of pixels.
        output: the name of the output with a number for each class, for a network with several outputs.

    Returns:
        the network; its input is that of the file: bytes, or numbers that `Imported.apply_scaling` makes of bytes.

    Raises:
        InterchangeError: if the file is missing, damaged, hostile, or has layers that convscope does not have; these
            are named.
        RunError: as `load_model` does.
    """
    from convscope.interchange.recognition import recognize_file

    path = Path(path)
    kind = recognize_file(path)
    if kind != "Keras" and architecture is not None:
        raise InterchangeError(f"{path}: holds its own architecture; omit {architecture}")
    if kind != "convscope":
        module, name = _READERS[kind]
        stated = {"architecture": architecture} if kind == "Keras" else {}
        read: Callable[..., Imported] = getattr(import_module(f"convscope.interchange.{module}"), name)
        return read(path, image_shape=image_shape, output=output, **stated)
    if output is not None:
        raise InterchangeError(f"{path}: has one output; omit `output`")
    model = load_model(path)
    return Imported(model.architecture, model.weights, (), model.class_names, "convscope", reads_bytes=True)


@checked
def import_model(
    path: Path | str,
    *,
    class_names: Sequence[str] | None = None,
    architecture: Path | None = None,
    image_shape: tuple[int, int, int] | None = None,
    output: str | None = None,
    scaling: Scaling | None = None,
    training: DatasetLike | None = None,
) -> Model:
    """Import a network from a file of another program.

    Args:
        class_names: K names; by default those in the file, or else "0", "1", ...
        architecture, image_shape, output: as `read_network` takes them.
        scaling: how a byte becomes the number that the network reads.
        training: labelled images that the network was trained on, by which `find_scaling` finds the scaling. A network
            that scales bytes itself needs neither `scaling` nor `training`.

    Raises:
        InterchangeError, RunError: as `read_network` does; also if the scaling is unknown or unclear.
        ValueError: if there are not as many names as the network has outputs, or `scaling` or `training` do not fit it.
    """
    network = read_network(path, architecture=architecture, image_shape=image_shape, output=output)
    network = with_scaling(network, scaling, training, str(path))
    return make_model(network, Path(path), class_names, image_shape=image_shape, output=output)


def make_model(network: Imported, path: Path, class_names: Sequence[str] | None = None, **stated: object) -> Model:
    """Make a model of an imported network, with its provenance.

    Args:
        stated: the arguments of `read_network` with which the file was read, None if left out.

    Raises:
        InterchangeError: if the file has a class name that is too long.
    """
    for label, name in enumerate(network.class_names or ()):
        check_name(name, f"{path}: the name of class {label}", InterchangeError)
    # A folder is a run of convscope, whose model is a file in it.
    digests = {"sha256": _digest(inside(path, "model.safetensors") if path.is_dir() else path)}
    if network.weights_file is not None:
        digests |= {"weights_file": network.weights_file.name, "weights_file_sha256": _digest(network.weights_file)}
    if network.architecture.name == NAMELESS:  # the file states no name: "digits" for digits.onnx
        name = path.name.partition(".")[0] or NAMELESS
        network = replace(network, architecture=replace(network.architecture, name=name))
    arguments = {name: list(value) if isinstance(value, tuple) else value for name, value in stated.items() if value}
    return network.to_model(class_names, file=path.name, **digests, **arguments)


def _digest(path: Path) -> str:
    with open_file(path) as opened:
        return file_digest(opened)
