"""Inspect a data set, add the facts known by its name, and list its doubtful pictures."""

from collections.abc import Iterator
from dataclasses import astuple, fields

from convscope.base.records import from_attributes
from convscope.data.datasets import LoadOptions, Splits
from convscope.data.datasets.named.catalogue import find_entry
from convscope.data.inspection import DataInfo, DoubtfulImage, inspect_dataset, list_doubtful
from convscope.runs.data import load_data
from convscope.runs.listeners import Listeners

_KNOWN = ("title", "licence", "source", "accuracy", "notes")  # facts that only named data sets have


def inspect_named(data: str, loading: LoadOptions, listeners: Listeners) -> tuple[Splits, DataInfo]:
    """Load the data set with this name or path and inspect it; raises `DatasetError` if it cannot be loaded."""
    _, splits = load_data(data, loading, listeners.on_download)
    facts = {key: getattr(find_entry(data), key, None) for key in _KNOWN}  # None for all, if it has no entry
    return splits, from_attributes(DataInfo, splits.to_record(), **facts, inspection=inspect_dataset(splits))


def list_doubtful_images(data: str, loading: LoadOptions) -> Iterator[tuple[str | int | bool | None, ...]]:
    """Load the data set with this name or path; yield the names of the columns, and a row for each doubtful image."""
    _, splits = load_data(data, loading)  # before the first row, so that data which cannot be read give no rows
    yield tuple(field.name for field in fields(DoubtfulImage))
    yield from map(astuple, list_doubtful(splits))
