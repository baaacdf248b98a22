"""Files of `torch.save`: a zip archive with a pickle that says what is where, and the numbers of each storage."""

from math import prod
from typing import Any

from numpy.typing import NDArray

from convscope.interchange.archive import Archive
from convscope.interchange.refusal import ModelFileError
from convscope.interchange.torch_files.arrays import NUMBER_BYTES, STORAGE_TYPES, strided_array
from convscope.interchange.torch_files.pickles import MAX_BYTES, StoredTensor, read_pickle

PICKLE = "data.pkl"


def saved_objects(archive: Archive) -> Any:
    """Return what the file describes, as `read_pickle` does; raises `ModelFileError` if it is damaged."""
    try:
        return read_pickle(archive.read(_member(archive, PICKLE), MAX_BYTES))
    except ValueError as error:
        raise ModelFileError(f"is a damaged file of torch.save: {error}; save it again") from error


def saved_array(archive: Archive, tensor: StoredTensor) -> NDArray[Any]:
    """Return the numbers of a tensor.

    Raises:
        ValueError: if they are not all there, or of a type that no weight has.
        ModelFileError: if the archive is damaged.
    """
    root = _member(archive, PICKLE).removesuffix(PICKLE)
    order = f"{root}byteorder"
    if archive.has(order) and archive.read(order, 16).strip() != b"little":
        raise ValueError("its bytes are in the order of another kind of machine")
    if tensor.storage_type not in STORAGE_TYPES:
        raise ValueError(f"its numbers are a {tensor.storage_type!r:.60}")
    content = archive.read_weights(f"{root}data/{tensor.key}", NUMBER_BYTES * prod(tensor.shape))
    return strided_array(content, STORAGE_TYPES[tensor.storage_type], tensor.offset, tensor.shape, tensor.strides)


def _member(archive: Archive, name: str) -> str:
    """Return the full name of a member in the one folder of the archive."""
    return next((each for each in archive.names if each.partition("/")[2] == name), name)
