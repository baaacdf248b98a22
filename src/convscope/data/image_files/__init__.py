"""Pictures from files that may be damaged or hostile, as arrays of bytes."""

from convscope.data.image_files.folders import find_pictures as find_pictures
from convscope.data.image_files.formats import (
    FORMAT_NAMES as FORMAT_NAMES,
    MEDIA_TYPES as MEDIA_TYPES,
    SUFFIXES as SUFFIXES,
)
from convscope.data.image_files.reading import (
    MAX_FILE_BYTES as MAX_FILE_BYTES,
    Picture as Picture,
    picture_size as picture_size,
    read_picture as read_picture,
    read_reduced as read_reduced,
)
