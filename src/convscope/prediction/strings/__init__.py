"""Read several characters in a picture, line by line."""

from convscope.prediction.strings.reading import read_strings
from convscope.prediction.strings.result import ReadDigit, StringReading

__all__ = ["ReadDigit", "StringReading", "read_strings"]
