"""Read the description and the weights from an exported program of PyTorch, each a member of the archive.

    ROOT/models/MODEL.json                         the description
    ROOT/data/weights/MODEL_weights_config.json    for each weight its type, shape, strides and member
    ROOT/data/weights/weight_0, ...                the numbers
    ROOT/data/constants/...                        the same for constants
    ROOT/extra/class_names.json                    only in programs that convscope exported

Source: torch/export/pt2_archive/_package.py. Until 2.8 the weights lay in a pickle, which is not read.
"""

from collections.abc import Mapping
from math import prod
from typing import Any

from numpy.typing import NDArray

from convscope.interchange.archive import Archive
from convscope.interchange.refusal import MAX_JSON_BYTES, ModelFileError, parse_class_names, parse_json
from convscope.interchange.torch_files.arrays import NUMBER_BYTES, TYPES, read_strided_array

OLD_PROGRAM = "serialized_exported_program.json"
_MAX_JSON_BYTES = 1 << 23
"""The limit of a description: a node takes about 2,000 bytes, mostly for the lines of code that it came from."""


def is_program(names: list[str]) -> bool:
    """True if an archive with members of these names is an exported program."""
    return OLD_PROGRAM in names or any(name.partition("/")[2].startswith("models/") for name in names)


class ProgramArchive:
    """An exported program in an open archive.

    Attributes:
        document: the description, in the form of `torch._export.serde.schema.ExportedProgram`.

    Raises:
        ModelFileError: if there is no description, or several, or it is damaged.
    """

    def __init__(self, archive: Archive) -> None:
        self._archive = archive
        self._configs: dict[str, Mapping[str, Any]] = {}
        models = [name for name in archive.names if name.partition("/")[2].startswith("models/")]
        if len(models) > 1:
            raise ModelFileError(f"holds {len(models)} programs; save the network alone with torch.export.save")
        # ROOT/models/MODEL.json
        self._root, _, self._model = (models or [""])[0].removesuffix(".json").partition("/models/")
        if not models or archive.has(f"{self._root}/data/weights/{self._model}.pt"):
            raise ModelFileError(
                "is a program of PyTorch 2.8 or earlier, with its weights in a pickle; in PyTorch 2.9 or later, run "
                "`torch.export.save(torch.export.load(FILE), 'net.pt2')`, and import net.pt2"
            )
        self.document = self._read_json(models[0])

    def read_array(self, name: str, kind: str) -> NDArray[Any]:
        """Read a tensor by its name; `kind` is "weights" or "constants".

        Raises:
            ValueError: if it is missing or incomplete.
            ModelFileError: if the archive is damaged.
        """
        config = f"{self._root}/data/{kind}/{self._model}_{kind}_config.json"
        if kind not in self._configs:  # read once, not for each weight
            self._configs[kind] = self._read_json(config)["config"]
        entry = self._configs[kind].get(name)
        if entry is None or entry["use_pickle"] or entry["tensor_meta"] is None:
            raise ValueError("it is missing, or pickled")
        meta = entry["tensor_meta"]
        if meta["dtype"] not in TYPES:
            raise ValueError(f"its type has number {meta['dtype']!r:.20}, which is not a type of weights")
        shape, strides = ([_read_size(number) for number in meta[key]] for key in ("sizes", "strides"))
        member = f"{self._root}/data/{kind}/{entry['path_name']}"
        content = self._archive.read_weights(member, NUMBER_BYTES * prod(shape))
        return read_strided_array(content, TYPES[meta["dtype"]], _read_size(meta["storage_offset"]), shape, strides)

    def read_class_names(self, num_classes: int) -> tuple[str, ...] | None:
        """Read the class names that convscope puts into its programs; None if there are not `num_classes`."""
        member = f"{self._root}/extra/class_names.json"
        if not self._archive.has(member):
            return None
        return parse_class_names(self._archive.read(member, MAX_JSON_BYTES), num_classes)

    def _read_json(self, name: str) -> dict[str, Any]:
        return parse_json(self._archive.read(name, _MAX_JSON_BYTES), name, _MAX_JSON_BYTES)


def _read_size(number: Any) -> int:
    """Read a size, which the description writes as {"as_int": 3}."""
    value = number["as_int"]
    if not isinstance(value, int):
        raise ValueError(f"its size is {value!r:.40}")
    return value
