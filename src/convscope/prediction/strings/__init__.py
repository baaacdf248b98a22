"""Read several characters in a picture, line by line."""

from convscope.prediction.strings.reading import read_strings as read_strings
