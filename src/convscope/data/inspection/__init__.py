"""Inspect a data set before anything is trained on it."""

from convscope.data.inspection.doubtful import DoubtfulImage as DoubtfulImage, list_doubtful as list_doubtful
from convscope.data.inspection.duplicates import find_duplicates as find_duplicates
from convscope.data.inspection.inspection import (
    DataInfo as DataInfo,
    Inspection as Inspection,
    inspect_dataset as inspect_dataset,
)
