"""Which images a network was trained on: their digests, in a file beside the model's.

X.trained_on.safetensors lies beside X.safetensors and holds 64 bits of each image that the network, or any network that
it started from, was trained on. So a later run can tell which of its own images are new to the network, whatever data
set they are in. Without the file nobody knows, as with a network of another program.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError

from convscope.base.errors import RunError
from convscope.base.files import inside
from convscope.data.datasets import Dataset
from convscope.data.datasets.disk.images import blocks
from convscope.storage.model_file import open_tensors, read_description, read_tensor, write_tensors
from convscope.training.model import Model

_DIGEST_BYTES = 8  # of a million images and a million others, one is mistaken with a chance of 5e-8

Source = tuple[str, tuple[int, int, int]]


@dataclass(frozen=True, eq=False)
class TrainedOn:
    """The images that a network and its ancestors were trained on.

    Attributes:
        digests: (n,) uint64, rising: BLAKE2b of the bytes of each image's pixels.
        sources: SHA-256 of each file that they were read from, and their (H, W, C) after reading.
    """

    digests: NDArray[np.uint64]
    sources: frozenset[Source]

    def includes(self, dataset: Dataset) -> NDArray[np.bool_]:
        """Return (N,), which images of `dataset` are among these, pixel for pixel."""
        return np.isin(image_digests(dataset), self.digests)

    def may_include(self, dataset: Dataset) -> NDArray[np.bool_]:
        """Return (N,), which images of `dataset` may be among these.

        Images from the same file in another size cannot be recognised by their pixels: all of them may be.
        """
        files = {file.sha256 for file in dataset.source}
        if any(sha256 in files and shape != dataset.image_shape for sha256, shape in self.sources):
            return np.ones(len(dataset), np.bool_)
        return self.includes(dataset)

    def and_also(self, dataset: Dataset) -> "TrainedOn":
        """Return these images and those of `dataset`."""
        sources = {(file.sha256, dataset.image_shape) for file in dataset.source}
        return TrainedOn(np.union1d(self.digests, image_digests(dataset)), self.sources | sources)


NOTHING = TrainedOn(np.empty(0, np.uint64), frozenset())
"""What a network with random weights was trained on."""


def image_digests(dataset: Dataset) -> NDArray[np.uint64]:
    """Return (N,) uint64, equal for images of equal bytes, and else different but for chance."""
    found = b"".join(
        hashlib.blake2b(image.tobytes(), digest_size=_DIGEST_BYTES).digest()
        for block in blocks(dataset.images)
        for image in block
    )
    return np.frombuffer(found, "<u8").astype(np.uint64)


def save_trained_on(path: Path, known: TrainedOn, model: Model) -> None:
    """Write `known` beside the file of `model` at `path`."""
    write_trained_on(_beside(path), known, model.weights_sha256)


def write_trained_on(place: Path, known: TrainedOn, weights_sha256: str = "") -> None:
    """Write `known` to the file at `place`; without the digest of weights it is of several models."""
    sources = sorted([sha256, list(shape)] for sha256, shape in known.sources)
    write_tensors(place, {"digests": known.digests}, {"weights_sha256": weights_sha256, "sources": sources})


def load_trained_on(path: Path, model: Model) -> TrainedOn | None:
    """Return what `model`, which was read from the file or run folder at `path`, was trained on; None: nobody knows.

    Raises:
        RunError: if the file is damaged.
    """
    place = inside(path, "model.trained_on.safetensors") if path.is_dir() else _beside(path)
    return read_trained_on(place, model.weights_sha256)


def read_trained_on(place: Path, weights_sha256: str | None = None) -> TrainedOn | None:
    """Return what the file at `place` holds; None where there is none, or it is of other weights than these.

    Raises:
        RunError: if it is damaged.
    """
    if not place.exists():
        return None
    with open_tensors(place) as file:
        description = read_description(place, file)
        try:
            if weights_sha256 not in (None, description["weights_sha256"]):
                return None  # the model's file was replaced since
            digests = read_tensor(file, "digests", np.uint64)
            sources = {(str(sha256), (int(h), int(w), int(c))) for sha256, (h, w, c) in description["sources"]}
        except (KeyError, TypeError, ValueError, SafetensorError) as error:
            raise RunError(f"{place}: damaged ({error}); use another copy of the run") from error
    return TrainedOn(digests, frozenset(sources))


def _beside(path: Path) -> Path:
    return path.with_suffix(".trained_on.safetensors")
