"""A data set as a person would look at it first: what is known of it by its name, and what inspecting it shows."""

from dataclasses import dataclass

from convscope.base.records import from_attributes
from convscope.data.datasets import LoadOptions, Splits
from convscope.data.datasets.named.catalogue import find_entry
from convscope.data.inspection import DataInfo, Inspection, inspect_dataset
from convscope.runs.data import load_data
from convscope.runs.listeners import Listeners

_KNOWN = ("title", "licence", "source", "accuracy", "notes")  # of data sets with a name


@dataclass(frozen=True, eq=False)
class Inspected:
    """A data set that was inspected.

    Attributes:
        about: `title`, `licence`, `source`, `accuracy` (what others reached) and `notes`; None where it is not known.
    """

    splits: Splits
    inspection: Inspection
    about: dict[str, str | None]

    def to_record(self) -> DataInfo:
        record = self.splits.to_record()
        return from_attributes(DataInfo, record, **self.about, inspection=self.inspection)


def inspect_named(data: str, loading: LoadOptions, listeners: Listeners) -> Inspected:
    """Load the data set with this name or path and inspect it; raises `DatasetError` if it cannot be loaded."""
    _, splits = load_data(data, loading, listeners.on_download)
    entry = find_entry(data)
    return Inspected(splits, inspect_dataset(splits), {key: getattr(entry, key, None) for key in _KNOWN})
