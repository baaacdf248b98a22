"""What a person checks first in a data set, before anything is trained on it."""

from convscope.inspection.balance import Balance, Guessing, Resolution
from convscope.inspection.copies import Copies
from convscope.inspection.finding import Finding
from convscope.inspection.inspection import Inspection, inspect_dataset
from convscope.inspection.orientation import Orientation, Reading
from convscope.inspection.scan import ClassImages, Scan
from convscope.inspection.shift import ClassShift, Shift
from convscope.inspection.split_facts import SplitFacts

__all__ = [
    "Balance",
    "ClassImages",
    "ClassShift",
    "Copies",
    "Finding",
    "Guessing",
    "Inspection",
    "Orientation",
    "Reading",
    "Resolution",
    "Scan",
    "Shift",
    "SplitFacts",
    "inspect_dataset",
]
