"""Data sets: the value, the file readers, and the catalogue with MNIST itself."""

from convscope.datasets.dataset import Dataset, SourceFile, Splits

__all__ = ["Dataset", "SourceFile", "Splits"]
