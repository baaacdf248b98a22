"""Pictures from files that may be damaged or hostile, as arrays of bytes."""

from convscope.data.image_files.folders import MAX_FILES, find_pictures
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
    "MAX_FILES",
    "MAX_FILE_BYTES",
    "MAX_PIXELS",
    "SUFFIXES",
    "Picture",
    "find_pictures",
    "picture_size",
    "read_picture",
    "read_reduced",
]
