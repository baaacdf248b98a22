"""Data sets: the value, the file readers, and the catalogue with MNIST itself."""

from convscope.datasets.catalogue import DATASETS, CatalogueEntry, load_dataset
from convscope.datasets.dataset import Dataset, SourceFile, Splits, evenly

__all__ = ["DATASETS", "CatalogueEntry", "Dataset", "SourceFile", "Splits", "evenly", "load_dataset"]
