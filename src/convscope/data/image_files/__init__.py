"""Pictures from files that may be damaged or hostile, as arrays of bytes."""

from convscope.data.image_files.folders import MOST_FILES, find_pictures
from convscope.data.image_files.reading import (
    MAX_FILE_BYTES,
    MAX_PIXELS,
    SUFFIXES,
    Picture,
    picture_size,
    read_picture,
    read_reduced,
)

__all__ = [
    "MAX_FILE_BYTES",
    "MAX_PIXELS",
    "MOST_FILES",
    "SUFFIXES",
    "Picture",
    "find_pictures",
    "picture_size",
    "read_picture",
    "read_reduced",
]
