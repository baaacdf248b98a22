"""The files of a folder or of a zip archive, by their names, alike for both.

Path to names and to the bytes behind them. Hidden files are passed over, links are followed, and no more names are
listed than `MAX_FILES`.
"""

import os
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from convscope.base.errors import DatasetError
from convscope.data.datasets.data_file import DataFileError, open_data_file, reason
from convscope.data.datasets.readers.labels import natural_key
from convscope.data.datasets.readers.unpack import ZIP_DAMAGE, opened_zip, zip_entry, zip_names
from convscope.data.image_files import MAX_FILE_BYTES

MAX_FILES = 4_000_000  # their names take about a gigabyte
MAX_DEPTH = 8  # folders within folders


@dataclass(frozen=True)
class FilePlace:
    """A folder or a zip archive.

    Attributes:
        names: of its files, in natural order, parted by "/".
        skip_damaged: whether pictures that cannot be read are left out.
    """

    path: Path
    names: tuple[str, ...]
    is_archive: bool
    skip_damaged: bool = False

    def located(self, name: str) -> tuple[Path, str | None]:
        """Return the path, and the member's name in an archive, as the readers take them."""
        return (self.path, name) if self.is_archive else (self.path / name, None)

    def called(self, name: str) -> str:
        """Name a file in an error."""
        return f"{self.path}: {name}" if self.is_archive else str(self.path / name)

    @contextmanager
    def opened(self) -> Iterator[Callable[[str], bytes]]:
        """Give a function that returns a file's bytes, which are no more than a picture may have.

        It raises DatasetError, naming the file, if that cannot be read, or is larger.
        """
        if not self.is_archive:
            yield lambda name: read_small(self.path / name)
            return
        with open_data_file(self.path) as file, opened_zip(file) as archive:
            yield lambda name: self._member(archive, name)

    def _member(self, archive: zipfile.ZipFile, name: str) -> bytes:
        try:
            info = zip_entry(archive, name)
            if info.file_size > MAX_FILE_BYTES:
                raise DataFileError(f"has more than {MAX_FILE_BYTES >> 20} MiB; save a smaller version")
            with archive.open(info) as member:
                return member.read(info.file_size + 1)
        except DataFileError as error:
            raise DatasetError(f"{self.called(name)}: {error}") from error
        except KeyError:
            raise DatasetError(f"{self.called(name)}: is not in the archive; check the name") from None
        except ZIP_DAMAGE as error:
            raise DatasetError(
                f"{self.called(name)}: is damaged ({reason(error)}); download the archive again"
            ) from error


def read_small(path: Path) -> bytes:
    """Return the bytes of a file that is no larger than a picture may be; raises `DatasetError` otherwise."""
    with open_data_file(path) as file:
        content = file.read(MAX_FILE_BYTES + 1)
        if len(content) > MAX_FILE_BYTES:
            raise DataFileError(f"has more than {MAX_FILE_BYTES >> 20} MiB; save a smaller version")
        return content


def list_folder(folder: Path) -> FilePlace:
    """Return a folder with all files in it and below.

    Raises:
        DatasetError: if it cannot be listed, or holds more than MAX_FILES.
    """
    names: list[str] = []
    seen: set[tuple[int, int]] = set()
    waiting = [("", 0)]
    while waiting:
        below, depth = waiting.pop()
        try:
            status = (folder / below).stat()
            if (status.st_dev, status.st_ino) in seen:
                continue  # a link leads back
            seen.add((status.st_dev, status.st_ino))
            with os.scandir(folder / below) as entries:
                for entry in entries:
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
    return FilePlace(folder, _in_order(names), is_archive=False)


def list_archive(path: Path) -> FilePlace:
    """Return a zip archive with all files in it; raises `DatasetError` if it is none or damaged."""
    return FilePlace(path, _in_order(list(zip_names(path))), is_archive=True)


def suffix_of(name: str) -> str:
    """Return the ending of a file's name in lower case, without that of its packing: ".csv" of "a.CSV.gz"."""
    path = PurePosixPath(name)
    suffix = path.suffix.lower()
    return path.with_suffix("").suffix.lower() if suffix in (".gz", ".xz", ".zip") and path.stem else suffix


def _in_order(names: list[str]) -> tuple[str, ...]:
    return tuple(sorted(names, key=lambda name: (natural_key(name), name)))
