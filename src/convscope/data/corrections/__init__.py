"""Corrections of labels: read a list of them, and write the corrected data set."""

from convscope.data.corrections.reading import SplitCorrections, read_corrections
from convscope.data.corrections.writing import write_corrected

__all__ = ["SplitCorrections", "read_corrections", "write_corrected"]
