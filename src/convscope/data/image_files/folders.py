"""Find pictures in files and folders, in natural order and without hidden files."""

import os
import re
from collections.abc import Sequence
from pathlib import Path

from convscope.base.errors import ImageFileError
from convscope.data.image_files.formats import SUFFIXES

MAX_FILES = 200_000
"""Pictures in a folder and below."""

_MAX_ENTRIES = 1_000_000  # names in a folder and below, of whatever kind


def find_pictures(paths: Sequence[Path | str]) -> list[Path]:
    """List the files of `paths`: each file as it is, and for each folder the pictures in it, at any depth.

    Pictures in folders are recognised by their suffix (`SUFFIXES`). Names that begin with a dot are skipped, links to
    folders are not followed, and names are in alphabetical order with numbers by their value.

    Raises:
        ImageFileError: if a folder cannot be read or has no picture, or there are more than `MAX_FILES`.
    """
    pictures = list[Path]()
    for path in map(Path, paths):
        if not os.path.isdir(path):  # noqa: PTH112 (Path.is_dir raises for a NUL in the path, which reading reports)
            pictures.append(path)
            continue
        inside = _pictures_in(path)
        if not inside:
            raise ImageFileError(f"{path}: has no pictures; their names end in {', '.join(sorted(SUFFIXES))}")
        pictures += inside
        if len(pictures) > MAX_FILES:
            raise ImageFileError(f"{path}: has more than {MAX_FILES:,} pictures; name a smaller folder")
    return pictures


def _pictures_in(folder: Path) -> list[Path]:
    paths, num_left = list[Path](), _MAX_ENTRIES
    for parent, folders, names in os.walk(folder, onerror=_refuse_folder):
        num_left -= len(folders) + len(names)
        if num_left < 0:
            raise ImageFileError(f"{folder}: has more than {_MAX_ENTRIES:,} files; name a smaller folder")
        folders[:] = [name for name in folders if not name.startswith(".")]  # os.walk goes on with this very list
        paths += [
            Path(parent, name) for name in names if not name.startswith(".") and Path(name).suffix.lower() in SUFFIXES
        ]
    return sorted(paths, key=lambda path: ([*map(_natural, path.parts[:-1]), _natural(path.stem)], path.name))


def _natural(name: str) -> list[tuple[int, str]]:
    """Make a key that sorts "scan 2" before "scan 10": texts and numbers in turn, as (0, text), (digits, number).

    Numbers are compared by their number of digits, then as text, since Python refuses to read very long ones.
    """
    parts = re.split("([0-9]+)", name)
    numbers = [part.lstrip("0") for part in parts[1::2]]
    keys = [(0, part) for part in parts]
    keys[1::2] = [(len(number), number) for number in numbers]
    return keys


def _refuse_folder(error: OSError) -> None:
    raise ImageFileError(f"{error.filename}: cannot be read ({error.strerror}); check its permissions") from error
