"""Run exported files in other programs, whose packages are imported on demand."""

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from convscope.base.errors import MissingPackageError
from convscope.base.versions import install_command

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
    """

    runtime: str
    run: Callable[[NDArray[np.uint8]], NDArray[np.float32]]

    def logits(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Compute logits (N, K) of images (N, H, W, C) uint8, N > 0, block by block."""
        starts = range(0, len(images), _BLOCK)
        return np.concatenate([self.run(np.ascontiguousarray(images[start : start + _BLOCK])) for start in starts])


def first_line(error: Exception) -> str:
    """Shorten another program's error message to one line."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]


def require(module: str, title: str, extra: str) -> Any:
    """Import a module of another program; raises `MissingPackageError`, with the next step, if it is not installed."""
    try:
        return import_module(module)
    except ImportError as error:
        raise MissingPackageError(f"{title} is not installed; run {install_command(extra)}") from error
