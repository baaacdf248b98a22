"""Read a layers model of TensorFlow.js: `model.json`, a Keras configuration, and files of weights ("shards") beside it.

Only regular files in the same folder are opened, by plain names. All sizes are compared before anything is read.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from msgspec import Struct, ValidationError, convert
from numpy.typing import NDArray

from convscope.architecture import Shape
from convscope.base.errors import ConvscopeError
from convscope.base.files import open_file
from convscope.interchange.archive import MAX_WEIGHT_BYTES
from convscope.interchange.imported import Imported
from convscope.interchange.keras_files import conversion
from convscope.interchange.keras_files.conversion import StoredLayer
from convscope.interchange.keras_files.graph import find_config, read_graph
from convscope.interchange.keras_files.weight_layout import to_variable_name
from convscope.interchange.keras_files.weights import check_shapes
from convscope.interchange.refusal import MAX_JSON_BYTES, ModelFileError, check_plain_name, open_model_file, parse_json

_BYTES = {"float32": 4, "float16": 2, "int32": 4, "uint16": 2, "uint8": 1, "bool": 1}
_QUANTIZED = ("float16", "uint8", "uint16")


class _Quantization(Struct):
    dtype: str
    scale: float = 1.0
    min: float = 0.0


class _Weight(Struct):
    name: str
    shape: tuple[int, ...]
    dtype: str
    quantization: _Quantization | None = None

    @property
    def type_in_file(self) -> str:
        return self.dtype if self.quantization is None else self.quantization.dtype

    @property
    def num_bytes(self) -> int:
        return prod(self.shape) * _BYTES[self.type_in_file]


class _Group(Struct):
    paths: tuple[str, ...]
    weights: tuple[_Weight, ...]

    @property
    def names(self) -> list[str]:
        """The names of its files; a model that a browser saved has ./ before them."""
        return [check_plain_name(path.removeprefix("./")) for path in self.paths]


@dataclass(frozen=True, eq=False)
class _Part:
    """A weight and where its bytes begin among those of its group's files, one after another."""

    weight: _Weight
    group: _Group
    offset: int


def read_tensorflow_js(path: Path | str, *, image_shape: Shape | None = None, output: str | None = None) -> Imported:
    """Read the network of a `model.json`; arguments and errors as of `read_network`."""
    path = Path(path)
    with open_model_file(path) as file:
        description = parse_json(file.read(MAX_JSON_BYTES + 1), "it")
        topology = description.get("modelTopology")
        if description.get("format") == "graph-model" or (isinstance(topology, dict) and "node" in topology):
            raise ModelFileError(
                "is a graph model of TensorFlow.js, which has lost its layers; import the model that it was made from"
            )
        if not isinstance(topology, dict):
            raise ModelFileError("names weights but no layers (`modelTopology`); save the whole model again")
        graph = read_graph(find_config(description), output)
        parts, files = _check_files(path.parent, description.get("weightsManifest"))

        def read_arrays(stored_layer: StoredLayer) -> Mapping[str, NDArray[np.float32]]:
            named = {
                to_variable_name(part.weight.name, stored_layer): part for part in _find_parts(parts, stored_layer)
            }
            check_shapes({name: part.weight.shape for name, part in named.items()}, stored_layer)
            return {name: _read_array(path.parent, named[name]) for name in stored_layer.needed}

        imported = conversion.convert(graph, image_shape, read_arrays)
    version = topology.get("keras_version") or description.get("generatedBy")
    program = f"TensorFlow.js, {version[:40]}" if isinstance(version, str) else "TensorFlow.js"
    return replace(imported, program=program, weights_file=path.parent / files[0] if files else None)


def _check_files(folder: Path, manifest: Any) -> tuple[list[_Part], list[str]]:
    """List the weights and the files of a manifest, after comparing their sizes."""
    try:
        groups = convert(manifest, tuple[_Group, ...])
        stored = sum(weight.num_bytes for group in groups for weight in group.weights)
    except (ValidationError, KeyError) as error:
        raise ModelFileError(f"its `weightsManifest` is damaged ({error!s:.80}); save the model again") from error
    if stored > MAX_WEIGHT_BYTES or any(min(w.shape, default=0) < 0 for group in groups for w in group.weights):
        raise ModelFileError(f"its weights have {stored:,} bytes; only small networks are read")
    parts = []
    for group in groups:
        offset = 0
        for weight in group.weights:
            if weight.quantization is not None and weight.quantization.dtype not in _QUANTIZED:
                raise ModelFileError(f"the weight {weight.name!r:.60} is stored as {weight.type_in_file!r:.20}")
            parts.append(_Part(weight, group, offset))
            offset += weight.num_bytes
        size = sum(_measure_file(folder, name) for name in group.names)
        if size != offset:
            raise ModelFileError(
                f"the files {', '.join(group.paths)[:80]!r} have {size:,} bytes, their weights {offset:,}; copy them "
                "again"
            )
    return parts, [name for group in groups for name in group.names]


def _measure_file(folder: Path, name: str) -> int:
    path = folder / name
    if path.is_symlink() or not path.is_file():
        raise ModelFileError(f"its weights are in {name!r:.80}, which is not beside it; copy all files into one folder")
    return path.stat().st_size


def _find_parts(parts: list[_Part], stored_layer: StoredLayer) -> list[_Part]:
    """Find the weights of a layer, `LAYER/kernel` or `MODEL/LAYER/kernel`, by the longest part of its path."""
    path = stored_layer.layer.path
    for start in range(len(path)):
        names = path[start:]
        matches = [part for part in parts if tuple(part.weight.name.split("/")[:-1])[-len(names) :] == names]
        if matches:
            return matches
    return []


def _read_array(folder: Path, part: _Part) -> NDArray[np.float32]:
    """Read a weight, which may begin in a file and end in the next."""
    content, start, end = b"", part.offset, part.offset + part.weight.num_bytes
    try:
        for name in part.group.names:
            with open_file(folder / name) as file:
                size = file.seek(0, 2)
                file.seek(max(start, 0))
                if start < size and end > 0:
                    content += file.read(min(end, size) - max(start, 0))
            start, end = start - size, end - size
    except ConvscopeError as error:
        raise ModelFileError(f"its weights cannot be read: {error}") from error
    numbers = np.frombuffer(content, np.dtype(part.weight.type_in_file).newbyteorder("<")).reshape(part.weight.shape)
    quantization = part.weight.quantization
    if quantization is not None and quantization.dtype != "float16":
        return (numbers.astype(np.float64) * quantization.scale + quantization.min).astype(np.float32)
    return numbers.astype(np.float32)
