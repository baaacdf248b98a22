"""What a person checks first in a data set, before anything is trained on it."""

from convscope.data.inspection.balance import Balance
from convscope.data.inspection.copies import Copies
from convscope.data.inspection.duplicates import DuplicateGroup, Duplicates, Member, find_duplicates
from convscope.data.inspection.finding import Finding
from convscope.data.inspection.inspection import DataInfo, Inspection, inspect_dataset
from convscope.data.inspection.split_facts import SplitFacts

__all__ = [
    "Balance",
    "Copies",
    "DataInfo",
    "DuplicateGroup",
    "Duplicates",
    "Finding",
    "Guessing",
    "Inspection",
    "Member",
    "Resolution",
    "SplitFacts",
    "find_duplicates",
    "inspect_dataset",
]
