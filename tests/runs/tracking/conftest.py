"""Small data and a run of them, for the tests of trackers."""

import struct
from pathlib import Path

import numpy as np
import pytest
from tests.shared import invoke, succeed

__all__ = ["invoke", "succeed"]


@pytest.fixture(scope="session")
def tiny_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """300 training and 60 test images of 18 × 14 pixels: the class is the third of the rows that is bright."""
    folder, random = tmp_path_factory.mktemp("tiny"), np.random.default_rng(5)
    for prefix, count in (("train", 300), ("t10k", 60)):
        labels = np.arange(count, dtype=np.uint8) % 3
        images = random.integers(0, 90, (count, 18, 14), dtype=np.uint8)
        for image, label in zip(images, labels, strict=True):
            image[6 * label : 6 * label + 6] += 120
        images_header, labels_header = struct.pack(">IIII", 0x803, *images.shape), struct.pack(">II", 0x801, count)
        (folder / f"{prefix}-images-idx3-ubyte").write_bytes(images_header + images.tobytes())
        (folder / f"{prefix}-labels-idx1-ubyte").write_bytes(labels_header + labels.tobytes())
    return folder


@pytest.fixture(scope="session")
def trained(tiny_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of `convscope train` that was not logged; tests copy it."""
    out = tmp_path_factory.mktemp("runs") / "first"
    succeed("train", "--dataset", tiny_folder, "--architecture", "ann", "--epochs", 2, "--out", out)
    return out
