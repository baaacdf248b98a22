"""Fuzz the reader of pictures."""

import atheris

with atheris.instrument_imports(include=["convscope"]):
    from convscope.base.errors import ImageFileError
    from convscope.data.image_files import picture_size, read_picture

from pathlib import Path

from entry import fuzz


def read(path: Path) -> None:
    """Read a picture, and compare its size with the one that its header states."""
    pixels = read_picture(path)
    assert pixels.shape[:2] == picture_size(path), "the reader and the header state different sizes"


fuzz(read, ImageFileError, "picture")
