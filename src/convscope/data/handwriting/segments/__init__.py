"""Separate the characters of a picture: find ink, lines of writing, and cuts between touching characters."""

from convscope.data.handwriting.segments.sheet import (
    LONGEST_SIDE as LONGEST_SIDE,
    Blob as Blob,
    Segments as Segments,
    find_segments as find_segments,
)
