"""Which files paths to pictures and folders of pictures mean, in the order of their names, hidden ones left out."""

import os
import re
from collections.abc import Sequence
from pathlib import Path

from convscope.base.errors import ImageFileError
from convscope.data.image_files.reading import SUFFIXES

MAX_FILES = 200_000
"""Of pictures that are looked for in folders."""

_MAX_ENTRIES = 1_000_000  # names that are read on the way


def find_pictures(paths: Sequence[Path | str]) -> list[Path]:
    """Return the files that `paths` mean: each file as it is, and of each folder all pictures in it, at any depth.

    Within folders a picture is told by how its name ends (`SUFFIXES`). Names that begin with a dot are left out, links
    to folders are not followed, and names are in alphabetical order with numbers by their value.

    Raises:
        ImageFileError: if a folder cannot be read or has no picture, or there are more than `MAX_FILES`.
    """
    found = list[Path]()
    for path in map(Path, paths):
        if not os.path.isdir(path):  # noqa: PTH112 (Path.is_dir raises for a NUL in the path, which reading reports)
            found.append(path)
            continue
        inside = _pictures_in(path)
        if not inside:
            raise ImageFileError(f"{path}: has no pictures; their names end in {', '.join(sorted(SUFFIXES))}")
        found += inside
        if len(found) > MAX_FILES:
            raise ImageFileError(f"{path}: has more than {MAX_FILES:,} pictures; name a smaller folder")
    return found


def _pictures_in(folder: Path) -> list[Path]:
    paths, left = list[Path](), _MAX_ENTRIES
    for where, folders, names in os.walk(folder, onerror=_refuse_folder):
        left -= len(folders) + len(names)
        if left < 0:
            raise ImageFileError(f"{folder}: has more than {_MAX_ENTRIES:,} files; name a smaller folder")
        folders[:] = [name for name in folders if not name.startswith(".")]
        paths += [
            Path(where, name) for name in names if not name.startswith(".") and Path(name).suffix.lower() in SUFFIXES
        ]
    return sorted(paths, key=lambda path: ([*map(_natural, path.parts[:-1]), _natural(path.stem)], path.name))


def _natural(name: str) -> list[tuple[int, str]]:
    """Return a key by which "scan 2" comes before "scan 10": texts and numbers by turns."""
    parts = re.split("([0-9]+)", name)
    numbers = [part.lstrip("0") for part in parts[1::2]]
    keys = [(0, part) for part in parts]
    keys[1::2] = [(len(number), number) for number in numbers]
    return keys


def _refuse_folder(error: OSError) -> None:
    raise ImageFileError(f"{error.filename}: cannot be read ({error.strerror}); check its permissions") from error
