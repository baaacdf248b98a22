"""Corrections of labels: read a list of them, and write the corrected data set."""

from convscope.data.corrections.reading import (
    SplitCorrections as SplitCorrections,
    read_corrections as read_corrections,
)
from convscope.data.corrections.writing import write_corrected as write_corrected
