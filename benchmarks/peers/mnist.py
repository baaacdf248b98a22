"""Read the MNIST that comes with convscope, without convscope: the peers import nothing of it."""

import gzip
from pathlib import Path

import numpy as np

FOLDER = Path(__file__).parents[2] / "src" / "convscope" / "data" / "datasets" / "embedded" / "mnist"


def load() -> tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """Load (train, test), each images (N, 28, 28) uint8 and labels (N,) uint8, as Keras's own loader does."""
    return _split("train"), _split("t10k")


def pixels(images: np.ndarray) -> np.ndarray:
    """Convert images (N, 28, 28) to float32 (N, 28, 28, 1) from 0 to 1."""
    return images.astype(np.float32)[..., np.newaxis] / np.float32(255)


def read_part(images: np.ndarray) -> np.ndarray:
    """Cut images (N, 28, 28) to the 26 x 26 pixels that `cnn` reads: its poolings drop all that the others lead to.

    Its second pooling reads 10 x 10 places of the second convolution, these 12 x 12 of the first pooling, these
    24 x 24 of the first convolution. So nothing of the network's output or gradients changes, but there is less to do.
    """
    return images[:, :26, :26]


def _split(name: str) -> tuple[np.ndarray, np.ndarray]:
    labels = _bytes(f"{name}-labels-idx1-ubyte.gz")[8:]
    return _bytes(f"{name}-images-idx3-ubyte.gz")[16:].reshape(len(labels), 28, 28), labels


def _bytes(name: str) -> np.ndarray:
    return np.frombuffer(gzip.decompress((FOLDER / name).read_bytes()), np.uint8)
