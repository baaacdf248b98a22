"""Data sets: the value, the file readers, and the catalogue with MNIST itself."""

from convscope.data.datasets.data_file import Images as Images
from convscope.data.datasets.dataset import Dataset as Dataset, Splits as Splits, evenly as evenly
from convscope.data.datasets.loading import (
    load_dataset as load_dataset,
    load_for_classes as load_for_classes,
    load_splits as load_splits,
    make_portable as make_portable,
)
from convscope.data.datasets.named.entries import DATASETS as DATASETS
from convscope.data.datasets.pairs import DatasetLike as DatasetLike, as_dataset as as_dataset
from convscope.data.datasets.records import MAX_SIDE as MAX_SIDE, LoadOptions as LoadOptions, SourceFile as SourceFile
