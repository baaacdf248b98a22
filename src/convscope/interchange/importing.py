"""Networks from files of other programs: which reader a file is for, and from what it reads to a `Model`.

No reader trusts its file, and none runs anything in it.
"""

from collections.abc import Sequence
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
    "TensorFlow Lite": ("tflite_files", "read_tflite"),
    "ONNX": ("onnx_files", "read_onnx"),
}


def read_network(
    path: Path | str,
    *,
    architecture: Path | None = None,
    image_shape: tuple[int, int, int] | None = None,
    output: str | None = None,
) -> Imported:
    """Return the network in a file of Keras (`.keras`, `.h5`, `.weights.h5`), PyTorch (`.pt2`), TensorFlow Lite, ONNX
    or convscope.

    Its input is what the file is given: bytes, or numbers that `Imported.scaled` makes of bytes.

    Args:
        architecture: a JSON file, of convscope or of Keras, for a file that holds weights alone.
        image_shape: (H, W, C), for a network that reads images as rows of pixels, or of any size.
        output: the name of the output that is a number for each class, for a network with several.

    Raises:
        InterchangeError: if the file is missing, damaged, hostile, or has layers that convscope does not have; then it
            names each of them.
        RunError: as `load_model` does.
    """
    from convscope.interchange.recognition import kind_of

    path = Path(path)
    kind = kind_of(path)
    if kind != "Keras" and architecture is not None:
        raise InterchangeError(f"{path}: holds its own architecture; omit {architecture}")
    if kind != "convscope":
        module, name = _READERS[kind]
        stated = {"architecture": architecture} if kind == "Keras" else {}
        read = getattr(import_module(f"convscope.interchange.{module}"), name)
        return read(path, image_shape=image_shape, output=output, **stated)  # type: ignore[no-any-return]
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
    """Return the network in a file of another program as a model.

    Args:
        class_names: what its answers mean; by default what the file says, and else "0", "1", ...
        architecture, image_shape, output: as `read_network` takes them.
        scaling: how a byte becomes the number that the network reads.
        training: labelled images that the network was trained on, by which the scaling is found, see `find_scaling`. A
            network that scales bytes itself needs neither.

    Raises:
        InterchangeError, RunError: as `read_network` does; if the scaling is not known or not clear.
        ValueError: if there are not as many names as the network has outputs, or `scaling` or `training` do not fit it.
    """
    network = read_network(path, architecture=architecture, image_shape=image_shape, output=output)
    network = with_scaling(network, scaling, training, str(path))
    return model_of(network, Path(path), class_names, image_shape=image_shape, output=output)


def model_of(network: Imported, path: Path, class_names: Sequence[str] | None = None, **stated: object) -> Model:
    """Make a model of an imported network, with its provenance.

    Args:
        stated: arguments of `read_network` with which the file was read; None is one that was left out.

    Raises:
        InterchangeError: if the file names a class at too great a length.
    """
    for label, name in enumerate(network.class_names or ()):
        check_name(name, f"{path}: the name of class {label}", InterchangeError)
    digests = {"sha256": _digest(inside(path, "model.safetensors") if path.is_dir() else path)}
    if network.weights_file is not None:
        digests |= {"weights_file": network.weights_file.name, "weights_file_sha256": _digest(network.weights_file)}
    if network.architecture.name == NAMELESS:
        name = path.name.partition(".")[0] or NAMELESS
        network = replace(network, architecture=replace(network.architecture, name=name))
    arguments = {name: list(value) if isinstance(value, tuple) else value for name, value in stated.items() if value}
    return network.to_model(class_names, file=path.name, **digests, **arguments)


def _digest(path: Path) -> str:
    with open_file(path) as opened:
        return file_digest(opened)
