"""Read several characters in a picture, line by line."""

from convscope.prediction.strings.reading import read_strings
from convscope.prediction.strings.result import ReadCharacter, StringReading

__all__ = ["ReadCharacter", "StringReading", "read_strings"]
