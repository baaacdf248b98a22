"""Read a Keras model from a file that may be hostile, without Keras: nothing in it is run, nothing unpacked to disk."""

from collections import Counter
from dataclasses import replace
from io import BytesIO
from math import prod
from pathlib import Path
from typing import Any, BinaryIO

from convscope.architecture import Architecture, Shape
from convscope.architecture.network import architecture_in
from convscope.engine.network import check_weights
from convscope.interchange.archive import ZIP_MAGIC, Archive
from convscope.interchange.imported import Imported
from convscope.interchange.keras_files.conversion import StoredLayer, convert, list_arrays
from convscope.interchange.keras_files.graph import KerasGraph, KerasLayer, find_config, keras_name, read_graph
from convscope.interchange.keras_files.hdf5 import Hdf5File
from convscope.interchange.keras_files.hdf5.file import MAGIC as HDF5_MAGIC
from convscope.interchange.keras_files.weight_layout import find_layout, is_from_theano
from convscope.interchange.keras_files.weights import LayerArrays, read_arrays
from convscope.interchange.refusal import MAX_JSON_BYTES, ModelFileError, open_model_file, parse_json

CONFIG, METADATA, WEIGHTS = "config.json", "metadata.json", "model.weights.h5"  # the members of a .keras archive
_STATE_BYTES = 64
"""The most for each weight: eight numbers of float64. A file has the weight, its average and an optimizer's four."""
_ARRAY_BYTES = 1 << 17
"""The most for each array besides its numbers: HDF5's groups and attributes, also of the optimizer's arrays."""
DESCRIPTION = "convscope.json"
"""The member that convscope adds to a file that it exports, with the class names among other things."""


def read_keras(
    path: Path | str,
    *,
    architecture: Path | str | None = None,
    image_shape: Shape | None = None,
    output: str | None = None,
) -> Imported:
    """Read a `.keras` file, a whole model in `.h5`, or weights in `.h5`; errors as of `read_network`.

    Args:
        architecture: for weights alone, an architecture of ours as JSON, or a Keras model's `to_json()`.
        image_shape: (H, W) or (H, W, C), for a model that reads flat pixels or images of any size.
        output: the name of the layer at the output with a number for each class, for a model with several outputs.
    """
    path = Path(path)
    with open_model_file(path) as file:
        start = file.read(8)
        if start.startswith(ZIP_MAGIC):
            _refuse_architecture(architecture)
            return _read_archive(Archive(file, ".keras archive"), image_shape, output)
        if start == HDF5_MAGIC:
            return _read_hdf5(file, architecture, image_shape, output)
        if start.lstrip().startswith(b"{"):
            raise ModelFileError(
                "is a description without weights; name the weights file, and give this file as architecture"
            )
        raise ModelFileError("is not a Keras model: neither a .keras archive nor HDF5 (.h5); save it with model.save()")


def _read_archive(archive: Archive, image_shape: Shape | None, output: str | None) -> Imported:
    metadata = _read_json(archive, METADATA) if archive.has(METADATA) else {}
    version = metadata.get("keras_version")
    version = version if isinstance(version, str) else None
    graph = read_graph(_read_json(archive, CONFIG), output, version)
    stored_layers = list_arrays(graph, image_shape)  # before any weight is read: their size bounds the member's
    sizes = [prod(shape) for stored_layer in stored_layers for shape in stored_layer.variables.values()]
    max_bytes = _STATE_BYTES * sum(sizes) + _ARRAY_BYTES * (len(sizes) + 1)  # weights and optimizer state
    file = BytesIO(archive.read_weights(WEIGHTS, max_bytes))
    imported = _convert(file, Hdf5File(file), graph, stored_layers, image_shape, version)
    if not archive.has(DESCRIPTION):
        return imported
    return replace(  # a file that convscope exported: its network scales bytes itself
        imported, class_names=_read_class_names(archive, imported.architecture.num_classes), reads_bytes=True
    )


def _read_json(archive: Archive, name: str) -> dict[str, Any]:
    return parse_json(archive.read(name, MAX_JSON_BYTES), name)


def _read_class_names(archive: Archive, num_classes: int) -> tuple[str, ...]:
    """Read the class names from the description that convscope wrote."""
    names = _read_json(archive, DESCRIPTION).get("class_names")
    if not isinstance(names, list) or len(names) != num_classes or not all(isinstance(name, str) for name in names):
        raise ModelFileError(f"{DESCRIPTION} does not name its {num_classes} classes; export the model again")
    return tuple(names)


def _read_hdf5(
    file: BinaryIO, architecture: Path | str | None, image_shape: Shape | None, output: str | None
) -> Imported:
    """Read a whole model, or weights alone with their `architecture`, from an HDF5 file."""
    contents = Hdf5File(file)
    config = contents.read_texts("", "model_config")  # only a whole model has one; a file of weights has none
    version = "".join(contents.read_texts("", "keras_version") or []) or None
    if config is not None:
        _refuse_architecture(architecture)
        description = parse_json("".join(config), "model_config")
    elif architecture is None:
        raise ModelFileError(
            "holds weights only; also give its architecture, as JSON of convscope or of Keras's to_json()"
        )
    else:
        with open_model_file(Path(architecture)) as opened:
            description = find_config(parse_json(opened.read(MAX_JSON_BYTES + 1), "it"))
            if "class_name" not in description:  # convscope's description; Keras's names a class
                if output is not None:
                    raise ModelFileError("has one output; omit `output`")
                return _read_weights(file, contents, architecture_in(description, image_shape), version)
    graph = read_graph(description, output, version)
    return _convert(file, contents, graph, list_arrays(graph, image_shape), image_shape, version)


def _read_weights(file: BinaryIO, contents: Hdf5File, architecture: Architecture, version: str | None) -> Imported:
    """Read the weights of one of our architectures from a file."""
    stored_layers, note = _match_arrays(architecture, contents)
    arrays, notes = _read_arrays(file, contents, stored_layers, False)
    weights = {
        f"{stored_layer.layer.name}/{name}": array
        for stored_layer, layer_arrays in zip(stored_layers, arrays, strict=True)
        for name, array in layer_arrays.items()
    }
    check_weights(architecture, weights)
    return Imported(architecture, weights, (note, *notes), program=_format_program(version), reads_bytes=True)


def _match_arrays(architecture: Architecture, file: Hdf5File) -> tuple[list[StoredLayer], str]:
    """Match the arrays of a file to the layers of `architecture`, by names or else by order, and note which."""
    groups_by_name = {}
    for group in file.groups:
        if group.endswith("/vars"):  # Keras 3 writes the layer's own name into an attribute there
            for name in file.read_texts(group, "name") or []:
                groups_by_name[name] = group.removesuffix("/vars")
    names = [row.layer.name for row in architecture.table if row.layer.weight_shapes(row.input_shape)]
    is_named = all(name in groups_by_name for name in names)
    counts: Counter[str] = Counter()
    stored_layers = []
    for row in architecture.table:
        layer, stem = row.layer, keras_name(row.layer.kind)
        # Keras numbers the groups of a kind from the second on: layers/conv2d, layers/conv2d_1, ...
        group = f"layers/{stem}_{counts[stem]}" if counts[stem] else f"layers/{stem}"
        counts[stem] += 1
        if weights := layer.weight_shapes(row.input_shape):
            group = groups_by_name[layer.name] if is_named else group
            keras_layer = KerasLayer(layer.name, layer.kind, {}, (), (layer.name,), group)
            stored_layers.append(StoredLayer(keras_layer, weights, frozenset(weights)))
    return stored_layers, f"the weights were assigned to the layers by their {'names' if is_named else 'order'}"


def _convert(
    file: BinaryIO,
    contents: Hdf5File,
    graph: KerasGraph,
    stored_layers: list[StoredLayer],
    image_shape: Shape | None,
    version: str | None,
) -> Imported:
    arrays, notes = _read_arrays(file, contents, stored_layers, graph.is_part)
    remaining = iter(arrays)  # `convert` asks for the layers in the order in which `list_arrays` listed them
    imported = convert(graph, image_shape, lambda _: next(remaining))
    return replace(imported, notes=(*imported.notes, *notes), program=_format_program(version))


def _read_arrays(
    file: BinaryIO, contents: Hdf5File, stored_layers: list[StoredLayer], is_part: bool
) -> tuple[LayerArrays, tuple[str, ...]]:
    arrays = read_arrays(contents, file.seek(0, 2), find_layout(contents, stored_layers), stored_layers, is_part)
    if not is_from_theano(contents):
        return arrays, ()
    # Theano's convolution flips the kernel, as mathematics defines it; all other backends compute a correlation.
    flipped: LayerArrays = [
        {name: array[::-1, ::-1] if array.ndim == 4 else array for name, array in layer_arrays.items()}
        for layer_arrays in arrays
    ]
    return flipped, ("the model is of Keras on Theano, so the kernels of its convolutions were turned by 180 degrees",)


def _format_program(version: str | None) -> str:
    return f"Keras {version[:40]}" if version else "Keras"


def _refuse_architecture(architecture: Path | str | None) -> None:
    if architecture is not None:
        raise ModelFileError(f"holds its own architecture; omit {architecture}")
