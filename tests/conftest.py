"""Data that many tests share: the first images of MNIST, as values and as files."""

import gzip
import struct
from pathlib import Path

import numpy as np
import pytest

import convscope as cs


@pytest.fixture(autouse=True, scope="session")
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Keep the tests out of the user's cache and off the network."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CONVSCOPE_CACHE", str(tmp_path_factory.mktemp("cache")))
        patch.setenv("CONVSCOPE_OFFLINE", "1")
        yield


@pytest.fixture(scope="session")
def mnist(_own_cache: None) -> cs.Splits:
    return cs.load_dataset("mnist")


@pytest.fixture(scope="session")
def small_mnist(mnist: cs.Splits) -> cs.Splits:
    """1,000 training and 300 test images: enough to learn something in a moment."""
    return cs.Splits(mnist.train.take(np.arange(1000)), mnist.test.take(np.arange(300)))


@pytest.fixture(scope="session")
def small_folder(small_mnist: cs.Splits, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`small_mnist` as the four files that such data come in."""
    folder = tmp_path_factory.mktemp("small")
    for prefix, dataset in (("train", small_mnist.train), ("t10k", small_mnist.test)):
        images, labels = dataset.images[..., 0], dataset.labels.astype(np.uint8)
        header = struct.pack(">IIII", 0x803, *images.shape)
        (folder / f"{prefix}-images-idx3-ubyte.gz").write_bytes(gzip.compress(header + images.tobytes(), 1))
        header = struct.pack(">II", 0x801, len(labels))
        (folder / f"{prefix}-labels-idx1-ubyte.gz").write_bytes(gzip.compress(header + labels.tobytes(), 1))
    return folder
