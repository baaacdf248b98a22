"""Data sets: the value, the file readers, and the catalogue with MNIST itself."""

from convscope.datasets.catalogue import DATASETS, CatalogueEntry
from convscope.datasets.dataset import Dataset, SourceFile, Splits, evenly
from convscope.datasets.loading import load_dataset

__all__ = ["DATASETS", "CatalogueEntry", "Dataset", "SourceFile", "Splits", "evenly", "load_dataset"]
