"""Where an exported program of PyTorch keeps its description and its weights, in the three layouts that there were.

Until 2.7 `torch.export.save` wrote a description and two files of `torch.save`; 2.8 put them into the folders of today;
since 2.9 each weight is a member of its own. Source: torch/export/__init__.py and torch/export/pt2_archive/_package.py.
"""

import json
from collections.abc import Mapping
from io import BytesIO
from math import prod
from typing import Any

from numpy.typing import NDArray

from convscope.interchange.archive import Archive
from convscope.interchange.refusal import ModelFileError, parse_json
from convscope.interchange.torch_files.arrays import NUMBER_BYTES, TYPES, strided_array
from convscope.interchange.torch_files.pickles import StoredTensor
from convscope.interchange.torch_files.saved import saved_array, saved_objects

OLD_PROGRAM = "serialized_exported_program.json"
_MAX_JSON_BYTES = 1 << 23
"""A node takes some 2,000 bytes, most of them about the lines of code that it comes from."""
_SMALL_BYTES = 1 << 24  # of an archive in the archive, however small it packs
_KINDS = ("weights", "constants")
_OLD_NAMES = {"weights": "serialized_state_dict.pt", "constants": "serialized_constants.pt"}
_CLASS_NAMES = "class_names.json"


def is_program(names: list[str]) -> bool:
    """Say whether an archive with members of these names is an exported program."""
    return OLD_PROGRAM in names or any(name.partition("/")[2].startswith("models/") for name in names)


class ProgramArchive:
    """An exported program in an open archive.

    Attributes:
        document: the description, as `torch._export.serde.schema.ExportedProgram` lays it out.

    Raises:
        ModelFileError: if there is not one description, or it is damaged.
    """

    def __init__(self, archive: Archive) -> None:
        self._archive = archive
        self._root = self._model = ""
        self._configs: dict[str, Mapping[str, Any]] = {}
        self._saved: dict[str, tuple[Archive, Mapping[str, Any]]] = {}
        name = OLD_PROGRAM
        if not archive.has(name):
            models = [each for each in archive.names if each.partition("/")[2].startswith("models/")]
            if len(models) != 1:
                raise ModelFileError(f"holds {len(models)} programs; save the network alone with torch.export.save")
            (name,) = models
            self._root, _, self._model = name.removesuffix(".json").partition("/models/")
        self.document = self._json(name)

    def array(self, name: str, kind: str) -> NDArray[Any]:
        """Return a tensor by its name; `kind` is "weights" or "constants".

        Raises:
            ValueError: if it is missing, or its numbers are not all there.
            ModelFileError: if the archive is damaged.
        """
        assert kind in _KINDS, kind
        config = f"{self._root}/data/{kind}/{self._model}_{kind}_config.json"
        if not self._archive.has(config):
            archive, tensors = self._saved_tensors(kind)
            if not isinstance(tensors.get(name), StoredTensor):
                raise ValueError("it is missing, or no tensor")
            return saved_array(archive, tensors[name])
        if kind not in self._configs:
            self._configs[kind] = self._json(config)["config"]
        entry = self._configs[kind].get(name)
        if entry is None or entry["use_pickle"] or entry["tensor_meta"] is None:
            raise ValueError("it is missing, or pickled")
        meta = entry["tensor_meta"]
        if meta["dtype"] not in TYPES:
            raise ValueError(f"its type has number {meta['dtype']!r:.20}, which is not a type of weights")
        shape, strides = ([_whole(number) for number in meta[key]] for key in ("sizes", "strides"))
        member = f"{self._root}/data/{kind}/{entry['path_name']}"
        content = self._archive.read_weights(member, NUMBER_BYTES * prod(shape))
        return strided_array(content, TYPES[meta["dtype"]], _whole(meta["storage_offset"]), shape, strides)

    def class_names(self, number: int) -> tuple[str, ...] | None:
        """Return the class names that convscope puts into its programs, if there are so many."""
        member = f"{self._root}/extra/{_CLASS_NAMES}" if self._root else f"extra_files/{_CLASS_NAMES}"
        if not self._archive.has(member):
            return None
        try:
            names = json.loads(self._archive.read(member, _MAX_JSON_BYTES))
        except (ValueError, RecursionError):
            return None
        is_list = isinstance(names, list) and len(names) == number and all(isinstance(name, str) for name in names)
        return tuple(names) if is_list else None

    def _json(self, name: str) -> dict[str, Any]:
        return parse_json(self._archive.read(name, _MAX_JSON_BYTES), name, _MAX_JSON_BYTES)

    def _saved_tensors(self, kind: str) -> tuple[Archive, Mapping[str, Any]]:
        if kind not in self._saved:
            member = f"{self._root}/data/{kind}/{self._model}.pt" if self._root else _OLD_NAMES[kind]
            content = BytesIO(self._archive.read_weights(member, _SMALL_BYTES))
            archive = Archive(content, "file of torch.save")
            tensors = saved_objects(archive)
            if not isinstance(tensors, dict):
                raise ModelFileError(f"{member} holds no weights; save the program again")
            self._saved[kind] = archive, tensors
        return self._saved[kind]


def _whole(number: Any) -> int:
    """Return a size as the description has it: {"as_int": 3}."""
    value = number["as_int"]
    if not isinstance(value, int):
        raise ValueError(f"its size is {value!r:.40}")
    return value
