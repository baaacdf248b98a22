"""Record which images a network was trained on, by their digests in a file next to the model's.

X.trained_on.safetensors belongs to X.safetensors and holds 64 bits for each image that the network, or a network that
it started from, was trained on. So a later run can tell which of its images are new to the network, in whatever data
set they are. Without the file this is unknown, as for a network of another program.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from xxhash import xxh3_64_intdigest

from convscope.base.errors import RunError
from convscope.base.files import inside
from convscope.data.datasets import Dataset
from convscope.data.datasets.disk.images import blocks
from convscope.storage.model_file import open_tensors, read_description, read_tensor, write_tensors
from convscope.training.model import Model

_DIGEST = "XXH3"  # 64 bits: between a million images and a million others, a false match has probability 5e-8

Source = tuple[str, tuple[int, int, int]]  # SHA-256 of a file, and (H, W, C) of its images


@dataclass(frozen=True, eq=False)
class TrainedOn:
    """The images that a network and its ancestors were trained on.

    Attributes:
        digests: (n,) uint64, ascending: XXH3 of the bytes of each image's pixels.
        sources: SHA-256 of each file that they were read from, and their (H, W, C) after reading.
    """

    digests: NDArray[np.uint64]
    sources: frozenset[Source]

    def includes(self, dataset: Dataset) -> NDArray[np.bool_]:
        """Mark the images of `dataset` that are among these, pixel for pixel, (N,)."""
        return np.isin(compute_image_digests(dataset), self.digests)

    def may_include(self, dataset: Dataset) -> NDArray[np.bool_]:
        """Mark the images of `dataset` that may be among these, (N,).

        Images of the same file in another size have other pixels, so all of them may be.
        """
        files = {file.sha256 for file in dataset.source}
        if any(sha256 in files and shape != dataset.image_shape for sha256, shape in self.sources):
            return np.ones(len(dataset), np.bool_)
        return self.includes(dataset)

    def union(self, dataset: Dataset) -> "TrainedOn":
        """Join these images and those of `dataset`."""
        sources = {(file.sha256, dataset.image_shape) for file in dataset.source}
        return TrainedOn(np.union1d(self.digests, compute_image_digests(dataset)), self.sources | sources)


NOTHING = TrainedOn(np.empty(0, np.uint64), frozenset())
"""The training images of a network with random weights."""


def compute_image_digests(dataset: Dataset) -> NDArray[np.uint64]:
    """Compute a digest of each image, (N,) uint64."""
    size = int(np.prod(dataset.image_shape))
    contents = (np.ascontiguousarray(block).data.cast("B") for block in blocks(dataset.images))
    digests = (xxh3_64_intdigest(c[start : start + size]) for c in contents for start in range(0, len(c), size))
    return np.fromiter(digests, np.uint64, len(dataset))


def save_trained_on(path: Path, images: TrainedOn, model: Model) -> None:
    """Write which images a model was trained on, next to its file at `path`."""
    write_trained_on(_name_file(path), images, model.weights_sha256)


def write_trained_on(path: Path, images: TrainedOn, weights_sha256: str = "") -> None:
    """Write `images` to the file at `path`, with the digest of their model's weights; "" if they are of several."""
    sources = sorted([sha256, list(shape)] for sha256, shape in images.sources)  # sorted: the same bytes each time
    description = {"weights_sha256": weights_sha256, "sources": sources, "digest": _DIGEST}
    write_tensors(path, {"digests": images.digests}, description)


def load_trained_on(path: Path, model: Model) -> TrainedOn | None:
    """Read which images `model`, from the file or run folder at `path`, was trained on; None if unknown."""
    file = inside(path, "model.trained_on.safetensors") if path.is_dir() else _name_file(path)
    return read_trained_on(file, model.weights_sha256)


def read_trained_on(path: Path, weights_sha256: str | None = None) -> TrainedOn | None:
    """Read the file at `path`; None if missing, of other weights or other digests. Raises `RunError` if damaged."""
    if not path.exists():
        return None
    with open_tensors(path) as tensors:
        description = read_description(path, tensors)
        try:
            if weights_sha256 not in (None, description["weights_sha256"]) or description.get("digest") != _DIGEST:
                return None  # the model's file was replaced since, or an earlier version wrote this one
            digests = read_tensor(tensors, "digests", np.uint64)
            sources = {(str(sha256), (int(h), int(w), int(c))) for sha256, (h, w, c) in description["sources"]}
        except (KeyError, TypeError, ValueError, SafetensorError) as error:
            raise RunError(f"{path}: damaged ({error}); use another copy of the run") from error
    return TrainedOn(digests, frozenset(sources))


def _name_file(path: Path) -> Path:
    return path.with_suffix(".trained_on.safetensors")
