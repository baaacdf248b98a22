"""List and read the files of a folder or of a zip archive in the same way.

Hidden files are skipped, links are followed, and at most `MAX_FILES` names are listed.
"""

import os
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Protocol

from convscope.base.errors import DatasetError
from convscope.data.datasets.data_file import DataFileError, Images, open_data_file, reason
from convscope.data.datasets.readers.labels import natural_key
from convscope.data.datasets.readers.unpack import ZIP_DAMAGE, open_zip, zip_entry, zip_names
from convscope.data.image_files import MAX_FILE_BYTES, Picture

MAX_FILES = 4_000_000  # their names take about a gigabyte
MAX_DEPTH = 8  # folders within folders
SPLIT_WORDS = {"train": "train", "training": "train", "test": "test", "testing": "test"} | dict.fromkeys(
    ("validation", "valid", "val", "dev"), "validation"
)
"""The split that a word in the name of a file or folder tells."""


class PictureConverter(Protocol):
    """Converts pictures of any size to the images that a network reads."""

    @property
    def size(self) -> tuple[int, int]:
        """(H, W) of the images; pictures that all have it are only converted if `fits` refuses them."""

    def fits(self, images: Images) -> bool:
        """True if pictures (N, H, W, C) that were read can be used as they are."""

    def convert(self, picture: Picture) -> Picture:
        """Convert a picture to an image."""


@dataclass(frozen=True)
class Container:
    """A folder or a zip archive.

    Attributes:
        names: paths of its files, with "/" between folders, in natural order.
        skip_damaged: whether pictures that cannot be read are left out.
        converter: converts its pictures; without it, they must have one size.
    """

    path: Path
    names: tuple[str, ...]
    is_archive: bool
    skip_damaged: bool = False
    converter: PictureConverter | None = None

    def locate(self, name: str) -> tuple[Path, str | None]:
        """Give the path of a file, and its name as a member of an archive, as the readers take them."""
        return (self.path, name) if self.is_archive else (self.path / name, None)

    def describe(self, name: str) -> str:
        """Name a file in an error."""
        return f"{self.path}: {name}" if self.is_archive else str(self.path / name)

    @contextmanager
    def open(self) -> Iterator[Callable[[str], bytes]]:
        """Open the folder or archive, and yield a function that reads a file by its name.

        The function raises DatasetError if the file cannot be read, or is larger than a picture may be.
        """
        if not self.is_archive:
            yield lambda name: read_small(self.path / name)
            return
        with open_data_file(self.path) as file, open_zip(file) as archive:
            yield lambda name: self._member(archive, name)

    def _member(self, archive: zipfile.ZipFile, name: str) -> bytes:
        try:
            info = zip_entry(archive, name)
            if info.file_size > MAX_FILE_BYTES:
                raise DataFileError(f"has more than {MAX_FILE_BYTES >> 20} MiB; save a smaller version")
            with archive.open(info) as member:
                # One byte more than the file has: at the end, zipfile compares the checksum.
                return member.read(info.file_size + 1)
        except DataFileError as error:
            raise DatasetError(f"{self.describe(name)}: {error}") from error
        except KeyError:
            raise DatasetError(f"{self.describe(name)}: is not in the archive; check the name") from None
        except ZIP_DAMAGE as error:
            raise DatasetError(
                f"{self.describe(name)}: is damaged ({reason(error)}); download the archive again"
            ) from error


def read_small(path: Path) -> bytes:
    """Read a file that is no larger than a picture may be; raises `DatasetError` otherwise."""
    with open_data_file(path) as file:
        content = file.read(MAX_FILE_BYTES + 1)
        if len(content) > MAX_FILE_BYTES:
            raise DataFileError(f"has more than {MAX_FILE_BYTES >> 20} MiB; save a smaller version")
        return content


def list_folder(folder: Path) -> Container:
    """List all files in a folder and below.

    Raises:
        DatasetError: if it cannot be listed, or holds more than MAX_FILES.
    """
    names: list[str] = []
    seen: set[tuple[int, int]] = set()  # (device, inode) of each folder, the same whatever path leads to it
    waiting = [("", 0)]  # (path within `folder` with a slash at its end, depth)
    while waiting:
        below, depth = waiting.pop()
        try:
            status = (folder / below).stat()
            if (status.st_dev, status.st_ino) in seen:
                continue  # a link leads back to a folder that was listed before
            seen.add((status.st_dev, status.st_ino))
            with os.scandir(folder / below) as entries:
                for entry in entries:
                    # __MACOSX holds the metadata of macOS's zip archives.
                    if entry.name.startswith((".", "__MACOSX")):
                        continue
                    if entry.is_dir():
                        if depth < MAX_DEPTH:
                            waiting.append((f"{below}{entry.name}/", depth + 1))
                    else:
                        names.append(f"{below}{entry.name}")
        except (OSError, ValueError) as error:
            why = getattr(error, "strerror", None) or error
            raise DatasetError(f"{folder / below}: cannot be listed ({why}); check its permissions") from error
        if len(names) > MAX_FILES:
            raise DatasetError(
                f"{folder}: holds more than {MAX_FILES:,} files; name a folder that holds the data set only"
            )
    return Container(folder, _in_order(names), is_archive=False)


def list_archive(path: Path) -> Container:
    """List all files in a zip archive; raises `DatasetError` if it is none or damaged."""
    return Container(path, _in_order(list(zip_names(path))), is_archive=True)


def suffix_of(name: str) -> str:
    """Get the suffix of a file's name in lower case, without that of its packing: ".csv" of "a.CSV.gz"."""
    path = PurePosixPath(name)
    suffix = path.suffix.lower()
    return path.with_suffix("").suffix.lower() if suffix in (".gz", ".zip") and path.stem else suffix


def _in_order(names: list[str]) -> tuple[str, ...]:
    return tuple(sorted(names, key=lambda name: (natural_key(name), name)))
