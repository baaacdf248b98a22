"""Bring a network of PyTorch: from a file that nobody has to trust, or from memory. Reading a file needs no PyTorch."""

from convscope.interchange.torch_files.live import from_torch
from convscope.interchange.torch_files.reading import read_torch

__all__ = ["from_torch", "read_torch"]
