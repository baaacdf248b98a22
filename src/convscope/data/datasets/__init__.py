"""Data sets: the value, the file readers, and the catalogue with MNIST itself."""

from convscope.data.datasets.data_file import Images
from convscope.data.datasets.dataset import Dataset, Splits, evenly
from convscope.data.datasets.loading import load_dataset, load_for_classes, load_splits
from convscope.data.datasets.named.entries import DATASETS
from convscope.data.datasets.pairs import DatasetLike, as_dataset
from convscope.data.datasets.records import MAX_SIDE, LoadOptions, SourceFile

__all__ = [
    "DATASETS",
    "MAX_SIDE",
    "Dataset",
    "DatasetLike",
    "Images",
    "LoadOptions",
    "SourceFile",
    "Splits",
    "as_dataset",
    "evenly",
    "load_dataset",
    "load_for_classes",
    "load_splits",
]
