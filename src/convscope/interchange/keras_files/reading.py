"""Read a Keras model from a file that may be hostile, without Keras: nothing in it is run, nothing unpacked to disk."""

from dataclasses import replace
from io import BytesIO
from math import prod
from pathlib import Path
from typing import Any, BinaryIO

from convscope.architecture import Shape
from convscope.architecture.network import architecture_in
from convscope.interchange.archive import ZIP_MAGIC, Archive
from convscope.interchange.imported import Imported, scales_bytes
from convscope.interchange.keras_files.assembly import Assembly, assemble, assembly_of
from convscope.interchange.keras_files.graph import read_graph
from convscope.interchange.keras_files.hdf5 import Hdf5File
from convscope.interchange.keras_files.hdf5.file import MAGIC as HDF5_MAGIC
from convscope.interchange.keras_files.places import is_of_theano, places_of_weights
from convscope.interchange.keras_files.weights import read_weights
from convscope.interchange.refusal import MAX_JSON_BYTES, ModelFileError, open_model_file, parse_json

CONFIG, METADATA, WEIGHTS = "config.json", "metadata.json", "model.weights.h5"
_STATE_BYTES = 64
"""For each weight: eight numbers of float64. Keras's optimizers keep four and the average of the weights at most."""
_ARRAY_BYTES = 1 << 17
"""For each array: what HDF5 takes for its groups and attributes, also of the optimizer's arrays."""
DESCRIPTION = "convscope.json"
"""What convscope itself adds to a file that it exports: the class names among other things."""


def read_keras(
    path: Path | str,
    *,
    architecture: Path | str | None = None,
    image_shape: Shape | None = None,
    output: str | None = None,
) -> Imported:
    """Read a `.keras` file, a whole model in `.h5`, or weights beside an architecture; told apart by their content.

    Args:
        architecture: of weights alone, an architecture of ours as JSON, or a Keras model's `to_json()`.
        image_shape: (H, W) or (H, W, C), where the model reads flat pixels or images of any size.
        output: the name of the layer at the output that is a number for each class, of a model with several.

    Returns:
        the architecture, which is given what the model is given, the weights, and what was turned into what.

    Raises:
        InterchangeError: if a file is missing, damaged, unsafe or larger than such a model's, or if it has layers that
            are not supported, of which the error names each and what would be needed.
    """
    path = Path(path)
    with open_model_file(path) as file:
        start = file.read(8)
        if start.startswith(ZIP_MAGIC):
            _refuse_second(architecture)
            return _read_archive(Archive(file, ".keras archive"), image_shape, output)
        if start == HDF5_MAGIC:
            return _read_hdf5(file, architecture, image_shape, output)
        if start.lstrip().startswith(b"{"):
            raise ModelFileError(
                "is a description without weights; name the weights file, and give this file as architecture"
            )
        raise ModelFileError("is not a Keras model: neither a .keras archive nor HDF5 (.h5); save it with model.save()")


def _read_archive(archive: Archive, image_shape: Shape | None, output: str | None) -> Imported:
    assembly = assemble(read_graph(_json(archive, CONFIG), output), image_shape)
    metadata = _json(archive, METADATA) if archive.has(METADATA) else {}
    version = metadata.get("keras_version")
    content = archive.read_weights(WEIGHTS, _most_weight_bytes(assembly))
    imported = _imported(BytesIO(content), assembly, version if isinstance(version, str) else None)
    if not archive.has(DESCRIPTION):
        return imported
    return replace(imported, class_names=_class_names(archive, imported.architecture.num_classes), reads_bytes=True)


def _most_weight_bytes(assembly: Assembly) -> int:
    """Return how many bytes the weights of a network take at most, with the state of its optimizer."""
    arrays = [prod(shape) for stored in assembly.stored for shape in stored.variables.values()]
    return _STATE_BYTES * sum(arrays) + _ARRAY_BYTES * (len(arrays) + 1)


def _json(archive: Archive, name: str) -> dict[str, Any]:
    return parse_json(archive.read(name, MAX_JSON_BYTES), name)


def _class_names(archive: Archive, num_classes: int) -> tuple[str, ...]:
    """Return the class names in a file that convscope wrote; what it says beside is not needed."""
    names = _json(archive, DESCRIPTION).get("class_names")
    if not isinstance(names, list) or len(names) != num_classes or not all(isinstance(name, str) for name in names):
        raise ModelFileError(f"{DESCRIPTION} does not name its {num_classes} classes; export the model again")
    return tuple(names)


def _read_hdf5(
    file: BinaryIO, architecture: Path | str | None, image_shape: Shape | None, output: str | None
) -> Imported:
    contents = Hdf5File(file)
    config = contents.texts("", "model_config")
    version = "".join(contents.texts("", "keras_version") or []) or None
    if config is not None:
        _refuse_second(architecture)
        assembly = assemble(read_graph(parse_json("".join(config), "model_config"), output), image_shape)
        return _imported(file, assembly, version, contents)
    if architecture is None:
        raise ModelFileError(
            "holds weights only; also give its architecture, as JSON of convscope or of Keras's to_json()"
        )
    return _imported(file, _read_architecture(Path(architecture), contents, image_shape, output), version, contents)


def _read_architecture(path: Path, contents: Hdf5File, image_shape: Shape | None, output: str | None) -> Assembly:
    with open_model_file(path) as file:
        description = parse_json(file.read(MAX_JSON_BYTES + 1), "it")
        if "class_name" in description:
            return assemble(read_graph(description, output), image_shape)
        if output is not None:
            raise ModelFileError("has one output; omit `output`")
        return assembly_of(architecture_in(description, image_shape), contents)


def _imported(file: BinaryIO, assembly: Assembly, version: str | None, contents: Hdf5File | None = None) -> Imported:
    contents = contents or Hdf5File(file)
    file_bytes = file.seek(0, 2)
    places = places_of_weights(contents, assembly.stored)
    weights = read_weights(contents, file_bytes, places, assembly)
    notes = assembly.notes
    if is_of_theano(contents):
        weights = {name: array[::-1, ::-1].copy() if array.ndim == 4 else array for name, array in weights.items()}
        notes = (
            *notes,
            "the model is of Keras on Theano, so the kernels of its convolutions were turned by 180 degrees",
        )
    program = f"Keras {version[:40]}" if version else "Keras"
    reads_bytes = assembly.reads_bytes or scales_bytes(assembly.architecture, weights)
    return Imported(assembly.architecture, weights, notes, program=program, reads_bytes=reads_bytes)


def _refuse_second(architecture: Path | str | None) -> None:
    if architecture is not None:
        raise ModelFileError(f"holds its own architecture; omit {architecture}")
