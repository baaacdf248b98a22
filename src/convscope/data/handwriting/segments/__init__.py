"""Separate the characters of a picture: find ink, lines of writing, and cuts between touching characters."""

from convscope.data.handwriting.segments.sheet import LONGEST_SIDE, Blob, Segments, find_segments

__all__ = ["LONGEST_SIDE", "Blob", "Segments", "find_segments"]
