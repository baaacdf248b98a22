"""The characters of a picture, apart from each other: ink, lines of writing, and where touching ones may be cut."""

from convscope.data.handwriting.segments.sheet import LONGEST_SIDE, Blob, Segments, find_segments

__all__ = ["LONGEST_SIDE", "Blob", "Segments", "find_segments"]
