"""Run exported files in other programs."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from convscope.export.records import MemoryUse

_BLOCK = 256  # images at once; the maps of the widest preset then take about 100 MB


class Runner(Protocol):
    """Computes logits of images."""

    @property
    def runtime(self) -> str:
        """The program that computes them, with its version."""

    def logits(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Compute logits (N, K) of images (N, H, W, C)."""


@dataclass(frozen=True, eq=False)
class FileRunner:
    """An exported file, opened in a program that runs it.

    Attributes:
        runtime: the program, with its version.
        run: computes the logits (n, K) of at most `_BLOCK` images.
        memory: what it takes on a device, of formats for small ones.
    """

    runtime: str
    run: Callable[[NDArray[np.uint8]], NDArray[np.float32]]
    memory: MemoryUse | None = None

    def logits(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Compute logits (N, K) of images (N, H, W, C) uint8, N > 0, block by block."""
        starts = range(0, len(images), _BLOCK)
        return np.concatenate([self.run(np.ascontiguousarray(images[start : start + _BLOCK])) for start in starts])
