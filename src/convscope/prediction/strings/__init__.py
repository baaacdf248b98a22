"""Several characters in one picture: found, cut apart and read, line by line."""

from convscope.prediction.strings.reading import read_strings
from convscope.prediction.strings.result import ReadDigit, StringReading

__all__ = ["ReadDigit", "StringReading", "read_strings"]
