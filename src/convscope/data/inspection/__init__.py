"""Inspect a data set before anything is trained on it."""

from convscope.data.inspection.doubtful import DoubtfulImage, list_doubtful
from convscope.data.inspection.duplicates import find_duplicates
from convscope.data.inspection.inspection import DataInfo, Inspection, inspect_dataset

__all__ = ["DataInfo", "DoubtfulImage", "Inspection", "find_duplicates", "inspect_dataset", "list_doubtful"]
