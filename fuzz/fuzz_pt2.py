"""Fuzz the reader of PyTorch's exported programs: the archive, the description and the weights."""

from contextlib import suppress
from functools import cache
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["convscope.interchange"]):
    from convscope.base.errors import InterchangeError
    from convscope.interchange.torch_files.reading import read_torch

from entry import fuzz
from seeds import PT2_NAMES, make_pt2_members, zip_members


def read(path: Path) -> None:
    """Read the bytes as a file, then as each member of a sound archive, since a changed member fails its checksum."""
    content = path.read_bytes()
    changed = [zip_members({**_members(), name: content}) for name in PT2_NAMES]
    for whole in (content, *changed):
        path.write_bytes(whole)
        with suppress(InterchangeError):
            read_torch(path)


_members = cache(make_pt2_members)

fuzz(read, InterchangeError, "model.pt2")
