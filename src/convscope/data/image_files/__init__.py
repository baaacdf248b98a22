"""Pictures from files that may be damaged or hostile, as arrays of bytes."""

from convscope.data.image_files.folders import find_pictures
from convscope.data.image_files.formats import FORMAT_NAMES, MEDIA_TYPES, SUFFIXES
from convscope.data.image_files.reading import (
    MAX_FILE_BYTES,
    Picture,
    picture_size,
    read_picture,
    read_reduced,
)

__all__ = [
    "FORMAT_NAMES",
    "MAX_FILE_BYTES",
    "MEDIA_TYPES",
    "SUFFIXES",
    "Picture",
    "find_pictures",
    "picture_size",
    "read_picture",
    "read_reduced",
]
