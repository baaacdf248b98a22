"""Fuzz the reader of Keras models: the archive, the description and the HDF5 file of weights."""

from contextlib import suppress
from functools import cache
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["convscope.interchange"]):
    from convscope.base.errors import InterchangeError
    from convscope.interchange.keras_files import read_keras

from entry import fuzz
from seeds import make_keras_members, zip_keras_members


def read(path: Path) -> None:
    """Read the bytes as a file, then as the description of a sound archive, and then as the weights of one.

    An archive has a checksum for each member, which seldom fits after a change: the reader would not get any further.
    """
    content = path.read_bytes()
    config, weights = _members()
    for whole in (content, zip_keras_members(content, weights), zip_keras_members(config, content)):
        path.write_bytes(whole)
        with suppress(InterchangeError):
            read_keras(path)


_members = cache(make_keras_members)

fuzz(read, InterchangeError, "model.keras")
